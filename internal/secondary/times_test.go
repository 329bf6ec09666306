package secondary

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"nullspf/internal/wire"
	"nullspf/internal/xfr"
)

func TestExpires(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		var p fakePrimary
		p.set(smallZone(t, "a.test.", 7))
		s, primaries := secondaryOf(t, nil, &p)
		g := Group{Zones: []wire.Name{mustName(t, "a.test")}, Primaries: primaries, Store: dir}
		configure(t, s, g)
		synctest.Wait()
		p.setDown(true)
		time.Sleep(20 * time.Hour)
		synctest.Wait()
		if z, _ := s.ZoneStatus(mustName(t, "a.test")); z.State != ZoneFailing || served(t, s, "a.test") != 7 {
			t.Errorf("after 20 hours: %v, serial %d", z.State, served(t, s, "a.test"))
		}
		stop(t, s)

		// A restart does not give it another day.
		s, _ = secondaryOf(t, nil, &p)
		configure(t, s, g)
		synctest.Wait()
		if served(t, s, "a.test") != 7 {
			t.Error("not served from disk after a restart")
		}
		time.Sleep(4*time.Hour + time.Minute)
		synctest.Wait()
		if z, _ := s.ZoneStatus(mustName(t, "a.test")); z.State != ZoneExpired || served(t, s, "a.test") != 0 {
			t.Errorf("after a day: %v, serial %d", z.State, served(t, s, "a.test"))
		}
		if s.Version(mustName(t, "a.test")) != nil {
			t.Error("an expired zone can be transferred")
		}
		p.setDown(false)
		time.Sleep(11 * time.Minute)
		synctest.Wait()
		if served(t, s, "a.test") != 7 {
			t.Error("not served again with the same serial number")
		}
		stop(t, s)
	})
}

func TestStartsExpired(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		st, err := openStore(dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := st.save(smallZone(t, "a.test.", 3), time.Now().Add(-25*time.Hour)); err != nil {
			t.Fatal(err)
		}
		p := fakePrimary{down: true}
		p.set(smallZone(t, "a.test.", 3))
		s, primaries := secondaryOf(t, nil, &p)
		defer stop(t, s)
		configure(t, s, Group{Zones: []wire.Name{mustName(t, "a.test")}, Primaries: primaries, Store: dir})
		synctest.Wait()
		if served(t, s, "a.test") != 0 {
			t.Error("an expired zone is served")
		}
		p.setDown(false)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if served(t, s, "a.test") != 3 || len(p.whole) != 0 {
			t.Errorf("serial %d, %d whole transfers", served(t, s, "a.test"), len(p.whole))
		}
	})
}

func TestIntervals(t *testing.T) {
	b := Bounds{
		MinRefresh: time.Minute, MaxRefresh: time.Hour, MinRetry: 10 * time.Second, MaxRetry: time.Minute,
		MaxExpire: 24 * time.Hour, FirstRetry: 5 * time.Second, LastRetry: 30 * time.Second,
	}
	for _, c := range []struct {
		soa  wire.SOA
		want intervals
	}{
		{wire.SOA{Refresh: 600, Retry: 30, Expire: 7200}, intervals{10 * time.Minute, 30 * time.Second, 2 * time.Hour}},
		{wire.SOA{}, intervals{time.Minute, 10 * time.Second, 70 * time.Second}},
		{wire.SOA{Refresh: 1<<32 - 1, Retry: 1<<32 - 1, Expire: 1<<32 - 1}, intervals{time.Hour, time.Minute, 24 * time.Hour}},
		{wire.SOA{Refresh: 3600, Retry: 60, Expire: 60}, intervals{time.Hour, time.Minute, time.Hour + time.Minute}},
	} {
		if got := b.intervals(&c.soa); got != c.want {
			t.Errorf("%+v: %v, want %v", c.soa, got, c.want)
		}
	}
	for failures, want := range []time.Duration{5, 5, 10, 20, 30, 30} {
		if got := b.firstRetry(uint8(failures)); got != want*time.Second {
			t.Errorf("after %d failures: %v", failures, got)
		}
	}
	if got := b.firstRetry(255); got != 30*time.Second {
		t.Errorf("after 255 failures: %v", got)
	}
}

// TestTimes goes through what sets the times of a zone.
func TestTimes(t *testing.T) {
	now := time.Unix(1_700_000_000, 5)
	i := intervals{time.Hour, time.Minute, 24 * time.Hour}
	within := func(what string, got instant, from, to time.Duration) {
		t.Helper()
		if d := got.time().Sub(now); d < from || d > to {
			t.Errorf("%s after %v, want %v to %v", what, d, from, to)
		}
	}
	var x times
	x.renew(now, i)
	within("refreshed", x.refreshed, 0, 0)
	within("next", x.next, 45*time.Minute, time.Hour)
	within("expires", x.expires, 24*time.Hour, 24*time.Hour)
	if x.over(now.Add(24*time.Hour-1)) || !x.over(now.Add(24*time.Hour)) {
		t.Error("a version is not over when its time is")
	}
	x.retry(now, time.Minute)
	within("next after a failure", x.next, 45*time.Second, time.Minute)
	within("expires after a failure", x.expires, 24*time.Hour, 24*time.Hour)
	x.restore(now.Add(-25*time.Hour), now, i)
	if !x.over(now) {
		t.Error("a version whose time ended before the start is not over")
	}
	x.restore(now.Add(100*24*time.Hour), now, i)
	within("refreshed, by a file of the future", x.refreshed, 0, 0)
	within("expires, by a file of the future", x.expires, 24*time.Hour, 24*time.Hour)
	if !instant(0).time().IsZero() || !never.time().IsZero() {
		t.Error("what is unknown is a time")
	}
}

// TestClockIsSet: that the clock was set is noticed soon, although no timer
// ends.
func TestClockIsSet(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		var ahead atomic.Int64
		var p fakePrimary
		p.set(smallZone(t, "a.test.", 1))
		addr := xfr.Primary{Addr: testPrimary}
		s := New(Options{
			Clock:   func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) },
			Connect: func(xfr.Primary, xfr.Limits, int) Refresher { return &p },
		})
		defer stop(t, s)
		configure(t, s, Group{Zones: []wire.Name{mustName(t, "a.test")}, Primaries: []xfr.Primary{addr}, Store: dir})
		synctest.Wait()
		p.set(smallZone(t, "a.test.", 2))
		ahead.Store(int64(time.Hour))
		time.Sleep(upkeep)
		synctest.Wait()
		if got := served(t, s, "a.test"); got != 2 {
			t.Errorf("serial %d, %v after the clock went an hour ahead", got, upkeep)
		}
	})
}
