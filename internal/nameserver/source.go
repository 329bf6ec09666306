package nameserver

import (
	"nullspf/internal/wire"
	"nullspf/internal/xfr"
	"nullspf/internal/zonestore"
)

// transferSource are the zones of a server that can be transferred.
type transferSource Server

func (s *Server) source() *transferSource { return (*transferSource)(s) }

// Version implements [xfr.Source].
func (s *transferSource) Version(zone wire.Name) xfr.Version {
	if p := s.serving.Load().parked; p != nil {
		if v := p.Version(zone); v != nil {
			return v
		}
		if zone == p.CatalogName() {
			return catalogVersion{p.Catalog()}
		}
	}
	return s.secondary.Version(zone)
}

// Earlier implements [xfr.Source].
func (s *transferSource) Earlier(zone wire.Name, serial uint32) xfr.Version {
	p := s.serving.Load().parked
	if p == nil {
		return nil
	}
	if zone == p.CatalogName() {
		if v := p.EarlierCatalog(serial); v != nil {
			return catalogVersion{v}
		}
		return nil
	}
	if v := p.Earlier(zone, serial); v != nil {
		return v
	}
	return nil
}

// catalogVersion is a version of a catalog zone that knows its differences.
type catalogVersion struct{ *zonestore.CatalogVersion }

// Since implements [xfr.Difference].
func (v catalogVersion) Since(old xfr.Version) (removed, added func(yield func(*wire.Record) bool)) {
	return v.CatalogVersion.Since(old.(catalogVersion).CatalogVersion)
}
