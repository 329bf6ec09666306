package zonestore

import (
	"github.com/miekg/dns"

	"nullspf/internal/wire"
)

// ParkedVersion is one version of a parked zone, as transfers need it.
type ParkedVersion struct {
	name    wire.Name
	serial  uint32
	variant *parkedVariant
}

// Version returns the version of a zone that is served, nil when it is none of
// the set.
func (p *Parked) Version(zone wire.Name) *ParkedVersion {
	n, ok := p.index.Number(zone)
	if !ok {
		return nil
	}
	z := p.zones[n]
	return &ParkedVersion{zone, z.serial, &p.variants[z.variant]}
}

// Serial returns the serial number.
func (v *ParkedVersion) Serial() uint32 { return v.serial }

// Records yields all records, the SOA first, each with an owner of its own and
// data that is valid until yield returns.
func (v *ParkedVersion) Records(yield func(*wire.Record) bool) {
	r := wire.Record{Class: dns.ClassINET, TTL: v.variant.ttl}
	put := func(owner string, rrtype uint16, data []byte) bool {
		r.Name, r.Type, r.Data = wire.Name(owner)+v.name, rrtype, data
		return yield(&r)
	}
	var scratch []byte
	for i := range v.variant.records {
		t := &v.variant.records[i]
		data := t.data
		switch {
		case t.rrtype == dns.TypeSOA:
			data = withSerial(data, v.serial)
		case data == nil:
			scratch = t.text.append(scratch[:0], []byte(v.name))
			data = scratch
		}
		if !put(t.owner, t.rrtype, data) {
			return
		}
	}
	for _, owner := range v.variant.addressed {
		for b := v.variant.v4; len(b) > 0; b = b[4:] {
			if !put(owner, dns.TypeA, b[:4]) {
				return
			}
		}
		for b := v.variant.v6; len(b) > 0; b = b[16:] {
			if !put(owner, dns.TypeAAAA, b[:16]) {
				return
			}
		}
	}
}
