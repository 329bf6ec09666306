// Imports measures what the import of a query log of BIND costs beside decompressing it and
// sealing the same events, which is the least that an import can do.
//
//	go run ./internal/bench/imports -bytes 1000000000
//
// It writes a log of that size, compressed, and journals of the same queries that are not sealed.
// Then it measures zcat of the log, the sealer on the journals, and the import of the log: time by
// the clock, and time of processors. The exit status is 1 when the import takes more than 1.5
// times as long as the two others together. The machine must be quiet.
package main

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/rs/zerolog"

	"nullspf/internal/evidence"
	"nullspf/internal/journal"
	"nullspf/internal/wire"
	"nullspf/spftrack"
)

const (
	zone   = "_spf.example.net"
	server = "ns1.example.net"
	// most is how much time the import may take, in times of zcat and the sealer together.
	most = 1.5
)

func main() {
	log.SetFlags(0)
	size := flag.Int64("bytes", 1_000_000_000, "size of the log before compression")
	dir := flag.String("dir", "", "directory for the files, which are removed; default: a temporary one")
	flag.Parse()
	if err := run(*size, *dir); err != nil {
		log.Fatal(err)
	}
}

func run(size int64, dir string) error {
	dir, err := os.MkdirTemp(dir, "bench-imports-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	file, wal := filepath.Join(dir, "queries.log.gz"), filepath.Join(dir, "wal")
	journals, err := generate(file, wal, size)
	if err != nil {
		return err
	}
	events := uint64(0)
	for _, j := range journals {
		events += j.events
	}
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	fmt.Printf("a log of %d MB, %d MB compressed, with %d events; Go %s, %d processors\n\n",
		size/1e6, info.Size()/1e6, events, runtime.Version(), runtime.NumCPU())
	fmt.Println("                  clock  processors  an event")
	zcat, err := measure("zcat", events, func() error { return exec.Command("zcat", file).Run() })
	if err != nil {
		return err
	}
	seal, err := measure("sealer", events, func() error { return sealAll(journals) })
	if err != nil {
		return err
	}
	imported, err := measure("import", events, func() error { return importAll(file, filepath.Join(dir, "imported"), events) })
	if err != nil {
		return err
	}
	times := float64(imported) / float64(zcat+seal)
	fmt.Printf("\nthe import takes %.2f times as long as zcat and the sealer together\n", times)
	if times > most {
		return fmt.Errorf("more than %.1f", most)
	}
	return nil
}

// measure runs something and tells what it took. It returns the time by the clock.
func measure(what string, events uint64, f func() error) (time.Duration, error) {
	debug.FreeOSMemory()
	processors, begin := processorTime(), time.Now()
	if err := f(); err != nil {
		return 0, fmt.Errorf("%s: %w", what, err)
	}
	clock, used := time.Since(begin), processorTime()-processors
	fmt.Printf("%-12s %8.1f s  %8.1f s  %5.0f ns\n", what, clock.Seconds(), used.Seconds(), float64(used.Nanoseconds())/float64(events))
	return clock, nil
}

// processorTime is the time of processors so far, with that of children.
func processorTime() (sum time.Duration) {
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var u syscall.Rusage
		_ = syscall.Getrusage(who, &u)
		sum += time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	return sum
}

func settings(dir string) journal.Settings {
	return journal.Settings{
		Dir: dir, Server: server, Zones: []journal.Zone{{Name: zone, Layouts: []spftrack.Layout{spftrack.Track}}},
		Logger: zerolog.Nop(), SegmentSize: 1 << 30, SegmentAge: 1000 * 24 * time.Hour,
	}
}

// unsealed is a journal whose events are not sealed.
type unsealed struct {
	dir    string
	events uint64
}

// unsealedMost is how many events a journal gets: fewer than it takes before it begins to
// seal by itself.
const unsealedMost = 500_000

// generate writes queries of checks of the layout track: as lines of named, and as journals.
func generate(file, wal string, size int64) (list []unsealed, err error) {
	f, err := os.Create(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewWriterLevel(f, gzip.DefaultCompression)
	if err != nil {
		return nil, err
	}
	var j *journal.Journal
	defer func() { err = errors.Join(err, closeUnsealed(j)) }()
	out := bufio.NewWriterSize(z, 1<<20)
	rng := rand.New(rand.NewPCG(1, 2))
	locals := []string{"info", "sales", "support", "admin", "noreply", "billing", "ceo"}
	now := time.Date(2026, 11, 27, 0, 0, 0, 0, time.UTC)
	for written := int64(0); written < size; {
		if n := len(list); n == 0 || list[n-1].events >= unsealedMost {
			if err := closeUnsealed(j); err != nil {
				return nil, err
			}
			list = append(list, unsealed{dir: fmt.Sprint(wal, n)})
			if j, err = journal.Open(settings(list[n].dir)); err != nil {
				return nil, err
			}
		}
		ip := fmt.Sprintf("%d.%d.%d.%d", 1+rng.IntN(222), rng.IntN(256), rng.IntN(256), rng.IntN(256))
		domain := fmt.Sprintf("brand-%04d.example", rng.IntN(1000))
		helo := fmt.Sprintf("host-%d.dyn%d.isp.example.net", rng.IntN(100000), rng.IntN(50))
		local := fmt.Sprint(locals[rng.IntN(len(locals))], rng.IntN(10000))
		resolver := netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, byte(rng.IntN(20)), byte(rng.IntN(256))}), uint16(1024+rng.IntN(64000)))
		for k, name := range []string{
			ip + ".in-addr.CL." + domain + ".FD.1." + zone,
			helo + ".HE." + local + ".LP." + ip + ".in-addr.CL." + domain + ".FD.2." + zone,
		} {
			now = now.Add(time.Duration(rng.IntN(20)) * time.Millisecond)
			kind := []string{"A", "TXT"}[k]
			n, err := fmt.Fprintf(out, "%s client @0x7f%010x %s#%d (%s): query: %s IN %s -E(0)D (192.0.2.31)\n",
				now.Format("02-Jan-2006 15:04:05.000"), rng.IntN(1<<20), resolver.Addr(), resolver.Port(), name, name, kind)
			if err != nil {
				return nil, err
			}
			written += int64(n)
			packed, err := wire.PackName(name)
			if err != nil {
				return nil, err
			}
			p := journal.Packet{Time: now.UnixNano(), Resolver: resolver, Qtype: []uint16{spftrack.TypeA, spftrack.TypeTXT}[k], Name: packed}
			for !j.Worker(0).Put(&p) {
				j.Worker(0).Commit()
				time.Sleep(time.Millisecond)
			}
			list[len(list)-1].events++
		}
	}
	return list, errors.Join(out.Flush(), z.Close())
}

