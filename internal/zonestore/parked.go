package zonestore

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/miekg/dns"

	"nullspf/internal/ascii"
	"nullspf/internal/wire"
	"nullspf/zones"
)

// Parked is a set of zones that follow from templates. It never changes; see
// [Parked.Succeed].
//
//	QNAME -> index -> zones[number] -> variants[...] -> template, addresses
//	                  serial           (few)            (few)
//
// A zone takes some 50 bytes: its name, its slots in the index, serial number
// and variant.
type Parked struct {
	index    *nameIndex
	zones    []parkedZone // by number in index, in byte order of their names
	variants []parkedVariant
	catalog  catalog
	history  history
}

type parkedZone struct {
	serial uint32
	// variant is the number in variants.
	variant uint32
}

// parkedVariant is what zones have in common.
type parkedVariant struct {
	*template
	// v4 and v6 are the addresses, in wire format one after the other.
	v4, v6 []byte
}

// LoadParked reads the output directory of "nullspf zones".
func LoadParked(dir string) (p *Parked, err error) {
	output, err := zones.OpenParked(dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, output.Close()) }()
	var templates []*template
	for i := range output.Templates {
		t, err := compileTemplate(&output.Templates[i])
		if err != nil {
			return nil, fmt.Errorf("%s: group %s: %w", dir, output.Templates[i].Group, err)
		}
		templates = append(templates, t)
	}
	p = &Parked{index: newIndex(output.Zones), zones: make([]parkedZone, 0, output.Zones)}
	numbers := make(map[zones.ParkedVariant]uint32)
	var name [wire.MaxName]byte
	err = output.Each(func(text []byte, v zones.ParkedVariant, serial uint32) error {
		variant, ok := numbers[v]
		if !ok {
			made, err := newParkedVariant(templates, v)
			if err != nil {
				return err
			}
			variant = uint32(len(p.variants))
			numbers[v] = variant
			p.variants = append(p.variants, made)
		}
		packed, err := wire.AppendLabels(name[:0], text)
		if err != nil {
			return fmt.Errorf("%q: %w", text, err)
		}
		p.zones = append(p.zones, parkedZone{serial, variant})
		return p.index.Add(wire.Name(packed))
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	if p.catalog, err = newCatalog(output); err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	return p, nil
}

func newParkedVariant(templates []*template, v zones.ParkedVariant) (out parkedVariant, err error) {
	v4, v6, err := v.Addrs()
	if err != nil {
		return out, err
	}
	out.template = templates[v.Template]
	for _, list := range []struct {
		to        *[]byte
		addresses []netip.Addr
	}{{&out.v4, v4}, {&out.v6, v6}} {
		for i, a := range list.addresses {
			if !slices.Contains(list.addresses[:i], a) {
				*list.to = append(*list.to, a.AsSlice()...)
			}
		}
	}
	return out, nil
}

// Len returns the number of zones.
func (p *Parked) Len() int { return len(p.zones) }

// Name returns the name of a zone.
func (p *Parked) Name(number int) wire.Name { return p.index.Name(number) }

// Serial returns the serial number of a zone.
func (p *Parked) Serial(number int) uint32 { return p.zones[number].serial }

// Number returns the number of a zone.
func (p *Parked) Number(zone wire.Name) (int, bool) { return p.index.Number(zone) }

// Find returns the number of the zone that QNAME is in, and how many labels its
// name has, at most so many; -1 and -1 when there is none. The catalog zone has
// the number [Parked.Len].
func (p *Parked) Find(r *Reply, most int) (number, labels int) {
	number, labels, ok := p.index.Find(r, most)
	if !ok {
		number, labels = -1, -1
	}
	if c := p.catalog.name; c != "" {
		if depth := c.Labels(); depth > labels && depth <= min(r.QName.Count, most) {
			if suffix, _ := r.suffix(depth); ascii.EqualFold(suffix, c) {
				return len(p.zones), depth
			}
		}
	}
	return number, labels
}

// Answer answers from a zone that [Parked.Find] has found.
func (p *Parked) Answer(r *Reply, number, labels int) {
	if number == len(p.zones) {
		p.catalog.answer(r, labels)
		return
	}
	z := p.zones[number]
	v := &p.variants[z.variant]
	r.Authoritative = true
	n, ok := v.find(r, labels)
	if !ok {
		r.Rcode = dns.RcodeNameError
	} else if v.answer(r, n, p.index.name(uint32(number)), z.serial) {
		return
	}
	_, apex := r.suffix(labels)
	if at, fits := v.negative.put(r, apex, z.serial); fits {
		r.At = at
		r.Authority = 1
	}
}

// answer puts the RRset that is asked for into the answer section, and returns
// false when the node has none.
func (v *parkedVariant) answer(r *Reply, n *node, name []byte, serial uint32) bool {
	switch r.Type {
	case dns.TypeA:
		return v.addresses(r, n, dns.TypeA, v.v4, 4)
	case dns.TypeAAAA:
		return v.addresses(r, n, dns.TypeAAAA, v.v6, 16)
	case dns.TypeSOA:
		return n.apex && v.putSOA(r, serial)
	case dns.TypeANY:
		// One RRset (RFC 8482 section 4.1).
		if n.apex {
			return v.putSOA(r, serial)
		}
		if v.addresses(r, n, dns.TypeA, v.v4, 4) || v.addresses(r, n, dns.TypeAAAA, v.v6, 16) {
			return true
		}
		if len(n.rrsets) == 0 {
			return false
		}
		n.rrsets[0].put(r, name)
		return true
	}
	for i := range n.rrsets {
		if s := &n.rrsets[i]; s.rrtype == r.Type {
			s.put(r, name)
			return true
		}
	}
	return false
}

func (v *parkedVariant) putSOA(r *Reply, serial uint32) bool {
	if at, fits := v.soa.put(r, headerSize, serial); fits {
		r.At = at
		r.Answer = 1
	}
	return true
}

// addresses puts the addresses of the zone, if the node has them.
func (v *parkedVariant) addresses(r *Reply, n *node, rrtype uint16, list []byte, size int) bool {
	if !n.addressed || len(list) == 0 {
		return false
	}
	if r.At+len(list)/size*(ownedHeader+size) > r.Limit {
		r.Truncated = true
		return true
	}
	for ; len(list) > 0; list = list[size:] {
		r.At = putHeader(r.Buf, r.At, headerSize, rrtype, v.ttl, size)
		r.At += copy(r.Buf[r.At:], list[:size])
		r.Answer++
	}
	return true
}
