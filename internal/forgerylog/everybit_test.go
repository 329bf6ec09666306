package forgerylog

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nullspf/internal/eventrow"
	"nullspf/internal/journal"
	"nullspf/internal/torture"
)

const (
	// bitsOf tells the child which file to damage.
	bitsOf = "NULLSPF_TEST_BITS_OF"
	// memoryLimit is what the child may have.
	memoryLimit = 1 << 30
)

// bitFiles are the kinds of files, by directory or name.
var bitFiles = []string{"seg", "journal", "MANIFEST"}

// TestEveryBit changes bits of a segment, a wal file and MANIFEST, one at a time,
// in a process that may have 1 GB of memory. Each time a journal must open, take
// events and close; before and after, queries must not show a row that is wrong,
// and whatever is lacking must be named. "make torture" goes on until its time is
// over or every bit was changed, which takes some ten minutes.
func TestEveryBit(t *testing.T) {
	t.Parallel()
	for _, file := range bitFiles {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestBitsChild$", "-test.v", "-test.timeout=2h")
		cmd.Env = append(os.Environ(), bitsOf+"="+file)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", file, err, out)
		}
		for line := range strings.Lines(string(out)) {
			if strings.Contains(line, "bits") {
				t.Log(strings.TrimSpace(line))
			}
		}
	}
}

// TestBitsChild is the child of TestEveryBit.
func TestBitsChild(t *testing.T) {
	file := os.Getenv(bitsOf)
	if file == "" {
		return
	}
	// The shadow memory of the race detector counts as well.
	if !raceEnabled {
		if err := unix.Setrlimit(unix.RLIMIT_DATA, &unix.Rlimit{Cur: memoryLimit, Max: memoryLimit}); err != nil {
			t.Fatal(err)
		}
	}
	r := torture.Start(t, 0).Part(t, len(bitFiles))
	s := testSettings(t.TempDir())
	write(t, sealSoon(s), tenChecks()[:4]...)
	write(t, s, tenChecks()[4:7]...)
	d := &bitFlips{t: t, whole: s.Dir, rows: make(map[int64]eventrow.Row), scratch: "/dev/shm"}
	if _, err := os.Stat(d.scratch); err != nil {
		d.scratch = t.TempDir()
	}
	for _, r := range eventsOf(t, open(s.Dir), Query{Packets: true}, 0) {
		d.rows[r.Seq] = r
	}
	path, stride := d.pick(file)
	data, err := os.ReadFile(filepath.Join(s.Dir, path))
	if err != nil {
		t.Fatal(err)
	}
	// Each pass takes other bits; one is a sample of the file.
	passes := r.Rand.Perm(stride)
	if !torture.Asked() {
		passes = passes[:1]
	}
	var bits []int
	for _, pass := range passes {
		for bit := pass; bit < 8*len(data); bit += stride {
			if file == "journal" && data[bit/8] == 0 && bit/8 < 2*4096 && bit/8%512 != 0 {
				// The rest of a header's slot is not read.
				continue
			}
			bits = append(bits, bit)
		}
	}
	var workers sync.WaitGroup
	var next, tried atomic.Int64
	for range 4 {
		workers.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(bits)) && !t.Failed() && (!torture.Asked() || r.Left() > 0); i = next.Add(1) - 1 {
				d.try(path, data, bits[i])
				tried.Add(1)
			}
		})
	}
	workers.Wait()
	r.Count("bits of "+file, int(tried.Load()))
	r.Count("queries that lacked events", int(d.lacking.Load()))
	r.Figure("most memory", "%s", peakMemory(t))
}

func peakMemory(t *testing.T) string {
	t.Helper()
	f, err := os.Open("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if size, ok := strings.CutPrefix(lines.Text(), "VmHWM:"); ok {
			return strings.TrimSpace(size)
		}
	}
	return "unknown"
}

type bitFlips struct {
	t *testing.T
	// whole is the directory without damage, rows what it holds.
	whole string
	rows  map[int64]eventrow.Row
	// scratch is where copies are made: in memory, where there is such a place.
	scratch string
	// lacking counts the queries that lacked events.
	lacking atomic.Int64
}

