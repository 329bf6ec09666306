package secondary

import (
	"errors"
	"fmt"
	"hash/maphash"
	"reflect"
	"time"

	"nullspf/internal/wire"
	"nullspf/internal/xfr"
)

// CheckGroups returns why groups cannot be served together.
func CheckGroups(groups []Group) error {
	zones := make(map[wire.Name]bool)
	stores := make(map[string]bool)
	for i := range groups {
		g := &groups[i]
		switch {
		case len(g.Zones)+len(g.Catalogs) == 0:
			return errors.New("secondary: a group has neither zones nor catalog zones")
		case len(g.Primaries) == 0 || len(g.Primaries) > 255:
			return errors.New("secondary: a group has from 1 to 255 primaries")
		case g.Store == "":
			return errors.New("secondary: a group has no folder for its zones")
		case stores[g.Store]:
			return fmt.Errorf("secondary: two groups have the store %s; give each its own", g.Store)
		case g.Transfers < 1:
			return errors.New("secondary: a group is to have at least one transfer at a time")
		}
		stores[g.Store] = true
		for _, list := range [][]wire.Name{g.Zones, g.Catalogs} {
			for _, name := range list {
				if zones[name] {
					return fmt.Errorf("secondary: zone %s is there twice", name)
				}
				zones[name] = true
			}
		}
	}
	return nil
}

// Prepared are groups whose folders are there.
type Prepared struct {
	groups []Group
	stores []*store
}

// Prepare does all of [Engine.Configure] that can fail.
func Prepare(groups []Group) (*Prepared, error) {
	if err := CheckGroups(groups); err != nil {
		return nil, err
	}
	p := &Prepared{groups: groups}
	for i := range groups {
		st, err := openStore(groups[i].Store)
		if err != nil {
			return nil, err
		}
		p.stores = append(p.stores, st)
	}
	return p, nil
}

// Configure makes groups those that are served. Zones that stay keep all that
// is known of them. It returns when the zones that are on disk are served.
func (s *Engine) Configure(p *Prepared) {
	s.setting.Lock()
	defer s.setting.Unlock()
	s.mu.Lock()
	old := s.groups
	s.groups = make([]*group, len(p.groups))
	for i := range p.groups {
		s.groups[i] = s.group(old, &p.groups[i], p.stores[i])
	}
	kept := make(map[*group]bool)
	for _, g := range s.groups {
		kept[g] = true
	}
	s.mu.Unlock()
	// The catalog zones that are on disk say what else is there.
	s.set(s.wanted())
	s.set(s.wanted())
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, g := range old {
		if kept[g] {
			continue
		}
		g.log.flush(time.Now())
		if g.closed = true; g.running == 0 {
			g.close()
		}
	}
}

// group returns the group of a configuration: one of those before, if it is the
// same. mu is held.
func (s *Engine) group(old []*group, c *Group, st *store) *group {
	for _, g := range old {
		if g.Store != c.Store {
			continue
		}
		st = g.store
		if reflect.DeepEqual(g.Primaries, c.Primaries) && g.Limits == c.Limits && g.Transfers == c.Transfers {
			g.Zones, g.Catalogs = c.Zones, c.Catalogs
			return g
		}
	}
	g := &group{Group: *c, store: st, reach: make([]reach, len(c.Primaries)), log: newFailureLog(s.log)}
	for _, p := range c.Primaries {
		g.clients = append(g.clients, s.options.Connect(p, c.Limits, c.Transfers))
	}
	return g
}

// place says where a zone belongs.
type place struct {
	group     *group
	catalog   *zone
	label     uint64
	isCatalog bool
}

var labelSeed = maphash.MakeSeed()

