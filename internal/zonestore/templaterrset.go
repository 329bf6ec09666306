package zonestore

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/miekg/dns"

	"nullspf/internal/wire"
	"nullspf/zones"
)

// parkedRRset is an RRset of a template. Its owner is always QNAME, also where
// a wildcard matches.
type parkedRRset struct {
	rrtype uint16
	count  uint16
	ttl    uint32
	// fixed are the records that are the same in all zones, as they stand
	// behind the question section. At the offsets in pointers there are compression
	// pointers, whose targets count from the first record.
	fixed    []byte
	pointers []uint16
	// texts are the TXT records that hold the zone's name.
	texts []parkedText
}

// parkedText is a text, in pieces between which the zone's name stands.
type parkedText []string

func compileRRset(rrtype uint16, ttl uint32, records []templateRecord) parkedRRset {
	s := parkedRRset{rrtype: rrtype, count: uint16(len(records)), ttl: ttl}
	c := compressor{seen: make(map[wire.Name]int)}
	for _, r := range records {
		if r.data == nil {
			s.texts = append(s.texts, r.text)
			continue
		}
		start := len(c.out)
		c.out = append(c.out, make([]byte, ownedHeader)...)
		c.data(rrtype, r.data)
		putHeader(c.out, start, headerSize, rrtype, ttl, len(c.out)-start-ownedHeader)
	}
	s.fixed, s.pointers = c.out, c.pointers
	return s
}

// put puts the RRset of a zone, whose name is in wire format, into the answer
// section.
func (s *parkedRRset) put(r *Reply, name []byte) {
	size := len(s.fixed)
	for _, t := range s.texts {
		size += ownedHeader + t.size(len(name)-2)
	}
	if r.At+size > r.Limit {
		r.Truncated = true
		return
	}
	putRelocated(r.Buf, r.At, s.fixed, s.pointers)
	at := r.At + len(s.fixed)
	for _, t := range s.texts {
		data := at + ownedHeader
		end := len(t.append(r.Buf[:data], name))
		putHeader(r.Buf, at, headerSize, s.rrtype, s.ttl, end-data)
		at = end
	}
	r.At = at
	r.Answer = s.count
}

// putRelocated copies records to an offset and makes their compression pointers
// count from the start of the message.
func putRelocated(buf []byte, at int, fixed []byte, pointers []uint16) {
	copy(buf[at:], fixed)
	for _, p := range pointers {
		b := buf[at+int(p):]
		binary.BigEndian.PutUint16(b, 0xc000|(binary.BigEndian.Uint16(b)+uint16(at)))
	}
}

const maxString = 255

// length is the length of the text with a name of so many bytes.
func (t parkedText) length(name int) int {
	n := (len(t) - 1) * name
	for _, piece := range t {
		n += len(piece)
	}
	return n
}

// size is its length as character-strings (RFC 1035 section 3.3).
func (t parkedText) size(name int) int {
	n := t.length(name)
	return n + max(1, (n+maxString-1)/maxString)
}

// append appends the text as character-strings, filled up one after the other,
// with the name of a zone, given in wire format, between its pieces. Without a
// placeholder the name is of no interest.
func (t parkedText) append(dst, name []byte) []byte {
	start := len(dst)
	dst = append(dst, 0)
	for i, piece := range t {
		if i > 0 {
			dst = appendDotted(dst, name)
		}
		dst = append(dst, piece...)
	}
	// Make room for the lengths of the second and further strings.
	size := len(dst) - start - 1
	for at := size / maxString * maxString; at > 0; at -= maxString {
		if at == size {
			continue
		}
		dst = append(dst, 0)
		from := start + 1 + at
		copy(dst[from+1:], dst[from:])
		dst[from] = byte(min(size-at, maxString))
	}
	dst[start] = byte(min(size, maxString))
	return dst
}

// appendDotted appends the name of a published zone, given in wire format, in
// presentation form without final dot.
func appendDotted(dst, name []byte) []byte {
	for len(name) > 1 {
		size := 1 + int(name[0])
		dst = append(dst, name[1:size]...)
		if name = name[size:]; len(name) > 1 {
			dst = append(dst, '.')
		}
	}
	return dst
}

// withSerial returns the data of a SOA record with another serial number.
func withSerial(soa []byte, serial uint32) []byte {
	soa = slices.Clone(soa)
	binary.BigEndian.PutUint32(soa[len(soa)-serialOffset:], serial)
	return soa
}

// soaRecord is the SOA record of a template.
type soaRecord struct {
	fixed    []byte
	pointers []uint16
}

// serialOffset is where the serial number stands, from the end of the record.
const serialOffset = 20

func (t *template) compileSOA(z *zones.ParkedTemplate) error {
	mname, err := wire.ParseName(string(z.SOA.MName))
	if err != nil {
		return err
	}
	rname, err := wire.ParseName(string(z.SOA.RName))
	if err != nil {
		return err
	}
	seconds := func(d time.Duration) uint32 { return uint32(d / time.Second) }
	data := []byte(mname + rname)
	for _, v := range []uint32{0, seconds(z.SOA.Refresh), seconds(z.SOA.Retry), seconds(z.SOA.Expire), seconds(z.SOA.Minimum)} {
		data = binary.BigEndian.AppendUint32(data, v)
	}
	make := func(ttl uint32) soaRecord {
		s := compileRRset(dns.TypeSOA, ttl, []templateRecord{{rrtype: dns.TypeSOA, data: data}})
		return soaRecord{s.fixed, s.pointers}
	}
	t.soa, t.negative = make(t.ttl), make(min(t.ttl, seconds(z.SOA.Minimum)))
	t.records = append(t.records, templateRecord{rrtype: dns.TypeSOA, data: data})
	return nil
}

// put writes the record where the records of an answer begin, and returns the
// offset behind it. The offset of the owner name is given. When there is no
// room the answer is truncated.
func (s *soaRecord) put(r *Reply, owner int, serial uint32) (at int, fits bool) {
	if r.At+len(s.fixed) > r.Limit {
		r.Truncated = true
		return r.At, false
	}
	putRelocated(r.Buf, r.At, s.fixed, s.pointers)
	at = r.At + len(s.fixed)
	binary.BigEndian.PutUint16(r.Buf[r.At:], 0xc000|uint16(owner))
	binary.BigEndian.PutUint32(r.Buf[at-serialOffset:], serial)
	return at, true
}

// compressor writes the records of one RRset and compresses the names in them
// against each other.
type compressor struct {
	out      []byte
	pointers []uint16
	seen     map[wire.Name]int
}

// data writes RDATA.
func (c *compressor) data(rrtype uint16, data []byte) {
	before, names := wire.CompressibleNames(rrtype)
	c.out = append(c.out, data[:before]...)
	data = data[before:]
	for range names {
		name, next, err := wire.ReadName(data, 0)
		if err != nil {
			break // it is data that wire.FromRR has made
		}
		c.name(name)
		data = data[next:]
	}
	c.out = append(c.out, data...)
}

func (c *compressor) name(name wire.Name) {
	for ; len(name) > 1; name = name.Parent() {
		if at, ok := c.seen[name]; ok {
			c.pointers = append(c.pointers, uint16(len(c.out)))
			c.out = binary.BigEndian.AppendUint16(c.out, uint16(at))
			return
		}
		c.seen[name] = len(c.out)
		c.out = append(c.out, name[:1+name[0]]...)
	}
	c.out = append(c.out, 0)
}
