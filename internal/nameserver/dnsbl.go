package nameserver

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/miekg/dns"

	"nullspf/internal/dnsname"
	"nullspf/internal/evidence/blocklist"
	"nullspf/internal/wire"
)

// DNSBL is a DNS block list (RFC 5782) that is served from memory.
type DNSBL struct {
	// Position is FILE:LINE of the directive, for messages.
	Position string
	Zone     dnsname.Name
	// File is a list of "nullspf log export --format json".
	File string
	// Nameservers are the hosts of the NS RRset at the apex, none in the zone.
	Nameservers []dnsname.Name
	// TTL of all records, in whole seconds.
	TTL time.Duration
}

// DefaultDNSBLTTL is how long answers are kept when nothing is said.
const DefaultDNSBLTTL = 5 * time.Minute

// dnsblZone answers queries for addresses in reverse:
//
//	7.113.0.203.bl.example.net                A 127.0.0.2, TXT, when 203.0.113.7 is listed
//	113.0.203.bl.example.net                  no data, because something below it is
//	8.113.0.203.bl.example.net                NXDOMAIN
//
// A /64 of IPv6 lists all names of 32 nibbles below its 16.
type dnsblZone struct {
	apex   wire.Name
	labels int
	file   *listFile
	// a is the A record of what is listed, soa the SOA record, as in [trackZone].
	a, soa sections
	ns     *sections
	ttl    uint32
}

// newDNSBLZone compiles a zone.
func newDNSBLZone(d *DNSBL, file *listFile) (*dnsblZone, error) {
	apex, err := wire.ParseName(string(d.Zone))
	if err != nil {
		return nil, err
	}
	z := &dnsblZone{apex: apex, labels: apex.Labels(), file: file, ttl: uint32(d.TTL / time.Second)}
	if len(d.Nameservers) == 0 {
		return nil, fmt.Errorf("no nameservers; name the two or more hosts that serve %s", d.Zone)
	}
	ns := new(dns.Msg)
	for _, host := range d.Nameservers {
		if host.Within(d.Zone) {
			return nil, fmt.Errorf("nameserver %s is inside of the zone, which has no addresses of hosts; name hosts outside", host)
		}
		header := dns.RR_Header{Name: string(d.Zone) + ".", Rrtype: dns.TypeNS, Class: dns.ClassINET, Ttl: z.ttl}
		ns.Answer = append(ns.Answer, &dns.NS{Hdr: header, Ns: string(host) + "."})
	}
	owner, err := newTrackOwner(d.Zone, map[uint16]*dns.Msg{dns.TypeNS: ns})
	if err != nil {
		return nil, err
	}
	z.ns = owner.rrsets[dns.TypeNS]
	z.soa = sections{Records: negativeSOA(d.TTL), Authority: 1}
	z.a = sections{Records: append(z.record(dns.TypeA, 4), 127, 0, 0, 2), Answer: 1}
	return z, nil
}

// record begins a record whose owner is QNAME, with data of so many bytes.
func (z *dnsblZone) record(rrtype uint16, size int) []byte {
	b := binary.BigEndian.AppendUint16([]byte{0xc0, headerSize}, rrtype)
	b = binary.BigEndian.AppendUint16(b, dns.ClassINET)
	b = binary.BigEndian.AppendUint32(b, z.ttl)
	return binary.BigEndian.AppendUint16(b, uint16(size))
}

// Respond implements responder.
func (z *dnsblZone) Respond(q *query) bool {
	first, ok := q.within(z.apex, z.labels)
	if !ok {
		return false
	}
	list := z.file.index.Load()
	if list == nil {
		q.Reply(dns.RcodeServerFailure, &sections{})
		return true
	}
	if first == 0 {
		z.atApex(q, list)
		return true
	}
	text, found := find(q, first, list)
	switch {
	case !found:
		z.negative(q, first, list, dns.RcodeNameError)
	case text != nil && (q.qtype == dns.TypeA || q.qtype == dns.TypeANY):
		q.Reply(dns.RcodeSuccess, &z.a)
	case text != nil && q.qtype == dns.TypeTXT:
		z.text(q, text)
	default:
		z.negative(q, first, list, dns.RcodeSuccess)
	}
	return true
}

// soaSerial is where the serial number stands in a record of [negativeSOA].
const soaSerial = 16