// wanted returns all zones that are to be served. setting is held.
func (s *Engine) wanted() map[wire.Name]place {
	wanted := make(map[wire.Name]place, len(s.zones))
	for _, g := range s.groups {
		for _, name := range g.Zones {
			wanted[name] = place{group: g}
		}
		for _, name := range g.Catalogs {
			wanted[name] = place{group: g, isCatalog: true}
		}
	}
	// A zone stays with the catalog zone that it belongs to; then the first one
	// has it.
	var skipped skippedMembers
	lists := s.members(wanted)
	for _, pass := range []bool{true, false} {
		for _, l := range lists {
			for _, m := range l.members {
				z := s.zones[m.Zone]
				if stays := z != nil && z.catalog == l.catalog; stays == pass {
					s.want(wanted, l, m, &skipped)
				}
			}
		}
	}
	skipped.report(s)
	return wanted
}

// memberList are the members of a catalog zone.
type memberList struct {
	catalog *zone
	group   *group
	members []xfr.Member
}

// members reads all catalog zones. The members of one that must not be processed
// are put into wanted as they are.
func (s *Engine) members(wanted map[wire.Name]place) (lists []memberList) {
	count := make(map[*zone]int)
	for _, z := range s.zones {
		if z.catalog != nil {
			count[z.catalog]++
		}
	}
	for _, g := range s.groups {
		for _, name := range g.Catalogs {
			catalog := s.zones[name]
			if catalog == nil {
				continue
			}
			s.mu.Lock()
			have := catalog.have
			s.mu.Unlock()
			if have == nil {
				s.keepMembers(wanted, catalog, g)
				continue
			}
			list, err := xfr.ReadCatalog(have, s.options.MaxMembers)
			if err == nil && len(list) == 0 && count[catalog] > maxEmptied {
				err = fmt.Errorf("%w: it lists no zone, but has listed %d; to give them all up, remove the catalog zone from the configuration", xfr.ErrCatalog, count[catalog])
			}
			if err != nil {
				s.counts.catalogErrors.Add(1)
				s.log.Error().Err(err).Stringer("catalog", name).Uint32("serial", have.Serial()).Msg("the zones stay as they are")
				s.keepMembers(wanted, catalog, g)
				continue
			}
			lists = append(lists, memberList{catalog, g, list})
		}
	}
	return lists
}

// maxEmptied is the greatest number of members that a catalog zone may lose all
// at once.
const maxEmptied = 10

func (s *Engine) keepMembers(wanted map[wire.Name]place, catalog *zone, g *group) {
	for name, z := range s.zones {
		if _, taken := wanted[name]; z.catalog == catalog && !taken {
			wanted[name] = place{group: g, catalog: catalog, label: z.label}
		}
	}
}

// want adds a member of a catalog zone, unless somebody else has its name.
func (s *Engine) want(wanted map[wire.Name]place, l memberList, m xfr.Member, skipped *skippedMembers) {
	if other, taken := wanted[m.Zone]; taken {
		switch {
		case other.isCatalog:
			skipped.add(l.catalog.name, m.Zone, "it is a catalog zone")
		case other.catalog == nil:
			skipped.add(l.catalog.name, m.Zone, "the configuration names it")
		default:
			skipped.add(l.catalog.name, m.Zone, "another catalog zone lists it")
		}
		return
	}
	if s.options.Taken != nil && s.options.Taken(m.Zone) {
		skipped.add(l.catalog.name, m.Zone, "it is served already")
		return
	}
	wanted[m.Zone] = place{group: l.group, catalog: l.catalog, label: maphash.String(labelSeed, m.Label)}
}

// skippedMembers counts members that are left out.
type skippedMembers struct {
	count int
	first []string
}

func (k *skippedMembers) add(catalog, zone wire.Name, why string) {
	if k.count++; k.count <= 5 {
		k.first = append(k.first, fmt.Sprintf("%s of %s: %s", zone, catalog, why))
	}
}

func (k *skippedMembers) report(s *Engine) {
	if k.count > 0 {
		s.log.Warn().Int("zones", k.count).Strs("first", k.first).Msg("members of catalog zones are left out")
	}
}

// applyCatalogs serves what the catalog zones list.
func (s *Engine) applyCatalogs() {
	s.setting.Lock()
	defer s.setting.Unlock()
	s.set(s.wanted())
}
