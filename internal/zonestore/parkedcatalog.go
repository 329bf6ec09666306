package zonestore

import (
	"fmt"

	"github.com/miekg/dns"

	"nullspf/internal/wire"
	"nullspf/zones"
)

// catalog is the catalog zone of a set (RFC 9432). Its members follow from the
// names of the zones and are made when they are transferred.
type catalog struct {
	name   wire.Name // "" is none
	serial uint32
	// head are the records besides those of the members, the SOA first.
	head []wire.Record
	soa  parkedRRset
	ns   parkedRRset
}

// membersLabel is below the name of a catalog zone and above its members
// (RFC 9432 section 4.1).
const membersLabel = "\x05zones"

func newCatalog(f *zones.ParkedOutput) (c catalog, err error) {
	if f.Catalog == "" {
		return c, nil
	}
	if c.name, err = wire.ParseName(f.Catalog); err != nil {
		return c, fmt.Errorf("%s: %w", zones.CatalogFile, err)
	}
	c.serial = f.CatalogSerial
	byType := make(map[uint16][]templateRecord)
	for _, rr := range f.CatalogHead {
		r, err := wire.FromRR(rr)
		if err != nil {
			return c, fmt.Errorf("%s: %w", zones.CatalogFile, err)
		}
		c.head = append(c.head, r)
		if r.Name == c.name {
			byType[r.Type] = append(byType[r.Type], templateRecord{rrtype: r.Type, data: r.Data})
		}
	}
	if len(c.head) == 0 || c.head[0].Type != dns.TypeSOA {
		return c, fmt.Errorf("%s: it does not begin with a SOA record", zones.CatalogFile)
	}
	c.soa = compileRRset(dns.TypeSOA, c.head[0].TTL, byType[dns.TypeSOA])
	c.ns = compileRRset(dns.TypeNS, c.head[0].TTL, byType[dns.TypeNS])
	return c, nil
}

// answer answers what a secondary asks before it transfers the zone. All else
// is refused: the list of all zones is not for everybody (RFC 9432 section 7).
func (c *catalog) answer(r *Reply, labels int) {
	if r.QName.Count == labels {
		switch r.Type {
		case dns.TypeSOA, dns.TypeANY:
			r.Authoritative = true
			c.soa.put(r, nil)
			return
		case dns.TypeNS:
			r.Authoritative = true
			c.ns.put(r, nil)
			return
		}
	}
	r.Rcode = dns.RcodeRefused
}

// CatalogName returns the name of the catalog zone, "" when there is none.
func (p *Parked) CatalogName() wire.Name { return p.catalog.name }

// CatalogSerial returns the serial number of the catalog zone.
func (p *Parked) CatalogSerial() uint32 { return p.catalog.serial }

// CatalogVersion is a version of the catalog zone, as transfers need it.
type CatalogVersion struct {
	set    *Parked
	serial uint32
	// Compared with the present one, it lacks the members without, and has the
	// members extra.
	without, extra map[wire.Name]bool
}

// Catalog returns the version of the catalog zone that is served, nil when
// there is none.
func (p *Parked) Catalog() *CatalogVersion {
	if p.catalog.name == "" {
		return nil
	}
	return &CatalogVersion{set: p, serial: p.catalog.serial}
}

// EarlierCatalog returns the version of the catalog zone that had a serial
// number, nil when it is not kept.
func (p *Parked) EarlierCatalog(serial uint32) *CatalogVersion {
	v := &CatalogVersion{set: p, serial: serial, without: make(map[wire.Name]bool), extra: make(map[wire.Name]bool)}
	for i := range p.history {
		g := &p.history[i]
		// Back from the newer version to the older.
		toggle(v.extra, v.without, g.added)
		toggle(v.without, v.extra, g.removed)
		if g.catalog == serial {
			return v
		}
	}
	return nil
}

// toggle takes names out of one set, or else puts them into the other.
func toggle(from, to map[wire.Name]bool, names []wire.Name) {
	for _, name := range names {
		if from[name] {
			delete(from, name)
		} else {
			to[name] = true
		}
	}
}

// Serial returns the serial number.
func (v *CatalogVersion) Serial() uint32 { return v.serial }

// Records yields all records, the SOA first. Their data is valid until yield
// returns.
func (v *CatalogVersion) Records(yield func(*wire.Record) bool) {
	c := &v.set.catalog
	for _, r := range c.head {
		if r.Type == dns.TypeSOA {
			r.Data = withSerial(r.Data, v.serial)
		}
		if !yield(&r) {
			return
		}
	}
	for i := range v.set.zones {
		name := v.set.index.name(uint32(i))
		if len(v.without) > 0 && v.without[wire.Name(name)] {
			continue
		}
		if !v.member(name, yield) {
			return
		}
	}
	for name := range v.extra {
		if !v.member([]byte(name), yield) {
			return
		}
	}
}

// Since returns how the present version of the catalog zone, v, differs from an
// earlier one: what a comparison of all their records would show.
func (v *CatalogVersion) Since(old *CatalogVersion) (removed, added func(yield func(*wire.Record) bool)) {
	soa := func(serial uint32, yield func(*wire.Record) bool) bool {
		r := v.set.catalog.head[0]
		r.Data = withSerial(r.Data, serial)
		return yield(&r)
	}
	removed = func(yield func(*wire.Record) bool) {
		if !soa(old.serial, yield) {
			return
		}
		for name := range old.extra {
			if !v.member([]byte(name), yield) {
				return
			}
		}
	}
	added = func(yield func(*wire.Record) bool) {
		if !soa(v.serial, yield) {
			return
		}
		for name := range old.without {
			if !v.member([]byte(name), yield) {
				return
			}
		}
	}
	return removed, added
}

// member yields the PTR record of a zone.
func (v *CatalogVersion) member(zone []byte, yield func(*wire.Record) bool) bool {
	var text, label [wire.MaxName]byte
	name := zones.AppendMember(label[:1], string(appendDotted(text[:0], zone)))
	name[0] = byte(len(name) - 1)
	c := &v.set.catalog
	return yield(&wire.Record{
		Name:  wire.Name(name) + membersLabel + c.name,
		Type:  dns.TypePTR,
		Class: dns.ClassINET,
		TTL:   c.head[0].TTL,
		Data:  zone,
	})
}
