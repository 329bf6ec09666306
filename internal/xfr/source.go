package xfr

import (
	"nullspf/internal/wire"
	"nullspf/internal/zonestore"
)

// Version is one version of a zone: a [zonestore.Zone], or a parked one.
type Version interface {
	// Serial returns the serial number.
	Serial() uint32
	// Records yields all records, the SOA first and only there. The record and
	// its data are valid until yield returns.
	Records(yield func(*wire.Record) bool)
}

// Difference is a version that knows how it differs from an earlier one without
// comparing all records.
type Difference interface {
	Version
	// Since returns the records that old has and this version has not, and
	// those that it has instead, the SOA first in both.
	Since(old Version) (removed, added func(yield func(*wire.Record) bool))
}

// Source finds the zones that can be transferred. It is used by many goroutines
// at once.
type Source interface {
	// Version returns the version of a zone that is served, nil when the zone
	// is none of ours or has nothing to serve.
	Version(zone wire.Name) Version
	// Earlier returns the version of a zone that had a serial number, nil when
	// it is not kept.
	Earlier(zone wire.Name, serial uint32) Version
}

var _ Version = (*zonestore.Zone)(nil)
