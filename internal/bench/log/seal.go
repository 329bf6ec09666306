package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/rs/zerolog"

	"nullspf/internal/journal"
	"nullspf/spftrack"
)

const (
	// sealing is what a process that seals is asked.
	sealing = "sealing"
	// sealedEvents is how many events are sealed at once: those of a day of a hundred million in
	// 92 days.
	sealedEvents = 1_050_000
	dayOfEvents  = 100_000_000
)

// compareSealing prints what sealing costs, and what DuckDB takes to write the same rows, in turn.
func compareSealing(ctx context.Context, duckdb string, rounds int) error {
	temp, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	if duckdb == "" {
		duckdb = temp
	}
	if err := installDuckDB(ctx, duckdb); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	var ours, theirs []sample
	for i := range rounds {
		dir := filepath.Join(temp, strconv.Itoa(i))
		s, err := read(exec.CommandContext(ctx, self, "-ask", sealing, dir))
		if err != nil {
			return err
		}
		ours = append(ours, s)
		segments, err := segmentsOf(filepath.Join(dir, "1"))
		if err != nil {
			return err
		}
		copied := filepath.Join(dir, "copy.parquet")
		write := "COPY events TO '" + copied + "' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)"
		s, err = askDuckDB(ctx, duckdb, map[string]any{
			"files": segments, "sql": write,
			"prepare": []string{"SET threads = 1", "CREATE TABLE events AS SELECT * FROM $log", write},
		})
		if err != nil {
			return err
		}
		rows, err := strconv.ParseFloat(s.Rows[0][0], 64)
		if err != nil {
			return err
		}
		info, err := os.Stat(copied)
		if err != nil {
			return err
		}
		s.CPU /= rows
		s.Rows = [][]string{{fmt.Sprintf("%.1f", float64(info.Size())/rows)}}
		theirs = append(theirs, s)
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	o, t := median(ours), median(theirs)
	fmt.Printf("sealing: %.2f us of processor time an event, %s bytes\n", 1e6*o.CPU, o.Rows[0][0])
	fmt.Printf("DuckDB, the rows in memory to a Parquet file: %.2f us, %s bytes\n", 1e6*t.CPU, t.Rows[0][0])
	fmt.Printf("part: %.2f\n", o.CPU/t.CPU)
	return nil
}

// seal is the process that seals events below a directory, twice: the second time is measured.
// Its sample has processor time an event, and bytes.
func seal(dir string) (s sample, err error) {
	for i := range 2 {
		if s, err = sealOnce(filepath.Join(dir, strconv.Itoa(i))); err != nil {
			return s, err
		}
	}
	return s, nil
}

func sealOnce(dir string) (s sample, err error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return s, err
	}
	settings := journal.Settings{
		Dir: dir, Server: server, Logger: zerolog.Nop(), SegmentSize: 1 << 30, SegmentAge: time.Hour,
		Zones: []journal.Zone{{Name: zone, Layouts: []spftrack.Layout{spftrack.Track}}},
	}
	j, err := journal.Open(settings)
	if err != nil {
		return s, err
	}
	g := newGenerator(dayOfEvents, func(e *spftrack.Event) error {
		p := journal.Packet{Time: e.Time, Resolver: e.Resolver, Qtype: e.QType, Name: e.Name, Transport: e.Transport, Verified: e.SourceVerified, ECS: e.ClientSubnet}
		for !j.Worker(0).Put(&p) {
			j.Worker(0).Commit()
			time.Sleep(time.Millisecond)
		}
		return nil
	})
	for g.seq < sealedEvents {
		g.now += g.step * g.rng.ExpFloat64()
		if err := g.attempt(clientAddr(g.skewed(g.addresses, 2.2))); err != nil {
			return s, err
		}
	}
	j.Worker(0).Commit()
	if err := j.Close(); err != nil {
		return s, err
	}
	before := processorTime()
	if j, err = journal.Open(settings); err != nil {
		return s, err
	}
	for j.Stats().Sealed == 0 {
		if err := j.Health(); err != nil {
			return s, errors.Join(err, j.Close())
		}
		time.Sleep(20 * time.Millisecond)
	}
	took, st := processorTime()-before, j.Stats()
	s.CPU = took.Seconds() / float64(st.Sealed)
	s.Rows = [][]string{{fmt.Sprintf("%.1f", float64(st.SegmentBytes)/float64(st.Sealed))}}
	return s, j.Close()
}

// segmentsOf are the paths of the segments of a directory.
func segmentsOf(dir string) (paths []string, err error) {
	v, err := journal.Snapshot(dir, journal.ReadOptions{})
	if err != nil {
		return nil, err
	}
	for _, s := range v.Segments() {
		path, err := filepath.Abs(s.FilePath())
		if err != nil {
			return nil, errors.Join(err, v.Close())
		}
		paths = append(paths, path)
	}
	return paths, v.Close()
}
