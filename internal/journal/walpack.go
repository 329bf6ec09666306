package journal

import (
	"bytes"
	"encoding/binary"
	"strings"
)

// A packed record is a record as wal files have it since their version 2: without
// what the record before it, the header or the form of SPF names tells. Whatever
// the name is, it comes back byte for byte, upper and lower case too.
//
//	flags     uint8, those of the record; packedZone, packedType
//	form      uint8: which end of the name is left out, packedTail; which address
//	          stands in it, packed4 or packed6
//	time      varint, after that of the record before
//	zone      uvarint, if packedZone: another one than that of the record before
//	type      uvarint, if packedType: likewise
//	port      uint16, resolver 4 or 16 bytes, as in the record
//	ECS       if there: length of the prefix uint8, address 4 or 16 bytes
//	left      if an address stands in the name: its length uint8 and what is left
//	          of the address; the address, 4 or 16 bytes
//	right     its length uint8 and the rest
//
// The first record of a block comes after one with zeros.
const (
	packedZone = 1 << 5
	packedType = 1 << 6

	// packedTail are the bits of the end that is left out: 0 none, 1 the zone,
	// 2 FD.1 and the zone, 3 FD.2 and the zone.
	packedTail = 3
	packed4    = 1 << 2 // the labels of an IPv4 address, in-addr, CL
	packed6    = 1 << 3 // 32 nibbles, ip6, CL

	// minPacked is the length of the shortest packed record.
	minPacked = 1 + 1 + 1 + 2 + 4 + 1
	// blockRecords bounds the records of a block before they are packed: packed,
	// they have no more than maxBlock.
	blockRecords = 32 << 10
)

var (
	words4 = []byte("\x07in-addr\x02CL")
	words6 = []byte("\x03ip6\x02CL")
)

// packer packs and unpacks the records of a file, block by block.
type packer struct {
	// tails are the ends of names of each zone, by packedTail.
	tails [][4][]byte
	// Of the record before:
	time        int64
	zone, qtype uint16
}

func newPacker(zones []walZone) *packer {
	p := &packer{tails: make([][4][]byte, len(zones))}
	for i, z := range zones {
		if tail := zoneTail(z.name); tail != nil {
			p.tails[i] = [4][]byte{1: tail, 2: append([]byte("\x02FD\x011"), tail...), 3: append([]byte("\x02FD\x012"), tail...)}
		}
	}
	return p
}

// zoneTail is the name of a zone in wire format, nil when it has none.
func zoneTail(zone string) (tail []byte) {
	for label := range strings.SplitSeq(zone, ".") {
		if label == "" || len(label) > 63 {
			return nil
		}
		tail = append(append(tail, byte(len(label))), label...)
	}
	return append(tail, 0)
}

// begin begins a block.
func (p *packer) begin() { p.time, p.zone, p.qtype = 0, 0, 0 }

// packAll appends whole records, packed.
func (p *packer) packAll(dst, records []byte) []byte {
	p.begin()
	for len(records) > 0 {
		n := int(binary.LittleEndian.Uint16(records))
		dst = p.pack(dst, records[:n])
		records = records[n:]
	}
	return dst
}

func (p *packer) pack(dst, record []byte) []byte {
	le := binary.LittleEndian
	flags := record[2]
	zone, qtype, time := le.Uint16(record[4:]), le.Uint16(record[6:]), int64(le.Uint64(record[8:]))
	end := recordFixed + addrLen(flags&recordResolver6 != 0)
	fixed := record[recordFixed-2 : end] // port and resolver
	start := len(dst)
	dst = append(dst, flags, 0)
	dst = binary.AppendVarint(dst, time-p.time)
	if zone != p.zone {
		dst[start] |= packedZone
		dst = binary.AppendUvarint(dst, uint64(zone))
	}
	if qtype != p.qtype {
		dst[start] |= packedType
		dst = binary.AppendUvarint(dst, uint64(qtype))
	}
	p.time, p.zone, p.qtype = time, zone, qtype
	dst = append(dst, fixed...)
	if flags&recordECS != 0 {
		ecs := end + addrLen(flags&recordECS6 != 0)
		dst = append(append(dst, record[3]), record[end:ecs]...)
		end = ecs
	}
	name := record[end:]
	form := uint8(0)
	if int(zone) < len(p.tails) {
		for tail := uint8(packedTail); tail > 0; tail-- {
			if t := p.tails[zone][tail]; t != nil && bytes.HasSuffix(name, t) {
				form, name = tail, name[:len(name)-len(t)]
				break
			}
		}
	}
	var buf [16]byte
	if left, right, addr := splitName(name, &buf); addr != nil {
		form |= packed4
		if len(addr) == 16 {
			form ^= packed4 | packed6
		}
		dst = append(append(append(dst, byte(len(left))), left...), addr...)
		name = right
	}
	dst[start+1] = form
	return append(append(dst, byte(len(name))), name...)
}

func addrLen(is6 bool) int {
	if is6 {
		return 16
	}
	return 4
}

// splitName finds a whole address, with the words behind it, in labels; buf is
// memory for it. It is nil when there is none that [appendAddr] writes the same.
func splitName(name []byte, buf *[16]byte) (left, right, addr []byte) {
	if end := bytes.Index(name, words4); end >= 8 {
		if at := lastLabels(name[:end], 4); at >= 0 && octets(buf[:4], name[at:end]) {
			return name[:at], name[end+len(words4):], buf[:4]
		}
		return nil, nil, nil
	}
	if end := bytes.Index(name, words6); end >= 64 && nibbles(buf, name[end-64:end]) {
		return name[:end-64], name[end+len(words6):], buf[:]
	}
	return nil, nil, nil
}

