package journal

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"nullspf/spftrack"
)

// account fails unless every event that was put is accounted for.
func account(t *testing.T, j *Journal, put int) Stats {
	t.Helper()
	st := j.Stats()
	if got := st.Stored + st.Pending + st.Lost.total(); got != uint64(put) {
		t.Errorf("%d events were put, %d are accounted for: %+v", put, got, st)
	}
	return st
}

// flood puts events until some are lost, and returns how many.
func flood(t *testing.T, j *Journal, first int) (put int, lost []int) {
	t.Helper()
	w := j.Worker(0)
	var p Packet
	var b []byte
	for deadline := time.Now().Add(20 * time.Second); len(lost) < 100; put++ {
		fillPacket(&p, &b, first+put)
		if !w.Put(&p) {
			lost = append(lost, first+put)
		}
		if put%200 == 0 {
			w.Commit()
			time.Sleep(time.Millisecond)
			if time.Now().After(deadline) {
				t.Fatal("nothing was lost")
			}
		}
	}
	w.Commit()
	return put, lost
}

// readIDs returns the ids of what is stored, which must be in order and once.
func readIDs(t *testing.T, dir string) map[int]bool {
	t.Helper()
	ids := make(map[int]bool)
	last := 0
	for _, e := range readAll(t, dir) {
		id := idOf(t, &e)
		if id <= last {
			t.Fatalf("event %d follows %d", id, last)
		}
		last = id
		ids[id] = true
	}
	return ids
}

// faultyFile fails as its plan tells.
type faultyFile struct {
	walOutput
	plan *faults
}

// faults say how files fail.
type faults struct {
	mu sync.Mutex
	// short is how many bytes of a write succeed before err.
	err       error
	short     int
	truncate  bool
	sync      error
	create    error
	created   int
	syncDelay atomic.Int64
	// panics: instead of returning err or sync, the call panics.
	panics bool
}

func (f *faults) set(change func(*faults)) {
	f.mu.Lock()
	change(f)
	f.mu.Unlock()
}

func (f *faultyFile) Write(b []byte) (int, error) {
	f.plan.mu.Lock()
	defer f.plan.mu.Unlock()
	if f.plan.err != nil {
		if f.plan.panics {
			panic("write")
		}
		n, _ := f.walOutput.Write(b[:min(f.plan.short, len(b))])
		return n, f.plan.err
	}
	return f.walOutput.Write(b)
}

func (f *faultyFile) Truncate(n int64) error {
	f.plan.mu.Lock()
	defer f.plan.mu.Unlock()
	if f.plan.truncate {
		return syscall.EIO
	}
	return f.walOutput.Truncate(n)
}

func (f *faultyFile) Sync() error {
	time.Sleep(time.Duration(f.plan.syncDelay.Load()))
	f.plan.mu.Lock()
	defer f.plan.mu.Unlock()
	if f.plan.sync != nil {
		if f.plan.panics {
			panic("sync")
		}
		return f.plan.sync
	}
	return f.walOutput.Sync()
}

// openFaulty opens a journal whose files fail as told.
func openFaulty(t *testing.T, s Settings) (*Journal, *faults) {
	t.Helper()
	plan := &faults{}
	s, err := s.complete()
	if err != nil {
		t.Fatal(err)
	}
	at, err := takePlace(s.Dir)
	if err != nil {
		t.Fatal(err)
	}
	j, err := prepare(s, at)
	if err != nil {
		t.Fatal(err)
	}
	j.writer.create = func(path string) (walOutput, error) {
		plan.mu.Lock()
		defer plan.mu.Unlock()
		if plan.create != nil {
			return nil, plan.create
		}
		plan.created++
		f, err := createWAL(path)
		return &faultyFile{f, plan}, err
	}
	j.start()
	t.Cleanup(func() { j.Close() })
	return j, plan
}

