package secondary

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"nullspf/internal/wire"
	"nullspf/internal/xfr"
	"nullspf/internal/zonestore"
)

// panicking is a primary at which one zone finds a fault of ours.
type panicking struct {
	fakePrimary
	zone wire.Name
}

func (p *panicking) Refresh(ctx context.Context, w xfr.Want) (xfr.Got, error) {
	p.mu.Lock()
	faulty := w.Zone == p.zone
	p.mu.Unlock()
	if faulty {
		var z *zonestore.Zone
		z.Serial()
	}
	return p.fakePrimary.Refresh(ctx, w)
}

// TestPanicsAreContained: a panic in a refresh, in what is told of it and in
// upkeep is counted and logged, and stops nothing else; the zone is tried again.
func TestPanicsAreContained(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		var log safeBuffer
		p := &panicking{zone: mustName(t, "b.test")}
		p.set(smallZone(t, "a.test.", 1), smallZone(t, "b.test.", 1), smallZone(t, "c.test.", 1))
		s, primaries := secondaryOf(t, &log, &p.fakePrimary)
		s.options.Connect = func(xfr.Primary, xfr.Limits, int) Refresher { return p }
		told := 0
		s.options.Changed = func(zones []wire.Name) {
			if told++; zones[0] == mustName(t, "c.test") && told < 4 {
				panic("known")
			}
		}
		defer stop(t, s)
		configure(t, s, Group{Zones: []wire.Name{mustName(t, "a.test"), p.zone, mustName(t, "c.test")}, Primaries: primaries, Store: dir, Transfers: 1})
		time.Sleep(time.Minute)
		synctest.Wait()
		st := s.Status()
		if served(t, s, "a.test") != 1 || served(t, s, "c.test") != 1 || st.Zones[ZonePending] != 1 || st.Running != 0 {
			t.Errorf("%+v", st)
		}
		if n := strings.Count(log.String(), `"work":"refresh"`); st.Panics < 4 || n < 1 || n > 2 || st.Failed[xfr.ReasonOther] != st.Panics {
			t.Errorf("%d panics, %d lines, %d failures\n%s", st.Panics, n, st.Failed[xfr.ReasonOther], log.String())
		}
		// The fault is gone.
		p.mu.Lock()
		p.zone = ""
		p.mu.Unlock()
		time.Sleep(2 * time.Minute)
		if served(t, s, "b.test") != 1 {
			t.Error("b.test is not tried again")
		}
		// The lock of the schedule is not lost with a panic under it.
		s.schedule.locked(func() { s.schedule.groups = append(s.schedule.groups, nil) })
		before := s.Status().Panics
		time.Sleep(time.Minute)
		if n := s.Status().Panics - before; n == 0 || n > 60 {
			t.Errorf("%d panics of the schedule in a minute", n)
		}
		s.schedule.locked(func() { s.schedule.groups = s.schedule.groups[:1] })
		p.set(smallZone(t, "a.test.", 2))
		time.Sleep(time.Hour)
		if served(t, s, "a.test") != 2 {
			t.Error("a.test is not refreshed")
		}
	})
}
