package secondary

import (
	"time"

	"nullspf/internal/wire"
)

// set makes zones those that are served, by what has changed. setting is held,
// so nobody else writes s.zones.
func (s *Engine) set(wanted map[wire.Name]place) {
	var added []*zone
	for name, p := range wanted {
		if s.zones[name] == nil {
			added = append(added, &zone{
				name: name, group: p.group, catalog: p.catalog, label: p.label, isCatalog: p.isCatalog,
			})
		}
	}
	removed := 0
	for name := range s.zones {
		if _, ok := wanted[name]; !ok {
			removed++
		}
	}
	if len(added)+removed > 0 {
		names := make([]wire.Name, 0, len(wanted))
		for name := range wanted {
			names = append(names, name)
		}
		s.table.Set(names)
	}
	for _, z := range added {
		z.slot = s.table.Slot(z.name)
	}
	s.load(added)

	var gone, reset []*zone
	s.mu.Lock()
	now := time.Now()
	for name, z := range s.zones {
		p, ok := wanted[name]
		switch {
		case !ok:
			s.drop(z)
			gone = append(gone, z)
		case s.move(z, p):
			reset = append(reset, z)
		}
	}
	for _, z := range added {
		s.begin(z, now.UnixNano())
	}
	s.mu.Unlock()
	s.rouse()
	for _, z := range gone {
		s.forgetGone(z)
	}
	for _, z := range reset {
		s.forget(z.group.store, z.name)
	}
	if len(added)+len(gone)+len(reset) > 0 {
		s.log.Info().Int("added", len(added)).Int("removed", len(gone)).Int("reset", len(reset)).Int("zones", len(wanted)).Msg("zones of primaries")
	}
}

// begin has a zone served that is loaded, if it was on disk. mu is held.
func (s *Engine) begin(z *zone, now int64) {
	s.zones[z.name] = z
	switch {
	case z.have == nil:
	case z.expires <= now:
		z.expired = true
		z.group.log.expired(z, now)
	case z.isCatalog:
		z.slot.Serve(publicPart(z.have))
	default:
		z.slot.Serve(z.have)
	}
	// Changes may have been missed.
	z.next = now
	z.group.queue.add(z, z.timedUrgency())
	s.watch(z)
}

// drop gives a zone up. mu is held.
func (s *Engine) drop(z *zone) {
	delete(s.zones, z.name)
	delete(s.unsaved, z)
	z.removed = true
	z.group.queue.remove(z)
	s.timers.set(z, never)
}

// forgetGone removes the file of a zone that was given up, unless a worker has
// it, which does so then.
func (s *Engine) forgetGone(z *zone) {
	s.mu.Lock()
	running := z.running
	s.mu.Unlock()
	if !running {
		s.forget(z.group.store, z.name)
	}
}

// move puts a zone where it belongs now, and reports whether its state was
// reset: its label in the catalog zone has changed (RFC 9432 section 5.4). mu
// is held.
func (s *Engine) move(z *zone, p place) (reset bool) {
	reset = z.catalog != nil && p.catalog == z.catalog && p.label != z.label
	z.catalog, z.label = p.catalog, p.label
	if z.isCatalog != p.isCatalog {
		z.isCatalog = p.isCatalog
		reset = true
	}
	if p.group != z.group {
		u := z.urgency
		z.group.queue.remove(z)
		moved := p.group.Store != z.group.Store
		z.group, z.primary = p.group, 0
		if u != urgencyNone {
			z.group.queue.add(z, u)
		}
		if moved && z.have != nil {
			s.unsaved[z] = true
		}
	}
	if !reset {
		return false
	}
	z.slot.Serve(nil)
	z.have, z.expired, z.problem, z.failures = nil, false, nil, 0
	z.next = time.Now().UnixNano()
	s.ask(z, urgencyFirst)
	s.watch(z)
	return true
}
