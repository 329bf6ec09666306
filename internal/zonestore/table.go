package zonestore

import (
	"sync"
	"sync/atomic"

	"nullspf/internal/wire"
)

// Table holds zones that come, go and get new versions while they are served,
// such as those of a secondary. Queries are answered without a lock.
type Table struct {
	// mu is held while the set of zones changes.
	mu      sync.Mutex
	current atomic.Pointer[tableVersion]
}

// tableVersion is a set of zones; it never changes, its slots do.
type tableVersion struct {
	index *nameIndex
	slots []*Slot // by number in index
}

// Slot is the place of a zone in a table.
type Slot struct {
	zone atomic.Pointer[Zone]
}

// Zone returns the version that is served, nil when there is none.
func (s *Slot) Zone() *Zone { return s.zone.Load() }

// Serve makes a version the one that is served from now on. With nil, queries
// are answered with SERVFAIL.
func (s *Slot) Serve(z *Zone) { s.zone.Store(z) }

// Set makes names the zones of the table. Those that were in it before keep
// their slots, new ones are served once they have a version. A name that stands
// twice counts once.
func (t *Table) Set(names []wire.Name) {
	t.mu.Lock()
	defer t.mu.Unlock()
	old := t.current.Load()
	v := &tableVersion{index: newIndex(len(names)), slots: make([]*Slot, 0, len(names))}
	for _, name := range names {
		if v.index.Add(name) != nil {
			continue
		}
		s := old.slot(name)
		if s == nil {
			s = new(Slot)
		}
		v.slots = append(v.slots, s)
	}
	t.current.Store(v)
}

// Slot returns the place of a zone, nil when the table has no such zone.
func (t *Table) Slot(name wire.Name) *Slot { return t.current.Load().slot(name) }

func (v *tableVersion) slot(name wire.Name) *Slot {
	if v == nil {
		return nil
	}
	i, ok := v.index.Number(name)
	if !ok {
		return nil
	}
	return v.slots[i]
}

// Len returns the number of zones.
func (t *Table) Len() int {
	v := t.current.Load()
	if v == nil {
		return 0
	}
	return len(v.slots)
}

// Find returns the zone that QNAME is in, and how many labels its name has, at
// most so many; nil when there is none.
func (t *Table) Find(r *Reply, most int) (s *Slot, labels int) {
	v := t.current.Load()
	if v == nil {
		return nil, 0
	}
	i, labels, ok := v.index.Find(r, most)
	if !ok {
		return nil, 0
	}
	return v.slots[i], labels
}
