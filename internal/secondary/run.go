package secondary

import (
	"errors"
	"time"

	"nullspf/internal/wire"
	"nullspf/internal/xfr"
	"nullspf/internal/zonestore"
)

// upkeep is the time between two looks at what needs no timer of its own: files
// to be written, and a clock that was set.
const upkeep = 5 * time.Second

// run watches the times of all zones.
func (s *Engine) run() {
	defer close(s.ended)
	timer := time.NewTimer(0)
	defer timer.Stop()
	tidy := time.NewTicker(upkeep)
	defer tidy.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-tidy.C:
			s.tidy()
		case <-timer.C:
		case <-s.wake:
		}
		now := time.Now()
		s.mu.Lock()
		next := s.tick(now.UnixNano())
		s.mu.Unlock()
		timer.Reset(min(time.Duration(max(next-now.UnixNano(), 0)), upkeep))
	}
}

// tidy writes files and says how many failures were not logged.
func (s *Engine) tidy() {
	s.mu.Lock()
	groups := s.groups
	s.mu.Unlock()
	now := time.Now()
	for _, g := range groups {
		g.log.flush(now)
	}
	s.save()
	for _, g := range groups {
		if err := g.store.sync(); err != nil {
			s.log.Error().Err(err).Str("store", g.Store).Msg("zones could not be written to the disk")
		}
	}
}

// tick handles what is due, has workers begin, and returns the time of the next
// event. mu is held.
func (s *Engine) tick(now int64) (next int64) {
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
		until := g.pausedUntil(now)
		if until == 0 {
			s.employ(g)
		} else if g.queue.length > 0 {
			next = min(next, until)
		}
	}
	return next
}

// due handles the event of a zone. mu is held.
func (s *Engine) due(z *zone, now int64) {
	if z.have != nil && !z.expired && z.expires <= now {
		z.expired = true
		z.slot.Serve(nil)
		z.group.log.expired(z, now)
	}
	if !z.running && z.urgency == urgencyNone && z.next <= now {
		z.group.queue.add(z, z.timedUrgency())
	}
	s.watch(z)
}

func (z *zone) timedUrgency() urgency {
	switch {
	case z.isCatalog:
		return urgencyAsked
	case z.have == nil:
		return urgencyFirst
	}
	return urgencyTimed
}

// watch sets the timer of a zone to its next event. mu is held.
func (s *Engine) watch(z *zone) {
	at := int64(never)
	if z.have != nil && !z.expired {
		at = z.expires
	}
	if !z.running && z.urgency == urgencyNone {
		at = min(at, z.next)
	}
	s.timers.set(z, at)
}

// ask has a zone brought up to date soon. mu is held.
func (s *Engine) ask(z *zone, u urgency) {
	if z.running {
		z.again = true
		return
	}
	z.group.queue.add(z, u)
	s.watch(z)
}

// rouse has run look again. It never waits.
func (s *Engine) rouse() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// employ has as many workers run as there is work for. mu is held.
func (s *Engine) employ(g *group) {
	for n := g.queue.length; n > 0 && g.running < g.Transfers && !s.closed && !g.closed; n-- {
		g.running++
		s.workers.Go(func() { s.work(g) })
	}
}

// work brings zones up to date until none waits.
func (s *Engine) work(g *group) {
	for {
		s.mu.Lock()
		now := time.Now().UnixNano()
		var z *zone
		if !s.closed && !g.closed && g.pausedUntil(now) == 0 {
			z = g.queue.next()
		}
		if z == nil {
			g.running--
			last := g.running == 0 && g.closed
			s.mu.Unlock()
			if last {
				g.close()
			}
			s.rouse()
			return
		}
		z.running, z.again = true, false
		whole := z.whole
		have := z.have
		if whole {
			have = nil
		}
		order := g.order(int(z.primary), now)
		s.watch(z)
		s.mu.Unlock()
		s.refresh(g, z, have, order)
	}
}

// order returns the numbers of the primaries to be tried, that which answered
// last first. mu is held.
func (g *group) order(last int, now int64) []int {
	var order []int
	for i := range g.Primaries {
		i = (last + i) % len(g.Primaries)
		if g.reach[i].until <= now {
			order = append(order, i)
		}
	}
	return order
}

