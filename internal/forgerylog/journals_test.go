package forgerylog

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"nullspf/internal/eventrow"
	"nullspf/internal/journal"
	"nullspf/spftrack"
)

func TestStats(t *testing.T) {
	t.Parallel()
	s, other := testSettings(t.TempDir()), testSettings(t.TempDir())
	checks := tenChecks()
	write(t, sealSoon(s), checks[:5]...)
	write(t, s, checks[5:]...)
	other.Server = "ns 2"
	write(t, other, checks[0])
	list, err := open(s.Dir, other.Dir).Stats(t.Context())
	if err != nil || len(list) != 2 {
		t.Fatal(list, err)
	}
	a, b := &list[0], &list[1]
	if a.Server != "ns1.example.net" || a.Events != 15 || a.Attempts != 8 || a.Sealed != 9 || a.Unsealed != 6 ||
		a.First != testTime.UnixNano() || a.Last != testTime.Add(9*time.Minute+10*time.Millisecond).UnixNano() ||
		a.Segments == 0 || a.SegmentBytes < 1000 || a.WALBytes < 500 {
		t.Errorf("%+v", a)
	}
	if b.Server != `ns\0322` || b.Events != 2 || b.Attempts != 1 || b.Segments != 0 || b.SegmentBytes != 0 {
		t.Errorf("%+v", b)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	s := testSettings(t.TempDir())
	write(t, sealSoon(s), tenChecks()...)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(s.Dir, link); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		dirs []string
		want string
	}{
		{nil, "no journal directory is named"},
		{[]string{filepath.Join(s.Dir, "none")}, "none is not there: nullspfd makes it"},
		{[]string{filepath.Join(s.Dir, "MANIFEST")}, "MANIFEST is a file"},
		{[]string{t.TempDir()}, "holds no journal"},
	} {
		_, err := open(c.dirs...).Stats(t.Context())
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, want %q", c.dirs, err, c.want)
		}
	}
	for _, again := range []string{s.Dir, link} {
		e := open(s.Dir, again)
		note := ""
		e.notes = func(text string) { note += text }
		if list, err := e.Stats(t.Context()); err != nil || len(list) != 1 || !strings.Contains(note, again+" are the same, which counts once") {
			t.Errorf("%v, %v, %q", list, err, note)
		}
	}
	err := open(s.Dir).Events(t.Context(), Query{}, maxLimit+1, nil)
	if err == nil || !strings.Contains(err.Error(), "100000") {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := open(s.Dir).Top(ctx, Query{}, ByIP, 1); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	stop := errors.New("stop")
	for _, dirs := range [][]string{{s.Dir}, {s.Dir, testJournal(t, check{ip: "192.0.2.1", domain: "a.example", local: "a", helo: "a"})}} {
		for _, limit := range []int{0, 5} {
			n := 0
			err := open(dirs...).Events(t.Context(), Query{}, limit, func(*eventrow.Row) error { n++; return stop })
			if err != stop || n != 1 {
				t.Errorf("%v after %d events", err, n)
			}
		}
	}
}

func testJournal(t *testing.T, checks ...check) string {
	s := testSettings(t.TempDir())
	write(t, s, checks...)
	return s.Dir
}

// TestDamagedSegment answers from what can be read, and says what is lacking.
func TestDamagedSegment(t *testing.T) {
	t.Parallel()
	s := testSettings(t.TempDir())
	day := 24 * time.Hour
	for i := range 3 {
		write(t, sealSoon(s), check{at: time.Duration(i) * day, ip: fmt.Sprintf("192.0.2.%d", i), local: "a", helo: "a", domain: "shop.example"})
	}
	paths, err := filepath.Glob(filepath.Join(s.Dir, "seg/*/*.parquet"))
	if err != nil || len(paths) != 3 {
		t.Fatal(paths, err)
	}
	slices.Sort(paths)
	good, err := os.ReadFile(paths[1])
	if err != nil {
		t.Fatal(err)
	}
	flip := func(at int) []byte {
		b := slices.Clone(good)
		b[at] ^= 0xff
		return b
	}
	damages := map[string][]byte{
		"magic":  flip(len(good) - 1),
		"footer": flip(len(good) - 100),
		"short":  good[:len(good)/2],
		"zero":   make([]byte, len(good)),
		"empty":  nil,
	}
	for at := 4; at < len(good)-500; at += 97 {
		damages[fmt.Sprint("byte ", at)] = flip(at)
	}
	told := 0
	for name, data := range damages {
		if err := os.WriteFile(paths[1], data, 0o600); err != nil {
			t.Fatal(err)
		}
		e := open(s.Dir)
		for _, limit := range []int{0, 3} {
			var rows []eventrow.Row
			err = e.Events(t.Context(), Query{}, limit, func(r *eventrow.Row) error {
				rows = append(rows, r.Clone())
				return nil
			})
			if err == nil {
				// A changed byte in a text shows nowhere but in the sum.
				if len(rows) != 3 {
					t.Errorf("%s: %d events and no error", name, len(rows))
				}
				continue
			}
			told++
			if p := incomplete(t, err); len(p) != 1 || !strings.Contains(p[0].Error(), filepath.Base(paths[1])) {
				t.Errorf("%s: %v", name, p)
			}
			if rows[0].ClientIP != "192.0.2.0" || rows[len(rows)-1].ClientIP != "192.0.2.2" {
				t.Errorf("%s: %+v", name, rows)
			}
		}
	}
	if told < 2*5 {
		t.Errorf("only %d damages are told", told)
	}
	ranking, err := open(s.Dir).Top(t.Context(), Query{Client: netip.MustParsePrefix("192.0.2.2/32")}, ByIP, 3)
	if ranking.Total != 1 || err != nil && len(incomplete(t, err)) != 1 {
		t.Errorf("%+v, %v", ranking, err)
	}
	// A query that does not need the segment is answered in full.
	if r := eventsOf(t, open(s.Dir), Query{Until: testTime.Add(time.Hour)}, 0); len(r) != 1 {
		t.Errorf("%d events of the first day", len(r))
	}
	reports, err := open(s.Dir).Check(t.Context())
	if err != nil || len(reports) != 1 || len(reports[0].Problems) == 0 {
		t.Errorf("%+v, %v", reports, err)
	}
}

