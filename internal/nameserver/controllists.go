package nameserver

import (
	"nullspf/internal/control"
	"nullspf/internal/wire"
)

// listZones are the block lists of a configuration.
type listZones struct {
	config *Config
	files  *listFiles
}

// all returns each block list once.
func (l listZones) all() (list []listZone) {
	told := make(map[wire.Name]bool)
	for _, b := range l.config.Blocks {
		for _, d := range b.DNSBL {
			z := listZone{trackingZone(d.Zone).apex(), l.files.open(d.File)}
			if !told[z.name] {
				told[z.name] = true
				list = append(list, z)
			}
		}
	}
	return list
}

func (l listZones) count() []control.ZoneCount {
	n := control.ZoneCount{Kind: control.DNSBL}
	for _, z := range l.all() {
		if z.file.index.Load() == nil {
			n.Waiting++
		} else {
			n.Serving++
		}
	}
	if n.Serving+n.Waiting == 0 {
		return nil
	}
	return []control.ZoneCount{n}
}

func (l listZones) each(yield func(*control.Zone) error) error {
	for _, z := range l.all() {
		if err := yield(&z.detail().Zone); err != nil {
			return err
		}
	}
	return nil
}

func (l listZones) zone(name wire.Name) controlledZone {
	for _, z := range l.all() {
		if z.name == name {
			return z
		}
	}
	return nil
}

// listZone is a block list.
type listZone struct {
	name wire.Name
	file *listFile
}

func (z listZone) apex() wire.Name { return z.name }

func (z listZone) detail() *control.ZoneDetail {
	d := &control.ZoneDetail{Zone: control.Zone{Name: z.name.Text(), Kind: control.DNSBL, State: control.Waiting}}
	if list := z.file.index.Load(); list != nil {
		d.State, d.Serial, d.Records = control.Serving, list.Serial, list.Len()
	}
	if fault := z.file.fault.Load(); fault != nil {
		d.Error = (*fault).Error()
	}
	return d
}

func (z listZone) records() func(func(*wire.Record) bool) { return nil }

func (z listZone) retransfer() error { return errNotTransferred(control.DNSBL) }