// refresh asks primaries in turn for a newer version of a zone.
func (s *Engine) refresh(g *group, z *zone, have *zonestore.Zone, order []int) {
	var failures []error
	for _, i := range order {
		got, err := g.clients[i].Refresh(s.ctx, z.name, have)
		if err == nil && got == nil {
			err = errors.New("the primary has sent nothing")
		}
		now := time.Now()
		if s.ctx.Err() != nil {
			failures = append(failures, s.ctx.Err())
			break
		}
		s.reached(g, i, err, now.UnixNano())
		if err == nil {
			s.succeed(g, z, i, have, got, now)
			return
		}
		s.counts.failed(err)
		failures = append(failures, err)
	}
	s.fail(g, z, errors.Join(failures...), time.Now().UnixNano())
}

// reached notes whether a primary could be reached.
func (s *Engine) reached(g *group, primary int, err error, now int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := &g.reach[primary]
	if !unreached(err) {
		*r = reach{}
		return
	}
	if r.failed(now); r.failures == unreachable {
		g.log.unreachable(g.Primaries[primary].Addr, g.queue.length, err)
	}
}

// unreached reports whether nobody has answered.
func unreached(err error) bool {
	var t *xfr.TransferError
	return errors.As(err, &t) && (t.Reason == xfr.ReasonConnect || t.Reason == xfr.ReasonIdle)
}

// succeed makes a version that a primary has sent the one that is served.
func (s *Engine) succeed(g *group, z *zone, primary int, have, got *zonestore.Zone, now time.Time) {
	fresh := got != have
	var public *zonestore.Zone
	if z.isCatalog && fresh {
		public = publicPart(got)
	}
	s.mu.Lock()
	if z.removed || have != nil && z.have != have {
		// It was removed or reset meanwhile.
		s.release(z)
		s.mu.Unlock()
		return
	}
	before := z.have
	again := z.expired || before == nil
	z.have = got
	z.primary, z.failures, z.problem = uint8(primary), 0, nil
	z.expired, z.whole = false, false
	s.schedule(z, now)
	switch {
	case z.isCatalog && fresh:
		z.slot.Serve(public)
	case z.isCatalog && again:
		z.slot.Serve(publicPart(got))
	case fresh || again:
		z.slot.Serve(got)
	}
	_, unsaved := s.unsaved[z]
	s.mu.Unlock()

	var err error
	if fresh || unsaved {
		err = g.store.save(got, now)
	} else if g.store.touch(z.name, now) != nil {
		err = g.store.save(got, now)
	}
	s.saved(g, z, err)
	if fresh {
		s.counts.transferred.Add(1)
		g.log.transferred(z.name, before, got, g.Primaries[primary].Addr)
		if s.options.Changed != nil {
			s.options.Changed([]wire.Name{z.name})
		}
	} else {
		s.counts.unchanged.Add(1)
	}
	s.mu.Lock()
	s.release(z)
	removed := z.removed
	s.mu.Unlock()
	if removed {
		s.forget(g.store, z.name)
		return
	}
	if z.isCatalog && (fresh || again) {
		s.applyCatalogs()
	}
}

// schedule sets the times of a zone that was refreshed. mu is held.
func (s *Engine) schedule(z *zone, refreshed time.Time) {
	_, soa := z.have.SOA()
	i := s.options.Bounds.intervals(&soa)
	z.refreshed = refreshed.UnixNano()
	z.next = refreshed.Add(jitter(i.refresh)).UnixNano()
	z.expires = refreshed.Add(i.expire).UnixNano()
}

// fail schedules another try.
func (s *Engine) fail(g *group, z *zone, err error, now int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !z.removed && s.ctx.Err() == nil {
		z.problem = err
		z.failures = min(z.failures, 254) + 1
		wait := s.options.Bounds.firstRetry(z.failures)
		if z.have != nil {
			_, soa := z.have.SOA()
			wait = s.options.Bounds.intervals(&soa).retry
		}
		z.next = now + int64(jitter(wait))
		g.log.failed(z, err, now)
	}
	s.release(z)
}

// release gives a zone back that a worker has had. mu is held.
func (s *Engine) release(z *zone) {
	z.running = false
	if z.removed {
		s.timers.set(z, never)
		return
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
