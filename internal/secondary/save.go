package secondary

import (
	"runtime"
	"sync"
	"time"

	"nullspf/internal/wire"
)

// saved notes whether the file of a zone was written.
func (s *Engine) saved(g *group, z *zone, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		delete(s.unsaved, z)
		return
	}
	s.counts.storeErrors.Add(1)
	if !z.removed {
		s.unsaved[z] = true
	}
	g.log.notSaved(z.name, err)
}

// save writes the zones whose files could not be written. It stops at the first
// that cannot be still.
func (s *Engine) save() {
	s.mu.Lock()
	list := make([]*zone, 0, len(s.unsaved))
	for z := range s.unsaved {
		list = append(list, z)
	}
	s.mu.Unlock()
	failed := make(map[*group]bool)
	for _, z := range list {
		s.mu.Lock()
		g, have, refreshed := z.group, z.have, z.refreshed
		if z.removed || have == nil {
			delete(s.unsaved, z)
		}
		if z.running || z.removed || have == nil || failed[g] {
			s.mu.Unlock()
			continue
		}
		// No worker has it meanwhile.
		u := z.urgency
		g.queue.remove(z)
		z.running = true
		s.mu.Unlock()
		err := g.store.save(have, time.Unix(0, refreshed))
		failed[g] = err != nil
		s.saved(g, z, err)
		s.mu.Lock()
		removed := z.removed
		if u != urgencyNone && !removed {
			z.group.queue.add(z, u)
		}
		s.release(z)
		s.mu.Unlock()
		if removed {
			s.forget(g.store, z.name)
		}
	}
}

// forget removes the file of a zone.
func (s *Engine) forget(st *store, name wire.Name) {
	if err := st.remove(name); err != nil {
		s.counts.storeErrors.Add(1)
		s.log.Error().Err(err).Stringer("zone", name).Msg("the file of a zone that is no longer ours could not be removed")
	}
}

// loadMost is the number of files that cannot be read that are logged one by
// one.
const loadMost = 20

// load reads the files of zones that are new, and serves those that have not
// expired. Nobody else knows the zones yet.
func (s *Engine) load(list []*zone) {
	var (
		work   sync.WaitGroup
		mu     sync.Mutex
		bad    int
		loaded int
		next   int
		start  = time.Now()
	)
	const batch = 64
	one := func(z *zone) {
		have, refreshed, err := z.group.store.load(z.name)
		if err != nil {
			mu.Lock()
			defer mu.Unlock()
			s.counts.storeErrors.Add(1)
			if bad++; bad <= loadMost {
				s.log.Warn().Err(err).Stringer("zone", z.name).Msg("a stored zone cannot be used; it is transferred again")
			}
			return
		}
		if have == nil {
			return
		}
		z.have = have
		if refreshed.After(start) {
			refreshed = start
		}
		s.schedule(z, refreshed)
		mu.Lock()
		defer mu.Unlock()
		loaded++
	}
	for range min(runtime.GOMAXPROCS(0), len(list)/batch+1) {
		work.Go(func() {
			for {
				mu.Lock()
				from := next
				next = min(next+batch, len(list))
				part := list[from:next]
				mu.Unlock()
				if len(part) == 0 {
					return
				}
				for _, z := range part {
					one(z)
				}
			}
		})
	}
	work.Wait()
	if bad > loadMost {
		s.log.Warn().Int("zones", bad-loadMost).Msg("further stored zones cannot be used; they are transferred again")
	}
	if loaded > 0 {
		s.log.Info().Int("zones", loaded).Dur("time", time.Since(start)).Msg("zones loaded from disk")
	}
}
