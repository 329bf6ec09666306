package nameserver

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"

	"nullspf/internal/ascii"
	"nullspf/internal/dnsname"
	"nullspf/internal/wire"
	"nullspf/spftrack"
)

// expLabel is the label directly below the zone of exp= names.
const expLabel = '2'

// trackZone answers the queries of one tracking zone. Every name below the
// apex exists and has no data (NODATA, RFC 2308 section 2.2), so that no
// resolver concludes from one name that others do not exist (RFC 8020), and no
// exists: mechanism ever matches; names that end in the label "2" have the
// explanation as TXT.
type trackZone struct {
	name dnsname.Name
	// apex is the zone's name in wire format, labels their number.
	apex   wire.Name
	labels int
	// number is that of the zone in events.
	number uint16

	// soa is the authority section of NODATA. Three compression pointers in it
	// point to the apex in QNAME: the owner, MNAME and RNAME, at soaOwner,
	// soaMName and soaRName.
	soa sections
	// explain is nil where no name has an explanation.
	explain *sections
	// owners are the RRsets of names that have some: the apex and the
	// nameservers inside of the zone.
	owners []trackOwner
}

// trackOwner is a name with its RRsets by type.
type trackOwner struct {
	name   wire.Name
	rrsets map[uint16]*sections
}

const (
	soaOwner = 0
	soaMName = 12
	soaRName = 14
)

// newTrackZone compiles the zone called name.
func newTrackZone(name dnsname.Name, number uint16, t *Track) (*trackZone, error) {
	z := &trackZone{name: name, number: number}
	var err error
	if z.apex, err = wire.ParseName(string(name)); err != nil {
		return nil, fmt.Errorf("tracking zone %s: %w", name, err)
	}
	z.labels = z.apex.Labels()
	if err := z.compile(t); err != nil {
		return nil, fmt.Errorf("tracking zone %s: %w", name, err)
	}
	return z, nil
}

func (z *trackZone) compile(t *Track) error {
	if err := t.check(z.name); err != nil {
		return err
	}
	z.soa = sections{Records: negativeSOA(t.TTL), Authority: 1}
	if t.Explain != "" && slices.ContainsFunc(t.Layouts, hasExp) {
		z.explain = &sections{Records: explanation(t), Answer: 1}
	}
	header := func(name dnsname.Name, rrtype uint16, ttl time.Duration) dns.RR_Header {
		return dns.RR_Header{Name: string(name) + ".", Rrtype: rrtype, Class: dns.ClassINET, Ttl: uint32(ttl / time.Second)}
	}
	addresses := func(host dnsname.Name, rrtype uint16) (rrs []dns.RR) {
		if !host.Within(z.name) {
			return nil
		}
		for _, a := range t.Addresses[host] {
			switch {
			case a.Is4() && rrtype == dns.TypeA:
				rrs = append(rrs, &dns.A{Hdr: header(host, rrtype, t.ApexTTL), A: a.AsSlice()})
			case a.Is6() && rrtype == dns.TypeAAAA:
				rrs = append(rrs, &dns.AAAA{Hdr: header(host, rrtype, t.ApexTTL), AAAA: a.AsSlice()})
			}
		}
		return rrs
	}

	ns := &dns.Msg{}
	for _, host := range t.Nameservers {
		ns.Answer = append(ns.Answer, &dns.NS{Hdr: header(z.name, dns.TypeNS, t.ApexTTL), Ns: string(host) + "."})
		ns.Extra = append(ns.Extra, addresses(host, dns.TypeA)...)
		ns.Extra = append(ns.Extra, addresses(host, dns.TypeAAAA)...)
	}
	rrsets := map[dnsname.Name]map[uint16]*dns.Msg{z.name: {dns.TypeNS: ns}}
	if len(t.TXT) > 0 {
		m := &dns.Msg{}
		for _, text := range t.TXT {
			m.Answer = append(m.Answer, &dns.TXT{Hdr: header(z.name, dns.TypeTXT, t.ApexTTL), Txt: txtStrings(text)})
		}
		rrsets[z.name][dns.TypeTXT] = m
	}
	for host := range t.Addresses {
		for _, rrtype := range []uint16{dns.TypeA, dns.TypeAAAA} {
			if rrs := addresses(host, rrtype); len(rrs) > 0 {
				if rrsets[host] == nil {
					rrsets[host] = map[uint16]*dns.Msg{}
				}
				rrsets[host][rrtype] = &dns.Msg{Answer: rrs}
			}
		}
	}
	for name, sets := range rrsets {
		owner, err := newTrackOwner(name, sets)
		if err != nil {
			return err
		}
		z.owners = append(z.owners, owner)
	}
	for i := range z.owners {
		if z.owners[i].name == z.apex {
			soa := sections{Records: slices.Clone(z.soa.Records), Answer: 1}
			pointTo(soa.Records, headerSize)
			z.owners[i].rrsets[dns.TypeSOA] = &soa
		}
	}
	return nil
}

func hasExp(l spftrack.Layout) bool { return l == spftrack.Track || l == spftrack.Beacon }

