package journal

import (
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// TestPanicsAreContained lets sealing, writing and syncing panic: each is counted
// and told, and goes on by itself.
func TestPanicsAreContained(t *testing.T) {
	t.Parallel()
	var broken atomic.Bool
	s := sealSoon(testSettings(t))
	s.Zones = append([]Zone(nil), s.Zones...)
	s.Zones[0].Known = func(string) bool {
		if broken.Load() {
			panic("known")
		}
		return true
	}
	s.SyncEvery = 10 * time.Millisecond
	j, plan := openFaulty(t, s)
	id := 0
	put := func() {
		putAll(t, j, id+1, id+10)
		id += 11
		// Of a name that was cut, Known is asked.
		p := idPacket(id)
		p.Name = packed(t, fmt.Sprintf("n%d.example.FD.1.%s", id, testZone))
		j.Put(p)
	}
	recovers := func(work string, breakIt, mend func()) {
		before := j.Stats().Panics
		breakIt()
		put()
		waitUntil(t, work+" panics", func() bool { return j.Stats().Panics > before })
		waitUntil(t, "health tells of "+work, func() bool { return j.Health() != nil })
		mend()
		waitUntil(t, work+" goes on", func() bool {
			st := j.Stats()
			return st.Pending == 0 && st.SegmentEvents == uint64(id) && j.Health() == nil
		})
	}
	recovers("sealing", func() { broken.Store(true) }, func() { broken.Store(false) })
	recovers("writing", func() { plan.set(func(f *faults) { f.panics, f.err = true, syscall.EIO }) },
		func() { plan.set(func(f *faults) { f.panics, f.err = false, nil }) })
	recovers("syncing", func() { plan.set(func(f *faults) { f.panics, f.sync = true, syscall.EIO }) },
		func() { plan.set(func(f *faults) { f.panics, f.sync = false, nil }) })
	mustClose(t, j)
	checkIDs(t, readAll(t, s.Dir), 1, id)
	checkClean(t, s.Dir)
}

// TestQuietZoneIsSealed: the events of a burst are sealed when SegmentAge is over,
// without further ones. A busy machine may take some seconds longer.
func TestQuietZoneIsSealed(t *testing.T) {
	t.Parallel()
	s := testSettings(t)
	s.SegmentAge = 3 * time.Second
	j := mustOpen(t, s)
	putAll(t, j, 1, 5000)
	began := time.Now()
	waitUntil(t, "all is sealed", func() bool { return j.Stats().SegmentEvents == 5000 })
	if took := time.Since(began); took > s.SegmentAge+15*time.Second {
		t.Errorf("sealed after %s", took)
	}
	mustClose(t, j)
	if names, err := listWALs(s.Dir); err != nil || len(names) > 0 {
		t.Errorf("%v, %v", names, err)
	}
}

// TestDamagedSegmentIsNamed: sealing goes on beside a damaged segment that it has to
// read, because the file of the latest events is missing, and health names it.
func TestDamagedSegmentIsNamed(t *testing.T) {
	t.Parallel()
	s, segments := sealedDir(t)
	overwrite(t, segments[2], flipMiddle)
	if err := os.Remove(recentPath(s.Dir)); err != nil {
		t.Fatal(err)
	}
	j := mustOpen(t, sealSoon(s))
	p := idPacket(31)
	p.Time += int64(48 * time.Hour)
	j.Put(p)
	waitUntil(t, "the new event is sealed", func() bool { return j.Stats().SegmentEvents == 31 })
	if err := j.Health(); err == nil || !strings.Contains(err.Error(), segments[2]) || j.Stats().DamagedSegments != 1 {
		t.Errorf("health: %v", err)
	}
	mustClose(t, j)
}
