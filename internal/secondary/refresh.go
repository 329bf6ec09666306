package secondary

import (
	"context"
	"errors"

	"nullspf/internal/zonestore"
)

// refresher does the jobs of a schedule.
type refresher struct {
	schedule *schedule
	keeper   *keeper
	counts   *counts
	clock    *clock
	bounds   *Bounds
	// transferred is told of a zone with a new version.
	transferred func(*zone)
	// relist is called when a catalog zone may list other zones than before.
	relist func()
}

// work brings zones of a group up to date until none waits.
func (r *refresher) work(ctx context.Context, g *group) {
	s := r.schedule
	for {
		s.mu.Lock()
		j, ok := s.take(g, r.clock.now())
		ended := g.ended()
		s.mu.Unlock()
		if ok {
			r.refresh(ctx, j)
			continue
		}
		if ended {
			g.primaries.close()
		}
		s.rouse()
		return
	}
}

// refresh asks primaries in turn for a newer version of a zone.
func (r *refresher) refresh(ctx context.Context, j job) {
	var failures []error
	for _, i := range j.order {
		got, err := j.group.primaries.clients[i].Refresh(ctx, j.zone.name, j.base)
		if err == nil && got == nil {
			err = errors.New("the primary has sent nothing")
		}
		now := r.clock.now()
		if ctx.Err() != nil {
			failures = append(failures, ctx.Err())
			break
		}
		r.tried(j.group, i, err, now)
		if err == nil {
			r.succeed(j, i, got, now)
			return
		}
		r.counts.failed(err)
		failures = append(failures, err)
	}
	r.fail(ctx, j, errors.Join(failures...), r.clock.now())
}

// tried notes whether a primary could be reached.
func (r *refresher) tried(g *group, primary int, err error, now instant) {
	r.schedule.mu.Lock()
	defer r.schedule.mu.Unlock()
	if g.primaries.tried(primary, err, now) {
		g.log.unreachable(g.Primaries[primary].Addr, g.queue.length, err)
	}
}

// succeed serves and keeps the version that a primary has sent.
func (r *refresher) succeed(j job, primary int, got *zonestore.Zone, now instant) {
	s, z := r.schedule, j.zone
	s.mu.Lock()
	if z.removed || j.base != nil && z.have != j.base {
		// It was removed or reset meanwhile.
		s.release(z)
		s.mu.Unlock()
		return
	}
	before := z.have
	changed := z.renew(got, primary, now, r.bounds)
	relisted := z.isCatalog && changed
	s.mu.Unlock()

	fresh := got != j.base
	r.keeper.keep(z, got, now, fresh)
	if fresh {
		r.counts.transferred.Add(1)
		j.group.log.transferred(z.name, before, got, j.group.Primaries[primary].Addr, now)
		r.transferred(z)
	} else {
		r.counts.unchanged.Add(1)
	}
	s.mu.Lock()
	s.release(z)
	removed := z.removed
	s.mu.Unlock()
	if removed {
		r.keeper.forget(z.group.store, z.name)
		return
	}
	if relisted {
		r.relist()
	}
}

// fail schedules another try.
func (r *refresher) fail(ctx context.Context, j job, problem error, now instant) {
	s, z := r.schedule, j.zone
	s.mu.Lock()
	defer s.mu.Unlock()
	if !z.removed && ctx.Err() == nil {
		z.fail(problem, now, r.bounds)
		j.group.log.failed(z, problem, now)
	}
	s.release(z)
}
