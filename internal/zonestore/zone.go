package zonestore

import (
	"encoding/binary"

	"github.com/miekg/dns"

	"nullspf/internal/wire"
)

// Zone is one version of a zone with records of its own. It never changes.
//
// All records stand in one block of memory without pointers, a node for each
// owner name, in canonical order (RFC 4034 section 6.1):
//
//	nodes: 0        52            190
//	blob:  node     node          node ...
//	node:  size of name | labels, the topmost first | number of RRsets | RRset ...
//	RRset: type | TTL | records | signatures | size | length, RDATA ... | length, RRSIG ...
//
// Since the labels of a name stand in the order in which names are compared,
// names are compared byte by byte, and a name is below another when it begins
// with it.
type Zone struct {
	apex wire.Name
	blob []byte
	// nodes are offsets into blob, the apex first.
	nodes []uint32
	// hashed are the offsets of nodes with NSEC3 records, in order of their
	// hashes: names of their own kind (RFC 5155 section 7.1).
	hashed []uint32
	// soa is the offset of the SOA RRset.
	soa    uint32
	serial uint32
	count  int
	// nsec3 is nil without a chain of NSEC3 records.
	nsec3 *nsec3Params
	// cuts: there are zone cuts or DNAME records.
	cuts bool
}

// nsec3Params say how names are hashed (RFC 5155 section 4).
type nsec3Params struct {
	iterations uint16
	salt       []byte
	// chain are those of the zone's hashed nodes that have these parameters.
	chain []uint32
}

// Sizes of what stands before names and data.
const (
	rrsetHeader = 2 + 4 + 2 + 2 + 4
	lengthSize  = 2
)

// Name returns the name of the zone's apex.
func (z *Zone) Name() wire.Name { return z.apex }

// Serial returns the serial number.
func (z *Zone) Serial() uint32 { return z.serial }

// Count returns the number of records.
func (z *Zone) Count() int { return z.count }

// Size returns about how many bytes of memory the zone takes.
func (z *Zone) Size() int {
	return 160 + len(z.apex) + cap(z.blob) + 4*cap(z.nodes) + 4*cap(z.hashed)
}

// SOA returns the SOA record, as a record and read.
func (z *Zone) SOA() (wire.Record, wire.SOA) {
	s := z.rrsetAt(z.soa)
	data, _ := s.first()
	r := wire.Record{Name: z.apex, Type: dns.TypeSOA, Class: dns.ClassINET, TTL: s.ttl, Data: data}
	soa, _ := wire.ParseSOA(data) // Build has read it
	return r, soa
}

// zoneNode is a node where it stands in the blob.
type zoneNode struct {
	// labels is the owner name relative to the apex, the topmost label first.
	labels []byte
	// rrsets are its RRsets, one after the other.
	rrsets []byte
	// count is their number.
	count int
}

// zoneRRset is an RRset where it stands in the blob.
type zoneRRset struct {
	rrtype uint16
	ttl    uint32
	// count and sigs are the numbers of records and of the RRSIG records that
	// cover them.
	count, sigs int
	// data are the RDATA, each after its length, then those of the signatures.
	data []byte
}

func (z *Zone) node(i int) zoneNode { return z.nodeAt(z.nodes[i]) }

func (z *Zone) nodeAt(at uint32) zoneNode {
	b := z.blob[at:]
	size := int(b[0])
	return zoneNode{
		labels: b[1 : 1+size],
		count:  int(binary.LittleEndian.Uint16(b[1+size:])),
		rrsets: b[3+size:],
	}
}

func (z *Zone) rrsetAt(at uint32) zoneRRset {
	s, _ := readRRset(z.blob[at:])
	return s
}

// readRRset reads an RRset and returns what follows it.
func readRRset(b []byte) (s zoneRRset, rest []byte) {
	size := int(binary.LittleEndian.Uint32(b[10:]))
	s = zoneRRset{
		rrtype: binary.LittleEndian.Uint16(b),
		ttl:    binary.LittleEndian.Uint32(b[2:]),
		count:  int(binary.LittleEndian.Uint16(b[6:])),
		sigs:   int(binary.LittleEndian.Uint16(b[8:])),
		data:   b[rrsetHeader : rrsetHeader+size],
	}
	return s, b[rrsetHeader+size:]
}

// find returns the RRset of a type; ok is false when the node has none.
func (n *zoneNode) find(rrtype uint16) (s zoneRRset, ok bool) {
	b := n.rrsets
	for range n.count {
		if binary.LittleEndian.Uint16(b) == rrtype {
			s, _ = readRRset(b)
			return s, true
		}
		b = b[rrsetHeader+int(binary.LittleEndian.Uint32(b[10:])):]
	}
	return s, false
}

// each yields all RRsets. RRSIG records that cover nothing that is there stand
// in an RRset of their own.
func (n *zoneNode) each(yield func(s zoneRRset) bool) {
	b := n.rrsets
	for range n.count {
		var s zoneRRset
		if s, b = readRRset(b); !yield(s) {
			return
		}
	}
}

// first returns the first RDATA and what follows it.
func (s *zoneRRset) first() (data, rest []byte) { return nextData(s.data) }

func nextData(b []byte) (data, rest []byte) {
	size := int(binary.BigEndian.Uint16(b))
	return b[lengthSize : lengthSize+size], b[lengthSize+size:]
}

// owner returns the owner name of a node.
func (z *Zone) owner(labels []byte) wire.Name {
	var b [wire.MaxName]byte
	at := len(labels)
	n := at
	for rest := labels; len(rest) > 0; {
		size := 1 + int(rest[0])
		at -= size
		copy(b[at:], rest[:size])
		rest = rest[size:]
	}
	return wire.Name(b[:n]) + z.apex
}

// Records yields all records, the SOA first, then in canonical order of their
// owner names. The record and its data are valid until yield returns.
func (z *Zone) Records(yield func(*wire.Record) bool) {
	r, _ := z.SOA()
	if !yield(&r) {
		return
	}
	for _, list := range [][]uint32{z.nodes, z.hashed} {
		for _, at := range list {
			n := z.nodeAt(at)
			r := wire.Record{Name: z.owner(n.labels), Class: dns.ClassINET}
			for s := range n.each {
				r.TTL = s.ttl
				b := s.data
				for i := range s.count + s.sigs {
					r.Type = s.rrtype
					if i >= s.count {
						r.Type = dns.TypeRRSIG
					}
					r.Data, b = nextData(b)
					if r.Type == dns.TypeSOA {
						continue
					}
					if !yield(&r) {
						return
					}
				}
			}
		}
	}
}
