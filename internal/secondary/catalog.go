package secondary

import (
	"fmt"
	"hash/maphash"

	"github.com/rs/zerolog"

	"nullspf/internal/wire"
	"nullspf/internal/xfr"
	"nullspf/internal/zonestore"
)

// place says where a zone belongs.
type place struct {
	group *group
	// catalog is the zone that lists it, with what label; nil when the
	// configuration names it.
	catalog   *zone
	label     uint64
	isCatalog bool
}

// places say which zones are to be served.
type places map[wire.Name]place

// configured returns the places of the zones that the configuration names.
func configured(groups []*group) places {
	p := make(places)
	for _, g := range groups {
		for _, name := range g.Zones {
			p[name] = place{group: g}
		}
		for _, name := range g.Catalogs {
			p[name] = place{group: g, isCatalog: true}
		}
	}
	return p
}

// catalog is a catalog zone with the version that it has now, nil before the
// first.
type catalog struct {
	zone    *zone
	group   *group
	version *zonestore.Zone
	// lost: what it lists is not known.
	lost bool
}

// consumer finds out which zones catalog zones list (RFC 9432).
type consumer struct {
	log    zerolog.Logger
	counts *counts
	// beside finds zones that are served otherwise; nil is none.
	beside Beside
	// most is the number of zones that a catalog zone may list.
	most int
}

// maxEmptied is the greatest number of members that a catalog zone may lose all
// at once.
const maxEmptied = 10

// place adds the members of catalog zones to places that have what the
// configuration names. served are the zones until now: a zone stays with the
// catalog zone that it belongs to; else the first one has it.
func (c *consumer) place(p places, catalogs []catalog, served map[wire.Name]*zone) {
	count := make(map[*zone]int)
	for _, z := range served {
		if z.catalog != nil {
			count[z.catalog]++
		}
	}
	lists := make([][]xfr.Member, len(catalogs))
	for i, k := range catalogs {
		var ok bool
		if lists[i], ok = c.members(k, count[k.zone]); !ok {
			p.stay(k, served)
		}
	}
	t := territoryOf(p, c.beside)
	var skipped skippedMembers
	for _, stays := range []bool{true, false} {
		for i, k := range catalogs {
			for _, m := range lists[i] {
				z := served[m.Zone]
				if (z != nil && z.catalog == k.zone) == stays {
					p.add(t, k, m, &skipped)
				}
			}
		}
	}
	for _, k := range catalogs {
		if k.lost {
			c.adopt(p, t, k, served)
		}
	}
	skipped.report(&c.log)
}

// adopt makes the zones in the store of a catalog zone its members, as long as
// what it lists is not known: each has a file, and is served from it.
func (c *consumer) adopt(p places, t *territory, k catalog, served map[wire.Name]*zone) {
	adopt := func(name wire.Name) bool {
		_, placed := p[name]
		if !placed {
			p[name] = place{group: k.group, catalog: k.zone}
		}
		return !placed
	}
	known := false
	for name, z := range served {
		if z.group == k.group && z.catalog != nil && z.label == 0 {
			known = true
			adopt(name)
		}
	}
	if known {
		return
	}
	names, err := k.group.store.zones()
	n := 0
	for _, name := range names {
		if n < c.most && t.refuse(name, k.group) == "" && adopt(name) {
			n++
		}
	}
	if n > 0 || err != nil {
		c.log.Warn().Err(err).Str("catalog", k.zone.name.Text()).Int("zones", n).
			Msg("the stored catalog zone cannot be used: all zones in its store are served until a primary sends it")
	}
}

// members returns what a catalog zone lists; ok is false when it must not be
// processed. before is the number of its members until now.
func (c *consumer) members(k catalog, before int) (list []xfr.Member, ok bool) {
	if k.version == nil {
		return nil, false
	}
	list, err := xfr.ReadCatalog(k.version, c.most)
	if err == nil && len(list) == 0 && before > maxEmptied {
		err = fmt.Errorf("%w: it lists no zone, but has listed %d; to remove them all, remove the catalog zone from the configuration", xfr.ErrCatalog, before)
	}
	if err != nil {
		c.counts.catalogErrors.Add(1)
		c.log.Error().Err(err).Str("catalog", k.zone.name.Text()).Uint32("serial", k.version.Serial()).Msg("the catalog zone is not followed; its zones stay as they are")
		return nil, false
	}
	return list, true
}

// stay leaves the members of a catalog zone as they are.
func (p places) stay(k catalog, served map[wire.Name]*zone) {
	for name, z := range served {
		if _, placed := p[name]; z.catalog == k.zone && !placed {
			p[name] = place{group: k.group, catalog: k.zone, label: z.label}
		}
	}
}

var labelSeed = maphash.MakeSeed()

// add adds a member of a catalog zone, unless it may not be one.
func (p places) add(t *territory, k catalog, m xfr.Member, skipped *skippedMembers) {
	other, placed := p[m.Zone]
	why := ""
	switch {
	case placed && other.isCatalog:
		why = "it is a catalog zone"
	case placed && other.catalog == nil:
		why = "the configuration names it"
	case placed:
		why = "another catalog zone lists it"
	default:
		why = t.refuse(m.Zone, k.group)
	}
	if why != "" {
		skipped.add(k.zone.name, m.Zone, why)
	} else {
		p[m.Zone] = place{group: k.group, catalog: k.zone, label: maphash.String(labelSeed, m.Label)}
		t.add(m.Zone, p[m.Zone])
	}
}

// skippedMembers counts members that are left out.
type skippedMembers struct {
	count int
	first []string
}

func (k *skippedMembers) add(catalog, zone wire.Name, why string) {
	if k.count++; k.count <= 5 {
		k.first = append(k.first, fmt.Sprintf("%s of %s: %s", zone.Text(), catalog.Text(), why))
	}
}

func (k *skippedMembers) report(log *zerolog.Logger) {
	if k.count > 0 {
		log.Warn().Int("zones", k.count).Strs("first", k.first).Msg("members of catalog zones are left out; allow takes those above and below other zones")
	}
}
