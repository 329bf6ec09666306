package secondary

import (
	"fmt"
	"sync"
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
		if served(t, s, "a.test") != 3 || len(p.wholes()) != 0 {
			t.Errorf("serial %d, %d whole transfers", served(t, s, "a.test"), len(p.wholes()))
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
	const now instant = 1_700_000_000e9
	const day = 24 * time.Hour
	i := intervals{time.Hour, time.Minute, day}
	within := func(what string, got instant, from, to time.Duration) {
		t.Helper()
		if d := got.sub(now); d < from || d > to {
			t.Errorf("%s after %v, want %v to %v", what, d, from, to)
		}
	}
	var x times
	x.renew(now, i)
	within("refreshed", x.refreshed, 0, 0)
	within("next", x.next, 45*time.Minute, time.Hour)
	within("expires", x.expires, day, day)
	if x.over(now.add(day-1)) || !x.over(now.add(day)) {
		t.Error("a version is not over when its time is")
	}
	x.retry(now, time.Minute)
	within("next after a failure", x.next, 45*time.Second, time.Minute)
	within("expires after a failure", x.expires, day, day)
	x.restore(now.add(-25*time.Hour), now, i)
	if !x.over(now) {
		t.Error("a version whose time ended before the start is not over")
	}
	x.restore(now.add(100*day), now, i)
	within("expires, by a file of the future", x.expires, day, day)
	within("next, by a file of the future", x.next, 45*time.Minute, time.Hour)
}

// TestTimesWhenTheClockIsSet: what a jump of the time of day does to the times
// of a zone.
func TestTimesWhenTheClockIsSet(t *testing.T) {
	const now instant = 1_700_000_000e9
	const day, year = 24 * time.Hour, 365 * 24 * time.Hour
	i := intervals{time.Hour, time.Minute, day}
	// before is when the zone was refreshed, by its file if it is filed.
	for name, c := range map[string]struct {
		before        time.Duration
		filed         bool
		jumps         []time.Duration
		next, expires time.Duration
	}{
		"ahead":                     {10 * time.Minute, false, []time.Duration{year}, 0, day - 10*time.Minute},
		"back":                      {10 * time.Minute, false, []time.Duration{-year}, 0, day - 10*time.Minute},
		"ahead and back":            {10 * time.Minute, false, []time.Duration{year, -year}, 0, day - 10*time.Minute},
		"refreshed just now":        {time.Second, false, []time.Duration{year}, time.Hour, day - time.Second},
		"of a file, ahead":          {time.Hour, true, []time.Duration{year}, 0, day - time.Hour},
		"of a file, ahead and back": {time.Hour, true, []time.Duration{year, -year}, 0, day - time.Hour},
		// The daemon began while its clock was a year ahead.
		"of a file, back": {year + time.Hour, true, []time.Duration{-year}, 0, day - time.Hour},
		// It began while its clock was behind, so that the file was of the future.
		"of a file of the future, ahead": {-time.Hour, true, []time.Duration{2 * time.Hour}, 0, day},
	} {
		var x times
		if c.filed {
			x.restore(now.add(-c.before), now, i)
		} else {
			x.renew(now.add(-c.before), i)
		}
		if x.next > now {
			x.next = now.add(time.Hour)
		}
		for _, j := range c.jumps {
			x.clockSet(j, now, i, 30*time.Second)
		}
		if next := max(x.next, now).sub(now); next != c.next || x.expires.sub(now) != c.expires {
			t.Errorf("%s: asked again after %v, expires after %v, want %v and %v", name, next, x.expires.sub(now), c.next, c.expires)
		}
	}
	// However it came about, nothing is further away than the zone's own interval.
	x := times{refreshed: now, expires: now.add(year), next: now.add(year)}
	x.clockSet(-year, now, i, -1)
	if x.next != now || x.expires != now.add(day) {
		t.Errorf("asked again after %v, expires after %v", x.next.sub(now), x.expires.sub(now))
	}
}

// setClock is the time of day in a synctest bubble, which the test sets.
type setClock struct {
	mu     sync.Mutex
	ahead  time.Duration
	frozen time.Time
}

func (c *setClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.frozen.IsZero() {
		return c.frozen
	}
	return time.Now().Add(c.ahead)
}

func (c *setClock) set(ahead time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead, c.frozen = ahead, time.Time{}
}

func (c *setClock) stop() {
	now := c.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.frozen = now
}

// TestClockJumps: four seconds with the clock a year ahead, or behind, end no
// zone and put off no refresh, whether the primary answers or not, and also
// when the daemon begins or ends meanwhile.
func TestClockJumps(t *testing.T) {
	const year = 365 * 24 * time.Hour
	for _, jump := range []time.Duration{year, -year} {
		for _, down := range []bool{false, true} {
			t.Run(fmt.Sprint(jump, ", primary down: ", down), func(t *testing.T) {
				dir := t.TempDir()
				synctest.Test(t, func(t *testing.T) {
					var clock setClock
					var p fakePrimary
					p.set(smallZone(t, "a.test.", 1))
					start := func() *Engine {
						s := New(Options{
							Clock:   Clock{Now: clock.now},
							Connect: func(xfr.Primary, xfr.Limits, int) Refresher { return &p },
						})
						configure(t, s, Group{Zones: []wire.Name{mustName(t, "a.test")}, Primaries: []xfr.Primary{{Addr: testPrimary}}, Store: dir})
						synctest.Wait()
						return s
					}
					look := func(s *Engine, when string) {
						t.Helper()
						synctest.Wait()
						z, _ := s.ZoneStatus(mustName(t, "a.test"))
						next, expires := z.Next.Sub(clock.now()), z.Expires.Sub(clock.now())
						if served(t, s, "a.test") == 0 || z.State == ZoneExpired || next > time.Hour || expires > 24*time.Hour || expires < 20*time.Hour {
							t.Errorf("%s: %v, serial %d, next %v, expires %v", when, z.State, served(t, s, "a.test"), next, expires)
						}
					}
					s := start()
					time.Sleep(10 * time.Minute)
					p.setDown(down)
					p.set(smallZone(t, "a.test.", 2))
					asked := p.count()
					clock.set(jump)
					time.Sleep(upkeep)
					look(s, "after the jump")
					if p.count() == asked {
						t.Errorf("no primary was asked within %v of the jump", upkeep)
					}
					clock.set(0)
					time.Sleep(upkeep)
					look(s, "after the jump back")

					clock.set(jump)
					stop(t, s)
					s = start()
					time.Sleep(upkeep)
					if !down || jump < 0 {
						look(s, "restarted with the wrong clock")
					}
					clock.set(0)
					time.Sleep(upkeep)
					look(s, "restarted, and the clock is right again")
					stop(t, s)
					s = start()
					look(s, "restarted with the right clock")
					if want := uint32(2); !down && served(t, s, "a.test") != want {
						t.Errorf("serial %d, want %d", served(t, s, "a.test"), want)
					}
					stop(t, s)
				})
			})
		}
	}
}

// TestClockStandsStill: zones are refreshed and expire while the time of day
// stands still, and are asked for no more often than otherwise.
func TestClockStandsStill(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		var clock setClock
		var p fakePrimary
		p.set(smallZone(t, "a.test.", 1))
		s := New(Options{
			Clock:   Clock{Now: clock.now},
			Connect: func(xfr.Primary, xfr.Limits, int) Refresher { return &p },
		})
		defer stop(t, s)
		configure(t, s, Group{Zones: []wire.Name{mustName(t, "a.test")}, Primaries: []xfr.Primary{{Addr: testPrimary}}, Store: dir})
		synctest.Wait()
		clock.stop()
		time.Sleep(10*time.Hour + time.Minute)
		if n := p.count(); n < 10 || n > 15 {
			t.Errorf("asked %d times in ten hours, with a refresh time of one", n)
		}
		p.setDown(true)
		time.Sleep(25 * time.Hour)
		synctest.Wait()
		if z, _ := s.ZoneStatus(mustName(t, "a.test")); z.State != ZoneExpired {
			t.Errorf("a day without a primary: %v", z.State)
		}
	})
}