// closeUnsealed closes a journal, nil for none, of which nothing may be sealed.
func closeUnsealed(j *journal.Journal) error {
	if j == nil {
		return nil
	}
	j.Worker(0).Commit()
	for j.Stats().Pending > 0 {
		time.Sleep(time.Millisecond)
	}
	if sealed := j.Stats().SegmentEvents; sealed > 0 {
		return errors.Join(fmt.Errorf("%d events are sealed already", sealed), j.Close())
	}
	return j.Close()
}

// sealAll seals the events of journals, but for the last ones, which wait for others.
func sealAll(list []unsealed) error {
	for _, u := range list {
		s := settings(u.dir)
		s.SegmentSize, s.SegmentAge = 0, 0 // those of nullspfd
		j, err := journal.Open(s)
		if err != nil {
			return err
		}
		for j.Stats().SegmentEvents < u.events-u.events/100 {
			if err := j.Health(); err != nil {
				return errors.Join(err, j.Close())
			}
			time.Sleep(5 * time.Millisecond)
		}
		if err := j.Close(); err != nil {
			return err
		}
	}
	return nil
}

// importAll imports the log.
func importAll(file, dir string, events uint64) error {
	i := &evidence.Import{
		Dir: dir, Server: server, Format: evidence.BINDQueryLog, Files: []string{file}, Zone: zone,
		Layouts: []spftrack.Layout{spftrack.Track}, TimeZone: time.UTC,
	}
	r, err := i.Run(context.Background())
	if err == nil && r.Events != events {
		err = fmt.Errorf("%d events, not %d: %+v", r.Events, events, r.Files)
	}
	return err
}