// TestWriteErrors lets writes fail after any number of bytes, with truncation
// working or not: every event is stored once.
func TestWriteErrors(t *testing.T) {
	t.Parallel()
	for _, truncate := range []bool{false, true} {
		s := testSettings(t)
		j, plan := openFaulty(t, s)
		id := 0
		for _, short := range []int{0, 1, 39, 40, 41, 200, 1000, 1 << 20} {
			putAll(t, j, id+1, id+50)
			id += 50
			waitUntil(t, "all is stored", func() bool { return j.Stats().Pending == 0 })
			plan.set(func(f *faults) { f.err, f.short, f.truncate = syscall.EIO, short, truncate })
			// Several blocks, of two workers.
			putAll(t, j, id+1, id+1500)
			id += 1500
			waitUntil(t, "the error is seen", func() bool { return j.Health() != nil || j.Stats().Pending == 0 })
			if err := j.Health(); err != nil && !strings.Contains(err.Error(), "io_error") {
				t.Errorf("health: %v", err)
			}
			plan.set(func(f *faults) { f.err, f.truncate = nil, false })
			waitUntil(t, "storing resumes", func() bool { return j.Stats().Pending == 0 && j.Health() == nil })
		}
		mustClose(t, j)
		checkIDs(t, readAll(t, s.Dir), 1, id)
		account(t, j, id)
		checkClean(t, s.Dir)
		mustClose(t, mustOpen(t, s))
		checkIDs(t, readAll(t, s.Dir), 1, id)
	}
}

func TestErrorsAreClassified(t *testing.T) {
	t.Parallel()
	s := testSettings(t)
	s.RingBytes = minRingBytes
	j, plan := openFaulty(t, s)
	put := 0
	for _, c := range []struct {
		err    error
		reason Reason
	}{
		{syscall.ENOSPC, LostDiskFull}, {syscall.EDQUOT, LostDiskFull}, {syscall.EFBIG, LostDiskFull},
		{syscall.EROFS, LostReadOnly}, {syscall.EACCES, LostReadOnly}, {syscall.EIO, LostIOError},
	} {
		plan.set(func(f *faults) { f.err, f.short = c.err, 10 })
		j.Put(idPacket(1))
		put++
		waitUntil(t, "the reason is known", func() bool { r, ok := j.trouble(); return ok && r == c.reason })
		before := j.Stats().Lost[c.reason]
		n, _ := flood(t, j, 1)
		put += n
		if after := account(t, j, put).Lost[c.reason]; after < before+90 {
			t.Errorf("%v: %d events are lost with %s", c.err, after-before, c.reason)
		}
		plan.set(func(f *faults) { f.err = nil })
		waitUntil(t, "storing resumes", func() bool { return j.Stats().Pending == 0 })
	}
	// The same where no file can be made.
	plan.set(func(f *faults) { f.create = syscall.EROFS; f.err, f.truncate = syscall.EIO, true })
	j.Put(idPacket(1))
	waitUntil(t, "no file can be made", func() bool { r, _ := j.trouble(); return r == LostReadOnly })
	put++
	if err := j.Close(); err == nil || !strings.Contains(err.Error(), "1 events could not be written") {
		t.Errorf("Close: %v", err)
	}
	if st := account(t, j, put); st.Lost[LostShutdown] != 1 || st.Pending != 0 {
		t.Errorf("stats: %+v", st)
	}
}

// TestSyncErrors: after a failed sync nothing more is written to the file.
func TestSyncErrors(t *testing.T) {
	t.Parallel()
	s := testSettings(t)
	s.SyncEvery = 10 * time.Millisecond
	j, plan := openFaulty(t, s)
	putAll(t, j, 1, 10)
	if err := j.Worker(0).Flush(); err != nil {
		t.Fatal(err)
	}
	plan.set(func(f *faults) { f.sync = syscall.EIO })
	putAll(t, j, 11, 20)
	if err := j.Worker(0).Flush(); !errors.Is(err, errNotDurable) {
		t.Errorf("Flush: %v", err)
	}
	if err := j.Health(); err == nil || !strings.Contains(err.Error(), "io_error") {
		t.Errorf("health: %v", err)
	}
	plan.set(func(f *faults) { f.sync = nil })
	if err := j.Worker(0).Flush(); !errors.Is(err, errNotDurable) {
		t.Errorf("what a sync has dropped counts as durable later: %v", err)
	}
	putAll(t, j, 21, 30)
	waitUntil(t, "syncing works again", func() bool { return j.Worker(0).Flush() == nil && j.Health() == nil })
	if plan.created != 2 {
		t.Errorf("%d files were made, want 2", plan.created)
	}
	mustClose(t, j)
	checkIDs(t, readAll(t, s.Dir), 1, 30)
	checkClean(t, s.Dir)
}

