package nameserver

import (
	"fmt"
	"net/netip"

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
}

// read reads what a configuration names, and checks that it can be served
// together.
func (c *Config) read() (*serving, error) {
	s := &serving{config: c}
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
