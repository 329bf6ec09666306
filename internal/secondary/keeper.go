package secondary

import (
	"errors"
	"runtime"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"nullspf/internal/wire"
	"nullspf/internal/zonestore"
)

// keeper keeps the stores of all groups up with what is served.
type keeper struct {
	schedule *schedule
	counts   *counts
	log      zerolog.Logger
	clock    *clock
	guard    *guard
	// unsaved are zones whose files could not be written. The lock of the
	// schedule guards it.
	unsaved map[*zone]bool
	// dated is the clock as redate saw it last.
	dated clock
}

// owe notes a zone whose file is to be written. The lock of the schedule is
// held, as for drop.
func (k *keeper) owe(z *zone) { k.unsaved[z] = true }

// drop forgets that the file of a zone is to be written.
func (k *keeper) drop(z *zone) { delete(k.unsaved, z) }

// keep writes the file of a zone that was refreshed; fresh: its version is a new
// one.
func (k *keeper) keep(z *zone, version *zonestore.Zone, refreshed instant, fresh bool) {
	k.schedule.mu.Lock()
	g := z.group
	write := fresh || k.unsaved[z]
	k.schedule.mu.Unlock()
	if !write && g.store.touch(z.name, k.clock.day(refreshed)) == nil {
		return
	}
	k.saved(g, z, k.save(g.store, version, refreshed), refreshed)
}

// save writes the file of a zone.
func (k *keeper) save(st *store, version *zonestore.Zone, refreshed instant) error {
	return k.guard.run("store", func() error { return st.save(version, k.clock.day(refreshed)) })
}

// saved notes whether the file of a zone was written.
func (k *keeper) saved(g *group, z *zone, err error, now instant) {
	k.schedule.mu.Lock()
	defer k.schedule.mu.Unlock()
	if err == nil {
		if z.group.store == g.store {
			delete(k.unsaved, z)
		}
		return
	}
	if !z.removed {
		k.unsaved[z] = true
	}
	if errors.Is(err, errLater) {
		return // which was logged when it was read
	}
	k.counts.storeErrors.Add(1)
	g.log.notSaved(z.name, err, now)
}

// redate owes the files of all zones that were refreshed when the time of day was
// set ahead: by the clock as it is now, what stands in them is too long ago. One
// that was set back leaves them in the future, which counts as now. It is for one
// goroutine.
func (k *keeper) redate() {
	jump := k.dated.jump()
	if jump == 0 {
		return
	}
	k.schedule.mu.Lock()
	defer k.schedule.mu.Unlock()
	k.datingDue(jump < 0)
	if jump < 0 {
		return
	}
	for _, z := range k.schedule.zones {
		if z.have != nil && !z.filed {
			k.owe(z)
		}
	}
}

// retry writes the zones whose files could not be written. Of each group it
// stops at the first that cannot be still.
func (k *keeper) retry(now instant) {
	s := k.schedule
	s.mu.Lock()
	list := make([]*zone, 0, len(k.unsaved))
	for z := range k.unsaved {
		list = append(list, z)
	}
	s.mu.Unlock()
	failed := make(map[*group]bool)
	for _, z := range list {
		s.mu.Lock()
		g, have, refreshed := z.group, z.have, z.refreshed
		if z.removed || have == nil {
			delete(k.unsaved, z)
		}
		if z.running || z.removed || have == nil || failed[g] {
			s.mu.Unlock()
			continue
		}
		waited := s.borrow(z)
		s.mu.Unlock()
		err := k.save(g.store, have, refreshed)
		failed[g] = err != nil && !errors.Is(err, errLater)
		k.saved(g, z, err, now)
		s.mu.Lock()
		s.giveBack(z, waited)
		removed := z.removed
		s.mu.Unlock()
		if removed {
			k.forget(g.store, z.name)
		}
	}
}

// sync writes to the disk what the stores of groups have saved.
func (k *keeper) sync(groups []*group) {
	for _, g := range groups {
		if err := g.store.sync(); err != nil {
			k.log.Error().Err(err).Str("store", g.Store).Msg("copies of zones could not be synced to disk; it is tried again")
		}
	}
}

// forget removes the file of a zone.
func (k *keeper) forget(st *store, name wire.Name) {
	if err := st.remove(name); err != nil {
		k.counts.storeErrors.Add(1)
		k.log.Error().Err(err).Str("zone", name.Text()).Msg("the copy of a removed zone could not be deleted; delete it by hand")
	}
}

// forgetGone removes the file of a zone that was given up, unless a worker has
// it, which does so then.
func (k *keeper) forgetGone(z *zone) {
	k.schedule.mu.Lock()
	running := z.running
	k.schedule.mu.Unlock()
	if !running {
		k.forget(z.group.store, z.name)
	}
}

const (
	// loadMost is the number of files that cannot be read that are logged one by
	// one.
	loadMost = 20
	// loadBatch is the number of files that are read in one go.
	loadBatch = 64
)

// load reads the files of zones that are new. Nobody else knows the zones yet.
func (k *keeper) load(list []*zone, b *Bounds) {
	var (
		work        sync.WaitGroup
		mu          sync.Mutex
		loaded, bad int
		next        int
		owed        []*zone
		start       = k.clock.now()
	)
	for _, z := range list {
		k.readDates(z.group.store)
	}
	batch := func() []*zone {
		mu.Lock()
		defer mu.Unlock()
		from := next
		next = min(next+loadBatch, len(list))
		return list[from:next]
	}
	one := func(z *zone) {
		var have *zonestore.Zone
		var refreshed time.Time
		err := k.guard.run("load", func() (err error) {
			have, refreshed, err = z.group.store.load(z.name, z.group.Limits.Bytes)
			return err
		})
		again := err == nil && have != nil && k.restore(z, have, refreshed, b)
		mu.Lock()
		defer mu.Unlock()
		if d := &z.group.store.dates; have != nil && refreshed.After(d.latest) {
			d.latest = refreshed
		}
		if again {
			owed = append(owed, z)
		}
		switch {
		case err != nil:
			z.lost = z.isCatalog
			k.counts.storeErrors.Add(1)
			if bad++; bad <= loadMost {
				k.log.Warn().Err(err).Str("zone", z.name.Text()).Msg("the stored copy of a zone cannot be used; the zone is transferred again")
			}
		case have != nil:
			loaded++
		}
	}
	for range min(runtime.GOMAXPROCS(0), len(list)/loadBatch+1) {
		work.Go(func() {
			for part := batch(); len(part) > 0; part = batch() {
				for _, z := range part {
					one(z)
				}
			}
		})
	}
	work.Wait()
	k.schedule.locked(func() {
		for _, z := range owed {
			k.owe(z)
		}
	})
	if bad > loadMost {
		k.log.Warn().Int("zones", bad-loadMost).Msg("further stored copies cannot be used; the zones are transferred again")
	}
	if loaded > 0 {
		k.log.Info().Int("zones", loaded).Stringer("time", k.clock.now().sub(start).Round(time.Millisecond)).Msg("zones loaded from their stored copies")
	}
}