// pick returns a file of the directory and how many bits the next one is away, in
// a sample.
func (d *bitFlips) pick(file string) (path string, stride int) {
	patterns := map[string]string{"seg": "seg/*/*.parquet", "journal": "journal/*.wal", "MANIFEST": "MANIFEST"}
	found, err := filepath.Glob(filepath.Join(d.whole, patterns[file]))
	if err != nil || len(found) == 0 {
		d.t.Fatal(found, err)
	}
	path, err = filepath.Rel(d.whole, found[0])
	if err != nil {
		d.t.Fatal(err)
	}
	return path, map[string]int{"seg": 211, "journal": 211, "MANIFEST": 47}[file]
}

// try changes a bit of a copy. It is called by several goroutines.
func (d *bitFlips) try(path string, data []byte, bit int) {
	dir, err := os.MkdirTemp(d.scratch, "bits")
	if err != nil {
		d.t.Error(err)
		return
	}
	defer os.RemoveAll(dir)
	if err := os.CopyFS(dir, os.DirFS(d.whole)); err != nil {
		d.t.Error(err)
		return
	}
	damaged := slices.Clone(data)
	damaged[bit/8] ^= 1 << (bit % 8)
	if err := os.WriteFile(filepath.Join(dir, path), damaged, 0o600); err != nil {
		d.t.Error(err)
		return
	}
	what := path + ", bit " + strconv.Itoa(bit)
	d.query(what, dir, path)

	s := testSettings(dir)
	if strings.HasPrefix(path, "journal") && bit%4 == 0 {
		s = sealSoon(s)
	}
	j, err := journal.Open(s)
	if err != nil {
		d.t.Errorf("%s: the journal does not open: %v", what, err)
		return
	}
	next := check{at: time.Hour, ip: "192.0.2.7", local: "x", domain: "next.example", helo: "y"}
	put(d.t, j, next.packets()...)
	waitFor(d.t, func() bool {
		st := j.Stats()
		return st.Pending == 0 && (s.SegmentAge > time.Second || st.WALFiles == 0)
	})
	if err := j.Close(); err != nil {
		d.t.Errorf("%s: %v", what, err)
	}
	d.query(what+", opened", dir, path)
}

// query reads everything and compares.
func (d *bitFlips) query(what, dir, path string) {
	seen := make(map[int64]bool)
	err := open(dir).Events(d.t.Context(), Query{Packets: true}, 0, func(r *eventrow.Row) error {
		want, known := d.rows[r.Seq]
		got := *r
		// What a lost event was decides whether another one is an attempt.
		if got.Attempt != want.Attempt {
			got.Attempt, got.Flags = want.Attempt, want.Flags
		}
		if known && got != want || !known && r.ForgedDomain != "next.example" || seen[r.Seq] {
			d.t.Errorf("%s: wrong row %+v", what, r)
		}
		seen[r.Seq] = true
		return nil
	})
	lacking := 0
	for seq := range d.rows {
		if !seen[seq] {
			lacking++
		}
	}
	if lacking == 0 {
		if err != nil && !errors.As(err, new(*Incomplete)) && !strings.Contains(err.Error(), path) {
			d.t.Errorf("%s: %v", what, err)
		}
		return
	}
	d.lacking.Add(1)
	if err != nil && strings.Contains(err.Error(), filepath.Base(path)) {
		return
	}
	// What was sealed from a damaged file is a gap with its reason.
	reports, err := open(dir).Check(d.t.Context())
	if err != nil {
		d.t.Errorf("%s: %d events lack, and %v", what, lacking, err)
		return
	}
	told := uint64(0)
	for _, g := range reports[0].Gaps {
		if g.Reason == journal.GapDamaged {
			told += g.Last - g.First + 1
		}
	}
	if told < uint64(lacking) && len(reports[0].Problems) == 0 {
		d.t.Errorf("%s: %d events lack, %d are told: %s", what, lacking, told, fmt.Sprint(reports[0].Report))
	}
}
