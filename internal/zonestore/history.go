package zonestore

import (
	"cmp"
	"slices"

	"nullspf/internal/wire"
)

// Limits on what is kept of earlier versions.
const (
	maxGenerations = 8
	// minPast zones may be kept in any case, besides as many as there are.
	minPast = 100_000
)

// history are earlier versions of the zones of a set, the newest first.
type history []generation

// generation is what a set had that was followed by a newer one, as far as it
// was something else.
type generation struct {
	variants []parkedVariant
	// zones are in the order of their numbers.
	zones []pastZone
	// catalog is the serial number of the catalog zone, to which added was added
	// and from which removed was removed then.
	catalog        uint32
	added, removed []wire.Name
}

// pastZone is an earlier version of the zone that has a number now.
type pastZone struct {
	number uint32
	parkedZone
}

// Succession is how one set differs from the one before.
type Succession struct {
	// Changed are the numbers of the zones with another serial number or none
	// before; Removed is the number of those that are gone.
	Changed []uint32
	Removed int
	// Catalog: the catalog zone has another serial number.
	Catalog bool
}

// Succeed makes p, which is not in use yet, the successor of another set: it
// takes over its history and adds what has changed. Without old, all is new and
// nothing has changed.
func (p *Parked) Succeed(old *Parked) Succession {
	var s Succession
	if old == nil {
		return s
	}
	const gone = ^uint32(0)
	numbers := make([]uint32, len(old.zones)) // from old to new
	kept := make([]bool, len(p.zones))
	g := generation{variants: old.variants, catalog: old.catalog.serial}
	for i, was := range old.zones {
		name := old.index.name(uint32(i))
		n, ok := p.index.Number(wire.Name(name))
		if !ok {
			numbers[i] = gone
			s.Removed++
			g.removed = append(g.removed, wire.Name(name))
			continue
		}
		numbers[i] = uint32(n)
		kept[n] = true
		if p.zones[n].serial != was.serial {
			s.Changed = append(s.Changed, uint32(n))
			g.zones = append(g.zones, pastZone{uint32(n), was})
		}
	}
	for n, was := range kept {
		if !was {
			s.Changed = append(s.Changed, uint32(n))
			g.added = append(g.added, p.index.Name(n))
		}
	}
	slices.Sort(s.Changed)
	s.Catalog = p.catalog.name != "" && (p.catalog.name != old.catalog.name || p.catalog.serial != old.catalog.serial)
	if p.catalog.name != old.catalog.name {
		g.added, g.removed = nil, nil
	}

	if len(g.zones) > 0 || s.Catalog {
		p.history = append(p.history, g)
	}
	for _, past := range old.history {
		renumbered := past
		renumbered.zones = nil
		for _, z := range past.zones {
			if z.number = numbers[z.number]; z.number != gone {
				renumbered.zones = append(renumbered.zones, z)
			}
		}
		p.history = append(p.history, renumbered)
	}
	p.trim()
	return s
}

// trim forgets the oldest generations.
func (p *Parked) trim() {
	room := len(p.zones) + minPast
	for i, g := range p.history {
		if room -= len(g.zones) + len(g.added) + len(g.removed); i == maxGenerations || room < 0 {
			p.history = p.history[:i:i]
			return
		}
	}
}

// Earlier returns the version of a zone that had a serial number, nil when it
// is not kept.
func (p *Parked) Earlier(zone wire.Name, serial uint32) *ParkedVersion {
	number, ok := p.index.Number(zone)
	if !ok {
		return nil
	}
	for i := range p.history {
		g := &p.history[i]
		at, ok := slices.BinarySearchFunc(g.zones, uint32(number), func(z pastZone, n uint32) int { return cmp.Compare(z.number, n) })
		if ok && g.zones[at].serial == serial {
			return &ParkedVersion{zone, serial, &g.variants[g.zones[at].variant]}
		}
	}
	return nil
}
