package nameserver

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"

	"nullspf/internal/secondary"
	"nullspf/internal/wire"
	"nullspf/internal/zonestore"
	"nullspf/nolisting"
)

// serving is a configuration with what was read for it. It never changes.
// Secondary zones, which do, are those of [Server].
type serving struct {
	config *Config
	// parked are the zones of [Config.Parked]; nil is none.
	parked *zonestore.Parked
	// smtp is nil when there is no SMTP listener.
	smtp *nolisting.ListenerSettings
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
	var err error
	if s.smtp, err = c.smtp(); err != nil {
		return nil, err
	}
	if p := c.Parked; p != nil {
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

// serves reports whether a name is a parked or a tracking zone, or a block list.
func (s *serving) serves(zone wire.Name) bool {
	if p := s.parked; p != nil && (zone == p.CatalogName() || p.Version(zone) != nil) {
		return true
	}
	isList := func(d DNSBL) bool { return trackingZone(d.Zone).apex() == zone }
	if slices.ContainsFunc(s.config.Blocks, func(b Block) bool { return slices.ContainsFunc(b.DNSBL, isList) }) {
		return true
	}
	return trackingZones{s.config}.zone(zone) != nil
}

// checkSecondary refuses groups that cannot be served together, and zones that
// are served otherwise.
func (s *serving) checkSecondary() error {
	c := s.config
	for i := range c.Secondary {
		g := &c.Secondary[i]
		for _, list := range [][]wire.Name{g.Zones, g.Catalogs} {
			for _, name := range list {
				if s.serves(name) {
					return fmt.Errorf("%s: secondary: %s is a parked or a tracking zone, or a block list, already", g.Position, name)
				}
			}
		}
	}
	var fault *secondary.GroupError
	if err := secondary.CheckGroups(c.groups()); errors.As(err, &fault) {
		return fmt.Errorf("%s: %w", c.Secondary[fault.Index].Position, err)
	}
	return nil
}
