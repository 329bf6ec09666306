package secondary

import (
	"nullspf/internal/wire"
	"nullspf/internal/xfr"
)

// Configure makes groups those that are served. Zones that stay keep all that
// is known of them. It returns when the zones that are on disk are served.
func (e *Engine) Configure(p *Prepared) {
	e.setting.Lock()
	defer e.setting.Unlock()
	e.catalogs.beside = p.beside
	s := &e.schedule
	s.mu.Lock()
	old := s.groups
	s.groups = make([]*group, len(p.groups))
	kept := make(map[*group]bool)
	for i := range p.groups {
		s.groups[i] = e.group(old, &p.groups[i], p.stores[i])
		kept[s.groups[i]] = true
	}
	s.mu.Unlock()
	// The catalog zones that are on disk say what else is there.
	e.set(e.wanted())
	e.set(e.wanted())
	now := e.clock.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, g := range old {
		if kept[g] {
			continue
		}
		g.log.flush(now)
		if g.closed = true; g.ended() {
			g.primaries.close()
		}
	}
}

// group returns the group of a configuration: one of those before, if it is the
// same. The lock of the schedule is held.
func (e *Engine) group(old []*group, c *Group, st *store) *group {
	for _, g := range old {
		if g.same(c) {
			g.Zones, g.Catalogs, g.Allow = c.Zones, c.Catalogs, c.Allow
			return g
		}
		if g.Store == c.Store {
			st = g.store
		}
	}
	return &group{
		Group: *c, store: st, log: groupLog{log: e.log, clock: &e.clock},
		primaries: newPrimaries(c.Primaries, func(p xfr.Primary) Refresher { return e.options.Connect(p, c.Limits, c.Transfers) }),
	}
}

// relist serves what the catalog zones list.
func (e *Engine) relist() {
	e.setting.Lock()
	defer e.setting.Unlock()
	e.set(e.wanted())
}

// wanted returns all zones that are to be served. setting is held.
func (e *Engine) wanted() places {
	s := &e.schedule
	var catalogs []catalog
	s.locked(func() {
		for _, g := range s.groups {
			for _, name := range g.Catalogs {
				if z := s.zones[name]; z != nil {
					catalogs = append(catalogs, catalog{z, g, z.have, z.lost})
				}
			}
		}
	})
	p := configured(s.groups)
	e.catalogs.place(p, catalogs, s.zones)
	return p
}

// set makes zones those that are served, by what has changed. setting is held,
// so nobody else adds or drops zones.
func (e *Engine) set(wanted places) {
	s := &e.schedule
	added := e.added(wanted)
	e.keeper.load(added, &e.options.Bounds)
	e.keeper.date(s.groups)

	var gone, reset []*zone
	now := e.clock.now()
	s.locked(func() {
		for name, z := range s.zones {
			p, ok := wanted[name]
			switch {
			case !ok:
				s.drop(z)
				e.keeper.drop(z)
				gone = append(gone, z)
			case e.move(z, p):
				s.reset(z, now)
				reset = append(reset, z)
			}
		}
		for _, z := range added {
			s.add(z, now)
		}
	})
	s.rouse()
	for _, z := range gone {
		e.keeper.forgetGone(z)
	}
	for _, z := range reset {
		e.keeper.forget(z.group.store, z.name)
	}
	if len(added)+len(gone)+len(reset) > 0 {
		e.log.Info().Int("added", len(added)).Int("removed", len(gone)).Int("reset", len(reset)).Int("zones", len(wanted)).Msg("the set of secondary zones has changed")
	}
}

// added makes zones of the places that have none yet, with slots in a table in
// which zones without a place no longer are. setting is held.
func (e *Engine) added(wanted places) (added []*zone) {
	zones := e.schedule.zones
	for name, p := range wanted {
		if zones[name] == nil {
			added = append(added, &zone{name: name, group: p.group, catalog: p.catalog, label: p.label, isCatalog: p.isCatalog})
		}
	}
	// Without new zones the table changes when others are gone.
	if len(added) > 0 || len(zones) > len(wanted) {
		names := make([]wire.Name, 0, len(wanted))
		for name := range wanted {
			names = append(names, name)
		}
		e.table.Set(names)
	}
	for _, z := range added {
		z.slot = e.table.Slot(z.name)
	}
	return added
}

// move puts a zone where it belongs now, and reports whether what is known of it
// is to be forgotten: its label in the catalog zone has changed (RFC 9432
// section 5.4), or it has become a catalog zone or ceased to be one. The lock of
// the schedule is held.
func (e *Engine) move(z *zone, p place) (reset bool) {
	reset = z.catalog != nil && p.catalog == z.catalog && z.label != 0 && p.label != z.label || z.isCatalog != p.isCatalog
	z.catalog, z.label, z.isCatalog = p.catalog, p.label, p.isCatalog
	if p.group != z.group {
		if p.group.store != z.group.store && z.have != nil {
			e.keeper.owe(z)
		}
		e.schedule.regroup(z, p.group)
	}
	return reset
}
