package nameserver

import (
	"nullspf/internal/control"
	"nullspf/internal/wire"
	"nullspf/internal/zonestore"
)

// trackingZones are the tracking zones of a configuration.
type trackingZones struct{ config *Config }

func (t trackingZones) count() []control.ZoneCount {
	n := 0
	for _, b := range t.config.Blocks {
		n += len(b.Zones)
	}
	if n == 0 {
		return nil
	}
	return []control.ZoneCount{{Kind: control.Tracking, Serving: n}}
}

func (t trackingZones) each(yield func(*control.Zone) error) error {
	for _, b := range t.config.Blocks {
		for _, name := range b.Zones {
			if err := yield(trackingZone(name).summary()); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t trackingZones) zone(name wire.Name) controlledZone {
	for _, b := range t.config.Blocks {
		for _, z := range b.Zones {
			if trackingZone(z).apex() == name {
				return trackingZone(z)
			}
		}
	}
	return nil
}

// trackingZone is the name of a tracking zone, without final dot. Its content
// is made when it is asked for.
type trackingZone string

func (z trackingZone) summary() *control.Zone {
	return &control.Zone{Name: string(z), Kind: control.Tracking, State: control.Serving, Serial: trackSerial}
}

func (z trackingZone) apex() wire.Name {
	n, _ := wire.ParseName(string(z)) // the configuration is checked
	return n
}

func (z trackingZone) detail() *control.ZoneDetail { return &control.ZoneDetail{Zone: *z.summary()} }

func (z trackingZone) records() func(func(*wire.Record) bool) { return nil }

func (z trackingZone) retransfer() error { return errNotTransferred(control.Tracking) }

// parkedZones are the parked zones and their catalog zone.
type parkedZones struct{ *zonestore.Parked }

func (p parkedZones) count() []control.ZoneCount {
	counts := []control.ZoneCount{{Kind: control.Parked, Serving: p.Len()}}
	if p.CatalogName() != "" {
		counts = append(counts, control.ZoneCount{Kind: control.Catalog, Serving: 1})
	}
	return counts
}

func (p parkedZones) each(yield func(*control.Zone) error) error {
	z := control.Zone{Kind: control.Parked, State: control.Serving}
	for i := range p.Len() {
		z.Name, z.Serial = p.Name(i).Text(), p.Serial(i)
		if err := yield(&z); err != nil {
			return err
		}
	}
	if catalog := p.CatalogName(); catalog != "" {
		z.Name, z.Kind, z.Serial = catalog.Text(), control.Catalog, p.CatalogSerial()
		return yield(&z)
	}
	return nil
}

func (p parkedZones) zone(name wire.Name) controlledZone {
	if name == p.CatalogName() {
		return parkedZone{name, control.Catalog, p.Catalog()}
	}
	if v := p.Version(name); v != nil {
		return parkedZone{name, control.Parked, v}
	}
	return nil
}

// parkedZone is a version of a parked zone.
type parkedZone struct {
	name    wire.Name
	kind    control.Kind
	version interface {
		Serial() uint32
		Records(yield func(*wire.Record) bool)
	}
}

func (z parkedZone) apex() wire.Name { return z.name }

func (z parkedZone) detail() *control.ZoneDetail {
	return &control.ZoneDetail{
		Zone:    control.Zone{Name: z.name.Text(), Kind: z.kind, State: control.Serving, Serial: z.version.Serial()},
		Records: countRecords(z.version.Records),
	}
}

func (z parkedZone) records() func(func(*wire.Record) bool) { return z.version.Records }

func (z parkedZone) retransfer() error { return errNotTransferred(z.kind) }
