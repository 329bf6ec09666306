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
func (s *serving) checkSecondary() error {
	c := s.config
	for i := range c.Secondary {
		g := &c.Secondary[i]
		for _, list := range [][]wire.Name{g.Zones, g.Catalogs} {
			for _, name := range list {
				if s.serves(name) {
					return fmt.Errorf("%s: secondary: %s is a parked or a tracking zone already", g.Position, name)
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
