package nameserver

import "nullspf/internal/wire"

// surroundings are names beside which there are tracking and parked zones.
type surroundings struct {
	tracking map[wire.Name]bool
	// above are the names above tracking and parked zones, each with one of
	// those.
	above map[wire.Name]wire.Name
}

func (s *serving) surroundings() *surroundings {
	around := &surroundings{tracking: make(map[wire.Name]bool), above: make(map[wire.Name]wire.Name)}
	add := func(zone wire.Name) {
		for up := zone; up != wire.Root; {
			up = up.Parent()
			around.above[up] = zone
		}
	}
	for _, b := range s.config.Blocks {
		for _, z := range b.Zones {
			apex := trackingZone(z).apex()
			around.tracking[apex] = true
			add(apex)
		}
	}
	if p := s.parked; p != nil {
		for i := range p.Len() {
			add(p.Name(i))
		}
		if p.CatalogName() != "" {
			add(p.CatalogName())
		}
	}
	return around
}

// beside is [secondary.Beside] for tracking and parked zones.
func (s *serving) beside(name wire.Name) wire.Name {
	around := s.around()
	for up := name; ; up = up.Parent() {
		served := around.tracking[up]
		if p := s.parked; p != nil && !served {
			_, served = p.Number(up)
			served = served || up == p.CatalogName()
		}
		if served {
			return up
		}
		if up == wire.Root {
			return around.above[name]
		}
	}
}
