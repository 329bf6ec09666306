package journal

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"nullspf/spftrack"
)

// sealSoon makes wal files small and short-lived.
func sealSoon(s Settings) Settings {
	s.SegmentSize = minSegmentSize
	s.SegmentAge = 20 * time.Millisecond
	return s
}

// parts returns what makes up a directory: segments, wal files and MANIFEST.
func parts(t testing.TB, dir string) map[string][]byte {
	t.Helper()
	files := make(map[string][]byte)
	for _, pattern := range []string{"MANIFEST", "journal/*.wal", "seg/*/*.parquet"} {
		paths, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			rel, _ := filepath.Rel(dir, path)
			files[rel] = data
		}
	}
	return files
}

// assemble writes files to a new directory.
func assemble(t testing.TB, sets ...map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	for _, files := range sets {
		for rel, data := range files {
			path := filepath.Join(dir, rel)
			if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, data, 0o640); err != nil {
				t.Fatal(err)
			}
		}
	}
	return dir
}

// only keeps the files below one of the prefixes.
func only(files map[string][]byte, prefixes ...string) map[string][]byte {
	kept := make(map[string][]byte)
	for rel, data := range files {
		if slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(rel, p) }) {
			kept[rel] = data
		}
	}
	return kept
}

// TestEndAtEveryStep puts directories together as they are when the process ends
// between two steps of sealing, compaction and retention.
func TestEndAtEveryStep(t *testing.T) {
	t.Parallel()
	s := testSettings(t)
	j := mustOpen(t, s)
	putAll(t, j, 1, 500)
	mustClose(t, j)
	unsealed := parts(t, s.Dir)

	soon := sealSoon(s)
	var steps []map[string][]byte
	for last := 500; last <= 1500; last += 500 {
		// An hour passes between the files, a day before the last.
		j = mustOpen(t, soon)
		waitUntil(t, "the file is sealed", func() bool {
			st := j.Stats()
			return st.WALFiles == 0 && (last < 1500 || st.Segments == 2)
		})
		mustClose(t, j)
		steps = append(steps, parts(t, s.Dir))
		if last < 1500 {
			j = mustOpen(t, s)
			for id := last + 1; id <= last+500; id++ {
				p := idPacket(id)
				p.Time += int64(time.Hour) * int64(last/500)
				if last == 1000 {
					p.Time += int64(24 * time.Hour)
				}
				j.Put(p)
			}
			mustClose(t, j)
		}
	}
	sealed, joined := steps[0], steps[2]
	if n := len(only(joined, "seg/")); n != 2 {
		t.Fatalf("%d segments, want one of two hours and one of the next day", n)
	}
	for _, c := range []struct {
		name string
		dir  string
		last int
	}{
		{"segment written, MANIFEST not", assemble(t, only(sealed, "seg/"), unsealed), 500},
		{"MANIFEST written, wal file not dropped", assemble(t, sealed, only(unsealed, "journal/")), 500},
		{"MANIFEST written, wal file dropped", assemble(t, sealed), 500},
		{"joined segment written, MANIFEST not", assemble(t, steps[1], only(joined, "seg/date=2026-11-20/")), 1000},
		{"MANIFEST written, parts not dropped", assemble(t, joined, only(steps[1], "seg/")), 1500},
		{"MANIFEST lost, parts not dropped", assemble(t, only(joined, "seg/"), only(steps[1], "seg/"),
			map[string][]byte{"MANIFEST": []byte("damaged")}), 1500},
		{"MANIFEST lost altogether", assemble(t, only(joined, "seg/", "journal/")), 1500},
		{"MANIFEST lost", assemble(t, only(joined, "seg/"), map[string][]byte{"MANIFEST": joined["MANIFEST"][:100]}), 1500},
	} {
		if !strings.HasPrefix(c.name, "MANIFEST lost") {
			checkIDs(t, readAll(t, c.dir), 1, c.last)
			checkClean(t, c.dir)
		} else if _, err := Snapshot(c.dir, ReadOptions{}); err == nil {
			t.Errorf("%s: a reader does not notice", c.name)
		}
		restart := s
		restart.Dir = c.dir
		j := mustOpen(t, restart)
		putAll(t, j, c.last+1, c.last+10)
		mustClose(t, j)
		t.Log(c.name)
		checkIDs(t, readAll(t, c.dir), 1, c.last+10)
		checkClean(t, c.dir)
		files, err := listSegments(c.dir)
		if err != nil {
			t.Fatal(err)
		}
		m, err := loadManifest(c.dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			if !m.lists(f) {
				t.Errorf("%s: %s was left", c.name, f.path)
			}
		}
	}
}

