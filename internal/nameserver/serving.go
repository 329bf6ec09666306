package nameserver

import (
	"fmt"
	"net/netip"
	"sync"

	"nullspf/internal/wire"
	"nullspf/internal/zonestore"
)

// serving is a configuration with what was read for it. It never changes. The
// zones of primaries, which do, are those of [Server].
type serving struct {
	config *Config
	// parked are the zones of [Config.Parked]; nil is none.
	parked *zonestore.Parked
	// listen are the addresses with their real ports, sorted.
	listen []netip.AddrPort
	// around is found out when it is asked for.
	around func() *surroundings
}

// read reads what a configuration names, and checks that it can be served
// together.
func (c *Config) read() (*serving, error) {
	s := &serving{config: c}
	s.around = sync.OnceValue(s.surroundings)
	if p := c.Parked; p != nil {
		var err error
		if s.parked, err = zonestore.LoadParked(p.Dir); err != nil {
			return nil, fmt.Errorf("%s: parked: %w", p.Position, err)
		}
	}
	return s, s.checkSecondary()
}

// addresses returns where it listens, as text.
func (s *serving) addresses() []string {
	list := make([]string, len(s.listen))
	for i, at := range s.listen {
		list[i] = at.String()
	}
	return list
}

// serves reports whether a name is a parked or a tracking zone.
func (s *serving) serves(zone wire.Name) bool {
	if p := s.parked; p != nil && (zone == p.CatalogName() || p.Version(zone) != nil) {
		return true
	}
	return trackingZones{s.config}.zone(zone) != nil
}

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