// putSOA sets what of a SOA record behind the question depends on query and list. In an
// answer that was cut there is none.
func (z *dnsblZone) putSOA(q *query, first int, list *blocklist.Index) {
	if q.buf[2]&flagTC != 0 {
		return
	}
	soa := q.buf[q.end : q.end+len(z.soa.Records)]
	pointTo(soa, headerSize+int(q.reply.QName.At[first]))
	binary.BigEndian.PutUint32(soa[soaSerial:], list.Serial)
}

func (z *dnsblZone) atApex(q *query, list *blocklist.Index) {
	switch q.qtype {
	case dns.TypeNS:
		q.Reply(dns.RcodeSuccess, z.ns)
	case dns.TypeSOA, dns.TypeANY:
		q.Reply(dns.RcodeSuccess, &sections{Records: z.soa.Records, Answer: 1})
		z.putSOA(q, 0, list)
	default:
		z.negative(q, 0, list, dns.RcodeSuccess)
	}
}

// negative answers that there is no such name or data (RFC 2308 section 2).
func (z *dnsblZone) negative(q *query, first int, list *blocklist.Index, rcode uint8) {
	q.Reply(rcode, &z.soa)
	z.putSOA(q, first, list)
}

// text answers with a TXT record of one string.
func (z *dnsblZone) text(q *query, text []byte) {
	const header = 12
	at := q.end + header + 1 + len(text)
	if at+q.optLength() > q.limit {
		q.finish(q.end, flagAA|flagTC, dns.RcodeSuccess, 0, 0, 0)
		return
	}
	b := q.buf[q.end:at]
	copy(b, z.a.Records[:header])
	binary.BigEndian.PutUint16(b[2:], dns.TypeTXT)
	binary.BigEndian.PutUint16(b[10:], uint16(1+len(text)))
	b[header] = byte(len(text))
	copy(b[header+1:], text)
	q.finish(at, flagAA, dns.RcodeSuccess, 1, 0, 0)
}

var testEntry = []byte(blocklist.TestText)

// find looks for the address whose labels in reverse stand before the label first. A
// name that is no address, but has listed ones below it, is found without text.
func find(q *query, first int, list *blocklist.Index) (text []byte, found bool) {
	if first <= 4 {
		if text, found := findFour(q, first, list); found {
			return text, true
		}
	}
	if first <= 32 {
		return findSix(q, first, list)
	}
	return nil, false
}

// findFour takes labels as octets, the first of the address behind the others.
func findFour(q *query, first int, list *blocklist.Index) (text []byte, found bool) {
	var octets uint32
	for i := range first {
		n, ok := octet(q.label(first - 1 - i))
		if !ok {
			return nil, false
		}
		octets |= n << (24 - 8*i)
	}
	last := octets | uint32(uint64(1)<<(32-8*first)-1)
	const test = 127<<24 | 2
	text = list.Four(octets, last)
	if text == nil && octets <= test && test <= last {
		text = testEntry
	}
	if text == nil {
		return nil, false
	}
	if first < 4 {
		return nil, true
	}
	return text, true
}

// octet reads a number below 256 in its shortest form.
func octet(label []byte) (n uint32, ok bool) {
	if len(label) == 0 || len(label) > 3 || label[0] == '0' && len(label) > 1 {
		return 0, false
	}
	for _, c := range label {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = 10*n + uint32(c-'0')
	}
	return n, n < 256
}

// findSix takes labels as nibbles, the first of the address behind the others.
func findSix(q *query, first int, list *blocklist.Index) (text []byte, found bool) {
	var upper, lower uint64
	for i := range first {
		n, ok := nibble(q.label(first - 1 - i))
		switch {
		case !ok:
			return nil, false
		case i < 16:
			upper |= n << (60 - 4*i)
		default:
			lower |= n << (60 - 4*(i-16))
		}
	}
	most := upper
	if first < 16 {
		most |= 1<<(64-4*first) - 1
	}
	text = list.Six(upper, most)
	if text == nil && upper == 0 {
		// The test entry is ::ffff:127.0.0.2.
		const test = 0xffff7f000002
		mask := uint64(0)
		if first > 16 {
			mask = ^uint64(0) << (4 * (32 - first))
		}
		if lower == test&mask {
			text = testEntry
		}
	}
	if text == nil {
		return nil, false
	}
	if first < 32 {
		return nil, true
	}
	return text, true
}

func nibble(label []byte) (n uint64, ok bool) {
	if len(label) != 1 {
		return 0, false
	}
	switch c := label[0]; {
	case '0' <= c && c <= '9':
		return uint64(c - '0'), true
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return uint64(c|0x20-'a') + 10, true
	}
	return 0, false
}
