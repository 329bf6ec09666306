package secondary

import (
	"context"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"nullspf/internal/wire"
	"nullspf/internal/zonestore"
)

// upkeep is the time between two looks at what needs no timer of its own: files
// to be written, and a clock that was set.
const upkeep = 5 * time.Second

// schedule says which zone is refreshed when. Zones whose time has come wait in
// the queue of their group, from which a bounded number of workers takes them.
type schedule struct {
	// work is what a worker of a group does: it takes jobs until there is none.
	work    func(*group)
	workers sync.WaitGroup
	// wake is filled when the next event is nearer than it was.
	wake chan struct{}
	log  zerolog.Logger
	// guard contains panics.
	guard *guard

	// mu guards the zones and groups too. It is never held for long: NOTIFYs
	// wait for it. All methods but run and rouse are called with it.
	mu     sync.Mutex
	groups []*group
	zones  map[wire.Name]*zone
	timers timers
	closed bool
}

// run handles what is due until the context ends, and calls tidy now and then.
func (s *schedule) run(ctx context.Context, c *clock, b *Bounds, tidy func()) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	ticker := time.NewTicker(upkeep)
	defer ticker.Stop()
	c.jump()
	for {
		keep := false
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			keep = true
		case <-timer.C:
		case <-s.wake:
		}
		pause := upkeep
		_ = s.guard.run("schedule", func() error {
			s.mu.Lock()
			defer s.mu.Unlock()
			now := c.now()
			s.clockSet(c.jump(), now, b)
			pause = min(max(s.tick(now).sub(now), 0), upkeep)
			return nil
		})
		if keep {
			// After it was seen whether the clock was set.
			_ = s.guard.run("upkeep", func() error { tidy(); return nil })
		}
		timer.Reset(pause)
	}
}

// locked calls a function with the lock of the schedule.
func (s *schedule) locked(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// rouse has run look again. It never waits.
func (s *schedule) rouse() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// clockSet: the time of day was set ahead by a time, back by a negative one, not
// at all by 0.
func (s *schedule) clockSet(ahead time.Duration, now instant, b *Bounds) {
	if ahead == 0 {
		return
	}
	back := 0
	for _, z := range s.zones {
		if z.clockSet(ahead, now, b) {
			back++
		}
		s.watch(z)
	}
	if len(s.zones) > 0 {
		s.log.Warn().Stringer("ahead", ahead.Round(time.Second)).Int("zones", len(s.zones)).Int("served_again", back).
			Msg("the clock was set; all secondary zones are refreshed, and none expires because of it")
	}
}

// tick handles what is due, has workers begin, and returns the time of the next
// event.
func (s *schedule) tick(now instant) (next instant) {
	next = never
	for len(s.timers) > 0 {
		z := s.timers[0]
		if z.at > now {
			next = z.at
			break
		}
		s.due(z, now)
	}
	for _, g := range s.groups {
		until := g.primaries.pausedUntil(now)
		if until == 0 {
			s.employ(g)
		} else if g.queue.length > 0 {
			next = min(next, until)
		}
	}
	return next
}

// due handles the event of a zone.
func (s *schedule) due(z *zone, now instant) {
	if z.expire(now) {
		z.group.log.expired(z, now)
	}
	if !z.running && z.waits == urgencyNone && z.next <= now {
		z.group.queue.add(z, z.usual())
	}
	s.watch(z)
}

// watch sets the timer of a zone to its next event.
func (s *schedule) watch(z *zone) { s.timers.set(z, z.due()) }

// add has a new zone served, if it was on disk, and refreshed.
func (s *schedule) add(z *zone, now instant) {
	s.zones[z.name] = z
	if z.expire(now) {
		z.group.log.expired(z, now)
	} else {
		z.serve()
	}
	// Changes may have been missed.
	z.next = now
	z.group.queue.add(z, z.usual())
	s.watch(z)
}

// drop gives a zone up.
func (s *schedule) drop(z *zone) {
	delete(s.zones, z.name)
	z.removed = true
	z.group.queue.remove(z)
	s.timers.set(z, never)
}

// regroup makes a zone one of another group.
func (s *schedule) regroup(z *zone, g *group) {
	waits := z.waits
	z.group.queue.remove(z)
	z.group, z.primary = g, 0
	if waits != urgencyNone {
		g.queue.add(z, waits)
	}
}

// reset has a zone transferred as if it were new.
func (s *schedule) reset(z *zone, now instant) {
	z.reset(now)
	s.ask(z, urgencyFirst)
	s.watch(z)
}

// ask has a zone refreshed soon.
func (s *schedule) ask(z *zone, u urgency) {
	if z.running {
		z.again = true
		return
	}
	z.group.queue.add(z, u)
	s.watch(z)
}

const (
	// hintPause is the least time between two refreshes of a zone because of
	// hints, hintEvery that between two zones of a group.
	hintPause = 10 * time.Second
	hintEvery = 5 * time.Millisecond
)

// hint has a zone refreshed soon because of a message that anybody may
// have sent: no sooner than hints may cost, and no later than otherwise.
func (s *schedule) hint(z *zone, now instant) {
	if z.running {
		z.hinted = true
		return
	}
	at := max(now, z.group.hinted)
	if z.waits != urgencyNone || z.next <= at {
		return
	}
	z.group.hinted = at.add(hintEvery)
	if z.have != nil {
		at = max(at, min(z.refreshed, now).add(hintPause))
	}
	z.next = min(z.next, at)
	s.watch(z)
}

// employ has as many workers run as there is work for.
func (s *schedule) employ(g *group) {
	for n := g.queue.length; n > 0 && g.running < g.Transfers && !s.closed && !g.closed; n-- {
		g.running++
		s.workers.Go(func() { s.work(g) })
	}
}

// job is a zone that a worker has.
type job struct {
	group *group
	zone  *zone
	// base is the version from which changes are asked for; nil is the whole
	// zone. any: a version with a smaller serial number will do, because base has
	// expired.
	base *zonestore.Zone
	any  bool
	// order has the numbers of the primaries to be asked.
	order []int
}

// take returns the next job of a group; ok is false when its worker is to end.
func (s *schedule) take(g *group, now instant) (j job, ok bool) {
	var z *zone
	if !s.closed && !g.closed && g.primaries.pausedUntil(now) == 0 {
		z = g.queue.next()
	}
	if z == nil {
		g.running--
		return job{}, false
	}
	z.running, z.again = true, false
	s.watch(z)
	return job{g, z, z.base(), z.expired, g.primaries.order(int(z.primary), now)}, true
}

// borrow takes a zone that no worker has, so that none does. It returns what is
// to be given back with the zone.
func (s *schedule) borrow(z *zone) (waited urgency) {
	waited = z.waits
	z.group.queue.remove(z)
	z.running = true
	return waited
}

// giveBack ends what borrow began.
func (s *schedule) giveBack(z *zone, waited urgency) {
	if waited != urgencyNone && !z.removed {
		z.group.queue.add(z, waited)
	}
	s.release(z)
}

// release ends the job of a zone.
func (s *schedule) release(z *zone) {
	z.running = false
	if z.removed {
		s.timers.set(z, never)
		return
	}
	if z.hinted {
		z.hinted = false
		if z.have != nil {
			z.next = min(z.next, z.refreshed.add(hintPause))
		}
	}
	if z.again {
		z.again = false
		z.group.queue.add(z, urgencyAsked)
		s.employ(z.group)
	}
	s.watch(z)
	if z.place == 1 {
		s.rouse()
	}
}