// newTrackOwner compiles the answers at a name, each a message of which only
// the records are kept. Their compression pointers are right for every
// question for this name, since the question is the first thing in a message.
func newTrackOwner(name dnsname.Name, sets map[uint16]*dns.Msg) (trackOwner, error) {
	owner, err := wire.ParseName(string(name))
	if err != nil {
		return trackOwner{}, fmt.Errorf("%s: %w", name, err)
	}
	o := trackOwner{name: owner, rrsets: make(map[uint16]*sections)}
	for rrtype, m := range sets {
		m.SetQuestion(string(name)+".", rrtype)
		m.Compress = true
		b, err := m.Pack()
		if err != nil {
			return trackOwner{}, fmt.Errorf("%s %s: %w", name, dns.TypeToString[rrtype], err)
		}
		end := headerSize + len(owner) + 4
		if len(b) > messageSize-optSize-4-cookieSize {
			return trackOwner{}, fmt.Errorf("%s %s: the records take %d bytes, more than an answer may have", name, dns.TypeToString[rrtype], len(b)-end)
		}
		o.rrsets[rrtype] = &sections{
			Records:    b[end:],
			Answer:     uint16(len(m.Answer)),
			Additional: uint16(len(m.Extra)),
		}
	}
	return o, nil
}

// trackSerial is the serial number of tracking zones.
const trackSerial = 1

// negativeSOA returns the SOA record. MNAME and RNAME are the apex, two bytes
// each, which keeps NODATA within twice the size of its query; serial
// number and timers say nothing in a zone that is never transferred.
func negativeSOA(ttl time.Duration) []byte {
	seconds := uint32(ttl / time.Second)
	b := make([]byte, 12, 36)
	binary.BigEndian.PutUint16(b[2:], dns.TypeSOA)
	binary.BigEndian.PutUint16(b[4:], dns.ClassINET)
	binary.BigEndian.PutUint32(b[6:], seconds)
	binary.BigEndian.PutUint16(b[10:], 24)
	b = append(b, 0, 0, 0, 0)
	for _, v := range []uint32{trackSerial, 7200, 900, 2419200, seconds} {
		b = binary.BigEndian.AppendUint32(b, v)
	}
	return b
}

// pointTo makes the names of a SOA record point to the apex at an offset.
func pointTo(soa []byte, apex int) {
	pointer := 0xc000 | uint16(apex)
	binary.BigEndian.PutUint16(soa[soaOwner:], pointer)
	binary.BigEndian.PutUint16(soa[soaMName:], pointer)
	binary.BigEndian.PutUint16(soa[soaRName:], pointer)
}

// explanation returns the TXT record at exp= names, whose owner is QNAME.
func explanation(t *Track) []byte {
	b := []byte{0xc0, headerSize}
	b = binary.BigEndian.AppendUint16(b, dns.TypeTXT)
	b = binary.BigEndian.AppendUint16(b, dns.ClassINET)
	b = binary.BigEndian.AppendUint32(b, uint32(t.TTL/time.Second))
	var data []byte
	for chunk := range slices.Chunk([]byte(t.Explain), 255) {
		data = append(data, byte(len(chunk)))
		data = append(data, chunk...)
	}
	b = binary.BigEndian.AppendUint16(b, uint16(len(data)))
	return append(b, data...)
}

// txtStrings splits a text into the strings of a TXT record, 255 bytes each,
// in the form in which the dns package takes them.
func txtStrings(text string) []string {
	var out []string
	for chunk := range slices.Chunk([]byte(text), 255) {
		out = append(out, strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(string(chunk)))
	}
	return out
}

// Respond implements responder.
func (z *trackZone) Respond(q *query) bool {
	first, ok := q.within(z.apex, z.labels)
	if !ok {
		return false
	}
	q.tracked, q.zone = true, z.number
	if s := z.find(q, first); s != nil {
		q.Reply(dns.RcodeSuccess, s)
		return true
	}
	asked := q.size
	q.Reply(dns.RcodeSuccess, &z.soa)
	if !q.tcp && q.size > 2*asked {
		// RFC 2308 section 2.2: NODATA need not carry the SOA record. Only
		// names of a few bytes that are asked for without EDNS get here.
		q.Reply(dns.RcodeSuccess, &sections{})
		return true
	}
	pointTo(q.buf[q.end:q.end+len(z.soa.Records)], headerSize+int(q.reply.QName.At[first]))
	return true
}

// find returns the data at QNAME, in which the zone's name begins at a label;
// nil where there is none. ANY gets one RRset (RFC 8482 section 4.1).
func (z *trackZone) find(q *query, first int) *sections {
	if first > 0 && z.explain != nil && (q.qtype == dns.TypeTXT || q.qtype == dns.TypeANY) {
		if label := q.name()[q.reply.QName.At[first-1]:]; label[0] == 1 && label[1] == expLabel {
			return z.explain
		}
	}
	// Most names are longer than all owners.
	name := q.name()
	for i := range z.owners {
		o := &z.owners[i]
		if !ascii.EqualFold(name, o.name) {
			continue
		}
		if q.qtype != dns.TypeANY {
			return o.rrsets[q.qtype]
		}
		for _, rrtype := range []uint16{dns.TypeSOA, dns.TypeA, dns.TypeAAAA} {
			if s := o.rrsets[rrtype]; s != nil {
				return s
			}
		}
	}
	return nil
}