// TestForeignSegment has a segment of other columns.
func TestForeignSegment(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x.parquet")
	type other struct {
		Seq int64  `parquet:"seq"`
		TS  string `parquet:"ts"`
	}
	if err := parquet.WriteFile(path, []other{{1, "now"}}); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	file, err := parquet.OpenFile(f, info.Size())
	if err != nil {
		t.Fatal(err)
	}
	s := &segment{file: &journal.SegmentFile{File: file}}
	if err := s.locate(); err == nil || !strings.Contains(err.Error(), "no column ts of type INT64") {
		t.Error(err)
	}
}

// TestUnreadableWAL tells of a file of which nothing can be read.
func TestUnreadableWAL(t *testing.T) {
	t.Parallel()
	s := testSettings(t.TempDir())
	write(t, s, tenChecks()...)
	wals, err := filepath.Glob(filepath.Join(s.Dir, "journal/*.wal"))
	if err != nil || len(wals) != 1 {
		t.Fatal(wals, err)
	}
	if err := os.WriteFile(wals[0], make([]byte, 10000), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = open(s.Dir).Timeline(t.Context(), Query{}, Hour)
	if p := incomplete(t, err); len(p) != 1 || !strings.Contains(p[0].Error(), wals[0]) {
		t.Error(p)
	}
	if !strings.Contains(err.Error(), "see nullspf log check") {
		t.Error(err)
	}
}

// TestWhileWriting asks again and again while events come, are sealed and
// compacted. Each answer must be a whole beginning of all events.
func TestWhileWriting(t *testing.T) {
	t.Parallel()
	s := sealSoon(testSettings(t.TempDir()))
	s.SegmentSize = 64 << 10
	j, err := journal.Open(s)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	const n = 30_000
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range n {
			// An hour every 1500 events, so that hours and days end.
			c := check{at: time.Duration(i) * 2400 * time.Millisecond, ip: fmt.Sprintf("192.0.%d.%d", i>>8, i&255),
				domain: fmt.Sprintf("n%d.example", i%100), only: spftrack.KindExists}
			put(t, j, c.packets()...)
			if i%100 == 0 {
				time.Sleep(time.Millisecond)
			}
		}
	})
	e := open(s.Dir)
	last, rounds := uint64(0), 0
	for last < n {
		rounds++
		if rounds > 5000 {
			t.Fatalf("only %d events are seen", last)
		}
		next := uint64(0)
		count := func(r *eventrow.Row) error {
			if next++; uint64(r.Seq) != next {
				return fmt.Errorf("event %d follows %d", r.Seq, next-1)
			}
			if want := fmt.Sprintf("n%d.example", (r.Seq-1)%100); r.ForgedDomain != want {
				return fmt.Errorf("event %d is about %s, not %s", r.Seq, r.ForgedDomain, want)
			}
			return nil
		}
		switch rounds % 3 {
		case 0:
			if err := e.Events(t.Context(), Query{}, 0, count); err != nil {
				t.Fatal(err)
			}
		case 1:
			r, err := e.Top(t.Context(), Query{}, ByDomain, 200)
			if err != nil {
				t.Fatal(err)
			}
			next = r.Total
			for _, k := range r.Ranks {
				var id uint64
				if _, err := fmt.Sscanf(k.Value, "n%d.example", &id); err != nil || k.Count != (r.Total+99-id)/100 {
					t.Fatalf("%s is counted %d times of %d", k.Value, k.Count, r.Total)
				}
			}
		case 2:
			rows := eventsOf(t, e, Query{Packets: true}, 500)
			if len(rows) > 0 {
				next = uint64(rows[len(rows)-1].Seq)
			}
			for i := range rows {
				if want := next - uint64(len(rows)-1-i); uint64(rows[i].Seq) != want {
					t.Fatalf("event %d among the newest, want %d", rows[i].Seq, want)
				}
			}
		}
		if next < last {
			t.Fatalf("%d events after %d", next, last)
		}
		last = next
	}
	wg.Wait()
	if last != n {
		t.Errorf("%d events, want %d", last, n)
	}
	series, err := e.Timeline(t.Context(), Query{}, Hour)
	if err != nil || series.Total != n || len(series.Buckets) != n/1500 {
		t.Fatalf("%d events in %d hours, %v", series.Total, len(series.Buckets), err)
	}
	for _, b := range series.Buckets {
		if b.Count != 1500 {
			t.Errorf("%s: %d events", formatTime(b.Start, eventrow.TableTime), b.Count)
		}
	}
	t.Logf("%d rounds, %+v", rounds, j.Stats())
}