// lastLabels returns where the last n labels begin in a sequence of labels, -1 when
// it is none or has fewer.
func lastLabels(labels []byte, n int) int {
	var at [4]int
	count, i := 0, 0
	for i < len(labels) {
		at[count%n] = i
		count++
		i += 1 + int(labels[i])
	}
	if i != len(labels) || count < n {
		return -1
	}
	return at[count%n]
}

// octets reads four labels of decimal numbers without leading zeros.
func octets(addr, labels []byte) bool {
	for i := range addr {
		n := int(labels[0])
		if n < 1 || n > 3 || n > 1 && labels[1] == '0' {
			return false
		}
		v := 0
		for _, c := range labels[1 : 1+n] {
			if c < '0' || c > '9' {
				return false
			}
			v = 10*v + int(c-'0')
		}
		if v > 255 {
			return false
		}
		addr[i], labels = byte(v), labels[1+n:]
	}
	return true
}

const hexDigits = "0123456789abcdef"

// nibbles reads 32 labels of a hexadecimal digit in lower case.
func nibbles(addr *[16]byte, labels []byte) bool {
	for i := range 32 {
		c := labels[2*i+1]
		v := c - '0'
		if c >= 'a' {
			v = c - 'a' + 10
		}
		if labels[2*i] != 1 || v > 15 || hexDigits[v] != c {
			return false
		}
		addr[i/2] = addr[i/2]<<4 | v
	}
	return true
}

// appendAddr appends an address as labels, with the words behind it.
func appendAddr(dst, addr []byte) []byte {
	if len(addr) == 16 {
		for _, b := range addr {
			dst = append(dst, 1, hexDigits[b>>4], 1, hexDigits[b&15])
		}
		return append(dst, words6...)
	}
	for _, b := range addr {
		switch {
		case b >= 100:
			dst = append(dst, 3, '0'+b/100, '0'+b/10%10, '0'+b%10)
		case b >= 10:
			dst = append(dst, 2, '0'+b/10, '0'+b%10)
		default:
			dst = append(dst, 1, '0'+b)
		}
	}
	return append(dst, words4...)
}

// unpackAll appends the records of a block; false when it does not hold count
// packed records and no more.
func (p *packer) unpackAll(dst, packed []byte, count int) (records []byte, ok bool) {
	p.begin()
	for range count {
		if dst, packed, ok = p.unpack(dst, packed); !ok {
			return nil, false
		}
	}
	return dst, len(packed) == 0
}

// unpack appends the record that stands packed at the beginning.
func (p *packer) unpack(dst, packed []byte) (out, rest []byte, ok bool) {
	r := packedReader{b: packed}
	head := r.bytes(2)
	flags, form := head[0], head[1]
	p.time += r.varint()
	if flags&packedZone != 0 {
		p.zone = r.uint16()
	}
	if flags&packedType != 0 {
		p.qtype = r.uint16()
	}
	fixed := r.bytes(2 + addrLen(flags&recordResolver6 != 0))
	var ecs []byte
	if flags&recordECS != 0 {
		ecs = r.bytes(1 + addrLen(flags&recordECS6 != 0))
	}
	le := binary.LittleEndian
	start := len(dst)
	dst = append(dst, 0, 0, flags&^(packedZone|packedType), 0)
	dst = le.AppendUint16(dst, p.zone)
	dst = le.AppendUint16(dst, p.qtype)
	dst = le.AppendUint64(dst, uint64(p.time))
	dst = append(dst, fixed...)
	if ecs != nil {
		dst[start+3] = ecs[0]
		dst = append(dst, ecs[1:]...)
	}
	name := len(dst)
	if form&(packed4|packed6) != 0 {
		dst = append(dst, r.text()...)
		dst = appendAddr(dst, r.bytes(addrLen(form&packed6 != 0)))
	}
	dst = append(dst, r.text()...)
	if tail := form & packedTail; tail != 0 {
		if int(p.zone) >= len(p.tails) || p.tails[p.zone][tail] == nil {
			return dst, nil, false
		}
		dst = append(dst, p.tails[p.zone][tail]...)
	}
	if r.bad || len(dst)-name > maxName || form > packedTail|packed6 || form&packed4 != 0 && form&packed6 != 0 {
		return dst, nil, false
	}
	le.PutUint16(dst[start:], uint16(len(dst)-start))
	return dst, r.b, true
}

// packedReader reads the fields of a packed record. After what cannot be, bad is
// set, and fields are zero.
type packedReader struct {
	b   []byte
	bad bool
}

var noBytes [17 + 2]byte

func (r *packedReader) bytes(n int) []byte {
	if n > len(r.b) {
		r.b, r.bad = nil, true
		return noBytes[:min(n, len(noBytes))]
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *packedReader) text() []byte { return r.bytes(int(r.bytes(1)[0])) }

func (r *packedReader) varint() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.b, r.bad = nil, true
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *packedReader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.b, r.bad = nil, true
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *packedReader) uint16() uint16 {
	v := r.uvarint()
	if v > 1<<16-1 {
		r.b, r.bad = nil, true
		return 0
	}
	return uint16(v)
}