func TestStrict(t *testing.T) {
	t.Parallel()
	s := testSettings(t)
	s.Sync = Strict
	s.SyncEvery = time.Hour
	s.FlushTimeout = 50 * time.Millisecond
	s.Workers = 3
	j, plan := openFaulty(t, s)
	var wg sync.WaitGroup
	for i := range s.Workers {
		wg.Go(func() {
			for id := range 200 {
				w := j.Worker(i)
				if p := idPacket(1000*i + id); !w.Put(p) {
					t.Error("lost")
				}
				err := w.Flush()
				if err != nil {
					continue // on a busy machine
				}
				if w.durable.Load() != w.ring.head {
					t.Errorf("Flush returned before all was on disk")
				}
			}
		})
	}
	wg.Wait()
	plan.syncDelay.Store(int64(300 * time.Millisecond))
	j.Worker(0).Put(idPacket(5000))
	began := time.Now()
	err := j.Worker(0).Flush()
	if took := time.Since(began); !errors.Is(err, errNotDurable) || took > 250*time.Millisecond {
		t.Errorf("Flush on a slow disk: %v after %s", err, took)
	}
	if !j.Put(idPacket(5001)) {
		t.Error("lost")
	}
	plan.syncDelay.Store(0)
	mustClose(t, j)
	if events := readAll(t, s.Dir); len(events) != 602 {
		t.Errorf("%d events", len(events))
	}
	if j.Stats().FlushFailures < 2 {
		t.Errorf("stats: %+v", j.Stats())
	}
}

// TestSealingFails: while nothing can be sealed, events are stored, the bound of the
// directory holds, and sealing resumes by itself.
func TestSealingFails(t *testing.T) {
	t.Parallel()
	s := sealSoon(testSettings(t))
	s.MaxSize = 512 << 10
	j := mustOpen(t, s)
	seg := filepath.Join(s.Dir, segDir)
	if err := os.Remove(seg); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(seg, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	time.Sleep(2 * placeEvery) // that seg is gone has been noticed
	const total = 30000
	putAll(t, j, 1, total)
	waitUntil(t, "the oldest events are removed", func() bool {
		st := j.Stats()
		return st.Pending == 0 && st.Expired > 0 && st.WALBytes <= s.MaxSize
	})
	waitUntil(t, "health tells of it", func() bool {
		return j.Health() != nil && strings.Contains(j.Health().Error(), "cannot be sealed")
	})
	if err := os.Remove(seg); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(seg, 0o750); err != nil {
		t.Fatal(err)
	}
	waitUntil(t, "sealing resumes", func() bool { return j.Stats().WALFiles == 0 && j.Health() == nil })
	time.Sleep(2 * placeEvery) // nothing was in seg: that it is another one is no loss
	if err := j.Health(); err != nil {
		t.Error(err)
	}
	mustClose(t, j)
	events := readAll(t, s.Dir)
	checkIDs(t, events, total-len(events)+1, total)
	if st := j.Stats(); uint64(len(events))+st.Expired != total || len(events) < 1000 {
		t.Errorf("%d events are left: %+v", len(events), st)
	}
	checkClean(t, s.Dir)
}

// TestZonesAdded: a zone that is added while the journal is open is known to
// the files that hold its events.
func TestZonesAdded(t *testing.T) {
	s := testSettings(t)
	j := mustOpen(t, s)
	putAll(t, j, 1, 10)
	zone, err := j.AddZone("_spf.example.org")
	if err != nil || zone != 1 {
		t.Fatal(zone, err)
	}
	j.SetLayouts("_spf.example.org", []spftrack.Layout{spftrack.Classic})
	if again, err := j.AddZone(testZone); err != nil || again != 0 {
		t.Error(again, err)
	}
	if _, err := j.AddZone(""); err == nil {
		t.Error("a zone without name was added")
	}
	j.Put(&Packet{Zone: zone, Qtype: spftrack.TypeA, Name: packed(t, "CL.192.0.2.7.FR.a@x.example.HE.h.example._spf.example.org")})
	mustClose(t, j)
	events := readAll(t, s.Dir)
	if len(events) != 11 || events[10].Kind != spftrack.KindClassic || events[10].Zone != "_spf.example.org" {
		t.Errorf("%+v", events[len(events)-1])
	}
}

// total is the sum over all reasons.
func (l *Lost) total() uint64 {
	n := uint64(0)
	for _, c := range l {
		n += c
	}
	return n
}
