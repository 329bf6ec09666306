package nameserver

import (
	"errors"
	"fmt"
	"slices"

	"nullspf/internal/secondary"
	"nullspf/internal/wire"
)

// Secondary are zones of the same primaries.
type Secondary struct {
	// Position is FILE:LINE of the directive, for messages.
	Position string
	secondary.Group
}

// newSecondary returns the secondary of a server, without zones yet.
func (s *Server) newSecondary() *secondary.Engine {
	return secondary.New(secondary.Options{
		Logger:  s.log,
		Changed: func(zones []wire.Name) { s.notifier.Notify(zones) },
		Taken: func(zone wire.Name) bool {
			c := s.applied.Load()
			return c != nil && c.serves(zone)
		},
	})
}

// serves reports whether a name is a parked or a tracking zone.
func (c *Config) serves(zone wire.Name) bool {
	if p := c.Parked; p != nil && p.Zones != nil && (zone == p.Zones.CatalogName() || p.Zones.Version(zone) != nil) {
		return true
	}
	return trackingZones{c}.zone(zone) != nil
}

// groups returns the groups of primaries.
func (c *Config) groups() (list []secondary.Group) {
	for i := range c.Secondary {
		g := c.Secondary[i].Group
		g.Primaries = slices.Clone(g.Primaries)
		for j := range g.Primaries {
			g.Primaries[j].Local = c.localFor(g.Primaries[j].Addr.Addr())
		}
		list = append(list, g)
	}
	return list
}

// checkSecondary refuses groups that cannot be served together, and zones that
// are served otherwise.
func (c *Config) checkSecondary() error {
	for i := range c.Secondary {
		s := &c.Secondary[i]
		for _, list := range [][]wire.Name{s.Zones, s.Catalogs} {
			for _, name := range list {
				if c.serves(name) {
					return fmt.Errorf("%s - secondary: %s is a parked or a tracking zone already", s.Position, name)
				}
			}
		}
	}
	var fault *secondary.GroupError
	if err := secondary.CheckGroups(c.groups()); errors.As(err, &fault) {
		return fmt.Errorf("%s - %w", c.Secondary[fault.Index].Position, err)
	}
	return nil
}
