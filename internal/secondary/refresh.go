package secondary

import (
	"context"
	"errors"

	"nullspf/internal/xfr"
	"nullspf/internal/zonestore"
)

// refresher does the jobs of a schedule.
type refresher struct {
	schedule *schedule
	keeper   *keeper
	guard    *guard
	counts   *counts
	clock    *clock
	bounds   *Bounds
	// transferred is told of a zone with a new version.
	transferred func(*zone)
	// relist is called when a catalog zone may list other zones than before.
	relist func()
}

// work refreshes zones of a group until none waits.
func (r *refresher) work(ctx context.Context, g *group) {
	s := r.schedule
	for {
		s.mu.Lock()
		j, ok := s.take(g, r.clock.now())
		ended := g.ended()
		s.mu.Unlock()
		if ok {
			err := r.guard.run("refresh", func() error { r.refresh(ctx, j); return nil })
			if err != nil {
				r.counts.failed(err)
				r.fail(ctx, j, err, r.clock.now())
				r.end(j)
			}
			continue
		}
		if ended {
			g.primaries.close()
		}
		s.rouse()
		return
	}
}

// mostAsked is the number of primaries that are asked for one refresh, when one
// of them has answered: the newest of their versions is taken.
const mostAsked = 4

// refresh asks primaries in turn for a newer version of a zone.
func (r *refresher) refresh(ctx context.Context, j job) {
	var failures []error
	answered := false
	for n, i := range j.order {
		if answered && (n >= mostAsked || !r.claim(j.group, i)) {
			continue
		}
		got, err := j.group.primaries.clients[i].Refresh(ctx, xfr.Want{Zone: j.zone.name, Have: j.base, Any: j.any})
		if err == nil && got.Zone == nil {
			err = errors.New("the primary has sent no zone")
		}
		now := r.clock.now()
		if ctx.Err() != nil {
			failures = append(failures, ctx.Err())
			break
		}
		r.tried(j.group, i, err, now)
		switch {
		case err == nil && answered && got.Zone == j.base:
			// It has no newer version than the one before.
		case err == nil:
			if !r.succeed(&j, i, &got, now) {
				r.end(j)
				return
			}
			answered = true
		case answered && behind(err):
		default:
			r.counts.failed(err)
			failures = append(failures, err)
		}
	}
	if !answered {
		r.fail(ctx, j, errors.Join(failures...), r.clock.now())
	}
	r.end(j)
}

// behind reports whether a primary has an older version than ours, which is no
// failure where another has a newer one.
func behind(err error) bool {
	return reasonOf(err) == xfr.ReasonBackwards
}

// reasonOf returns the reason of the first of the errors of several primaries.
func reasonOf(err error) xfr.Reason {
	var t *xfr.TransferError
	if errors.As(err, &t) {
		return t.Reason
	}
	return xfr.ReasonOther
}

// claim reports whether a primary is to be asked beside another.
func (r *refresher) claim(g *group, primary int) bool {
	r.schedule.mu.Lock()
	defer r.schedule.mu.Unlock()
	return g.primaries.claim(primary, r.clock.now())
}

// tried notes whether a primary could be reached.
func (r *refresher) tried(g *group, primary int, err error, now instant) {
	r.schedule.mu.Lock()
	defer r.schedule.mu.Unlock()
	if g.primaries.tried(primary, err, now) {
		g.log.unreachable(g.Primaries[primary].Addr, g.queue.length, err)
	}
}

// succeed serves and keeps the version that a primary has sent, from which the
// job goes on. It returns false when the zone was removed or reset meanwhile.
func (r *refresher) succeed(j *job, primary int, got *xfr.Got, now instant) bool {
	s, z := r.schedule, j.zone
	var before *zonestore.Zone
	var gone, lists, recovered bool
	s.locked(func() {
		recovered = z.problem != nil
		if gone = z.removed || j.base != nil && z.have != j.base; !gone {
			before = z.have
			changed := z.renew(got.Zone, primary, now, r.bounds)
			lists = changed && z.isCatalog
		}
	})
	if gone {
		return false
	}

	if recovered {
		j.group.log.recovered(z.name, j.group.Primaries[primary].Addr, now)
	}
	fresh := got.Zone != j.base
	r.keeper.keep(z, got.Zone, now, fresh)
	if fresh {
		r.counts.transferred.Add(1)
		j.group.log.transferred(z.name, before, got.Zone, j.group.Primaries[primary].Addr, now)
		r.transferred(z)
	} else {
		r.counts.unchanged.Add(1)
	}
	if got.Outside > 0 {
		r.counts.outside.Add(uint64(got.Outside))
		j.group.log.outside(z.name, got, j.group.Primaries[primary].Addr, now)
	}
	if lists {
		r.relist()
	}
	j.base, j.any = got.Zone, false
	return true
}

// fail schedules another try.
func (r *refresher) fail(ctx context.Context, j job, problem error, now instant) {
	s, z := r.schedule, j.zone
	s.mu.Lock()
	defer s.mu.Unlock()
	if !z.removed && ctx.Err() == nil {
		again := z.problem != nil && reasonOf(z.problem) == reasonOf(problem)
		z.fail(problem, now, r.bounds)
		j.group.log.failed(z, problem, again, now)
	}
}

// end gives the zone of a job back.
func (r *refresher) end(j job) {
	s, z := r.schedule, j.zone
	var removed bool
	s.locked(func() {
		s.release(z)
		removed = z.removed
	})
	if removed {
		r.keeper.forget(z.group.store, z.name)
	}
}
