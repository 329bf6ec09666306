package zonestore

import (
	"nullspf/internal/wire"
)

// Zone is one version of a zone with records of its own. It never changes.
type Zone struct {
	apex wire.Name
}

// Name returns the name of the zone's apex.
func (z *Zone) Name() wire.Name { return z.apex }