// TestOldManifestPutBack must not cost the segments that it does not list.
func TestOldManifestPutBack(t *testing.T) {
	t.Parallel()
	s := testSettings(t)
	var old []byte
	for i := range 2 {
		j := mustOpen(t, s)
		putAll(t, j, 100*i+1, 100*i+100)
		mustClose(t, j)
		j = mustOpen(t, sealSoon(s))
		waitUntil(t, "the file is sealed", func() bool { return j.Stats().WALFiles == 0 })
		mustClose(t, j)
		if i == 0 {
			old = parts(t, s.Dir)["MANIFEST"]
		}
	}
	if err := os.WriteFile(filepath.Join(s.Dir, "MANIFEST"), old, 0o640); err != nil {
		t.Fatal(err)
	}
	mustClose(t, mustOpen(t, s))
	if files, _ := listSegments(s.Dir); len(files) != 2 {
		t.Errorf("%d segments are left, want 2", len(files))
	}
	r, err := CheckDir(context.Background(), s.Dir)
	if err != nil || len(r.Problems) != 1 || !strings.Contains(r.Problems[0].Text, "old MANIFEST") {
		t.Errorf("report %+v, %v", r, err)
	}
}

// TestReadersMeetEverything reads all the time while events are stored, sealed
// and joined: each reader sees a prefix of the events, no shorter than what was
// stored before it began.
func TestReadersMeetEverything(t *testing.T) {
	t.Parallel()
	s := sealSoon(testSettings(t))
	j := mustOpen(t, s)
	const total = 60000
	var wg sync.WaitGroup
	wg.Go(func() {
		rng := rand.New(rand.NewPCG(3, 4))
		var p Packet
		var b []byte
		w := j.Worker(0)
		for id := 1; id <= total; id++ {
			fillPacket(&p, &b, id)
			// Hours pass, so that segments are joined.
			p.Time = testTime.UnixNano() + int64(id)*int64(500*time.Millisecond)
			for !w.Put(&p) {
				time.Sleep(time.Millisecond)
			}
			if rng.IntN(100) == 0 {
				w.Commit()
				time.Sleep(time.Duration(rng.IntN(3)) * time.Millisecond)
			}
		}
		w.Commit()
	})
	v, err := Snapshot(s.Dir, ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	follower, err := v.Follow(0)
	if err != nil {
		t.Fatal(err)
	}
	defer follower.Close()
	followed := int(0)
	if err := v.Tail(func(*spftrack.Event) error { followed++; return nil }); err != nil {
		t.Fatal(err)
	}
	v.Close()
	reads := 0
	for done := false; !done; reads++ {
		before := j.Stats().Stored
		done = before == total && j.Stats().Compactions > 0
		events := readAll(t, s.Dir)
		if uint64(len(events)) < before {
			t.Fatalf("%d events read, %d were stored before", len(events), before)
		}
		checkIDs(t, events, 1, len(events))
		if reads%4 == 0 {
			checkClean(t, s.Dir)
		}
		err := follower.Poll(func(e *spftrack.Event) error {
			followed++
			if id := idOf(t, e); id != followed {
				t.Fatalf("the follower got event %d, want %d", id, followed)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	wg.Wait()
	st := j.Stats()
	t.Logf("%d reads; %+v", reads, st)
	if st.Compactions == 0 || st.Sealed == 0 {
		t.Error("nothing was sealed or joined meanwhile")
	}
	waitUntil(t, "the follower has everything", func() bool {
		err := follower.Poll(func(e *spftrack.Event) error { followed++; return nil })
		return err == nil && followed == total
	})
}

func TestClockJumps(t *testing.T) {
	t.Parallel()
	s := sealSoon(testSettings(t))
	s.Retain = 30 * 24 * time.Hour
	const day = 24 * time.Hour
	now := testTime
	s.Clock = func() time.Time { return now }
	id := 0
	for _, jump := range []time.Duration{0, day, -300 * day, 0, 5000 * day, 0, -day, 0, 50000 * day, -50000 * day, 0} {
		now = testTime.Add(jump)
		j := mustOpen(t, s)
		for range 50 {
			id++
			p := idPacket(id)
			p.Time += int64(jump)
			j.Put(p)
		}
		waitUntil(t, "all is sealed", func() bool { return j.Stats().Pending == 0 && j.Stats().WALFiles == 0 })
		// The clock jumps while the journal is open.
		now = testTime.Add(-jump)
		id++
		j.Put(idPacket(id))
		waitUntil(t, "all is sealed", func() bool { return j.Stats().Pending == 0 && j.Stats().WALFiles == 0 })
		mustClose(t, j)
	}
	checkIDs(t, readAll(t, s.Dir), 1, id)
	checkClean(t, s.Dir)
	m, err := loadManifest(s.Dir)
	if err != nil || m.Expired != 0 {
		t.Errorf("%d events expired, %v", m.Expired, err)
	}
}

func TestRetainByAge(t *testing.T) {
	t.Parallel()
	s := sealSoon(testSettings(t))
	s.Retain = 20 * 24 * time.Hour
	now := testTime
	s.Clock = func() time.Time { return now }
	for run := range 4 {
		j := mustOpen(t, s)
		putAll(t, j, 100*run+1, 100*run+100)
		waitUntil(t, "all is sealed", func() bool { return j.Stats().Pending == 0 && j.Stats().WALFiles == 0 })
		mustClose(t, j)
		now = now.Add(15 * 24 * time.Hour)
	}
	// The runs were 0, 15, 30 and 45 days after the first; now it is day 60. The
	// limit is set while the journal is open, as by a reload.
	limit := s.Retain
	s.Retain = 0
	j := mustOpen(t, s)
	if expired := j.Stats().Expired; expired > 200 {
		t.Errorf("%d events expired before the limit was set", expired)
	}
	j.SetLimits(Limits{Retain: limit})
	putAll(t, j, 401, 500)
	waitUntil(t, "old events are removed", func() bool { return j.sealer.manifest.Load().Expired == 300 })
	mustClose(t, j)
	events := readAll(t, s.Dir)
	checkIDs(t, events, 301, 500)
	checkClean(t, s.Dir)
}

func TestRetainBySize(t *testing.T) {
	t.Parallel()
	s := sealSoon(testSettings(t))
	s.MaxSize = 400 << 10
	j := mustOpen(t, s)
	const total = 60000
	w := j.Worker(0)
	for id := 1; id <= total; id++ {
		p := idPacket(id)
		// Each hour has a segment, and none of a day is joined beyond the limit.
		p.Time = testTime.UnixNano() + int64(id)*int64(time.Second)
		for !w.Put(p) {
			time.Sleep(time.Millisecond)
		}
		if id%1000 == 0 {
			w.Commit()
			waitUntil(t, "a file is sealed", func() bool { return j.Stats().WALBytes < s.MaxSize/2 })
		}
	}
	waitUntil(t, "the directory is small enough", func() bool {
		st := j.Stats()
		return st.Pending == 0 && st.Expired > 0 && st.SegmentBytes+st.WALBytes <= s.MaxSize
	})
	mustClose(t, j)
	st := j.Stats()
	events := readAll(t, s.Dir)
	checkIDs(t, events, total-len(events)+1, total)
	if uint64(len(events))+st.Expired != total || len(events) < 1000 {
		t.Errorf("%d events are left, stats %+v", len(events), st)
	}
	checkClean(t, s.Dir)
}
