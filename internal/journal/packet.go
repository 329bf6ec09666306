package journal

import (
	"encoding/binary"
	"errors"
	"net/netip"

	"nullspf/spftrack"
)

// Packet is what the hot path knows of a query.
type Packet struct {
	// Time is nanoseconds since 1970-01-01 UTC.
	Time int64
	// Resolver is the address from which the query came.
	Resolver netip.AddrPort
	// ECS is the prefix of an EDNS Client Subnet option (RFC 7871); the zero
	// Prefix for none.
	ECS netip.Prefix
	// Name is the query name: uncompressed wire format, at most 255 bytes,
	// case kept. It is copied.
	Name []byte
	// Zone is the index of the zone.
	Zone uint16
	// Qtype is the type of the query.
	Qtype     uint16
	Transport spftrack.Transport
	// Verified: the query came over TCP or with a valid DNS cookie.
	Verified bool
	// Session: it is a session at the SMTP listener, and Name is what
	// [Session.Packet] packs.
	Session bool
}

// A record is a packet in a ring and in a wal file; integers are little-endian.
//
//	0  length of the record   uint16
//	2  flags                  uint8
//	3  length of ECS prefix   uint8
//	4  zone                   uint16
//	6  type                   uint16
//	8  time                   int64
//	16 resolver's port        uint16
//	18 resolver               4 or 16 bytes
//	   ECS address            none, 4 or 16 bytes
//	   name                   the rest
const (
	recordFixed = 18
	maxName     = 255
	maxRecord   = recordFixed + 16 + 16 + maxName

	recordTCP       = 1 << 0
	recordVerified  = 1 << 1
	recordResolver6 = 1 << 2
	recordECS       = 1 << 3
	recordECS6      = 1 << 4
	recordSession   = 1 << 7 // the bits between are those of packed records
)

// putRecord writes a packet to b, which has room for maxRecord bytes, and
// returns the record's length.
func putRecord(b []byte, p *Packet) int {
	_ = b[maxRecord-1]
	flags := uint8(p.Transport) & recordTCP
	if p.Verified {
		flags |= recordVerified
	}
	if p.Session {
		flags |= recordSession
	}
	n := recordFixed
	resolver := p.Resolver.Addr()
	if resolver.Is4() || resolver.Is4In6() {
		a := resolver.As4()
		copy(b[n:n+4], a[:])
		n += 4
	} else {
		a := resolver.As16()
		copy(b[n:n+16], a[:])
		n += 16
		flags |= recordResolver6
	}
	bits := uint8(0)
	if p.ECS.IsValid() {
		flags |= recordECS
		bits = uint8(p.ECS.Bits())
		if p.ECS.Addr().Is4() {
			a := p.ECS.Addr().As4()
			copy(b[n:n+4], a[:])
			n += 4
		} else {
			a := p.ECS.Addr().As16()
			copy(b[n:n+16], a[:])
			n += 16
			flags |= recordECS6
		}
	}
	n += copy(b[n:maxRecord], p.Name)
	binary.LittleEndian.PutUint64(b[0:], uint64(n)|uint64(flags)<<16|uint64(bits)<<24|uint64(p.Zone)<<32|uint64(p.Qtype)<<48)
	binary.LittleEndian.PutUint64(b[8:], uint64(p.Time))
	binary.LittleEndian.PutUint16(b[16:], p.Resolver.Port())
	return n
}

var errRecord = errors.New("malformed record")

// getRecord reads the record at the beginning of b and returns its length, which
// is 0 when there is none. With any other length, an error is about the record
// alone. The name refers to b.
func getRecord(b []byte, p *Packet) (int, error) {
	if len(b) < recordFixed {
		return 0, errRecord
	}
	n := int(binary.LittleEndian.Uint16(b))
	if n < recordFixed || n > len(b) {
		return 0, errRecord
	}
	flags, bits := b[2], b[3]
	*p = Packet{
		Time:      int64(binary.LittleEndian.Uint64(b[8:])),
		Zone:      binary.LittleEndian.Uint16(b[4:]),
		Qtype:     binary.LittleEndian.Uint16(b[6:]),
		Transport: spftrack.Transport(flags & recordTCP),
		Verified:  flags&recordVerified != 0,
		Session:   flags&recordSession != 0,
	}
	rest := b[recordFixed:n]
	resolver, rest, ok := getAddr(rest, flags&recordResolver6 != 0)
	if !ok {
		return n, errRecord
	}
	p.Resolver = netip.AddrPortFrom(resolver, binary.LittleEndian.Uint16(b[16:]))
	if flags&recordECS != 0 {
		var addr netip.Addr
		if addr, rest, ok = getAddr(rest, flags&recordECS6 != 0); !ok {
			return n, errRecord
		}
		p.ECS = netip.PrefixFrom(addr, int(bits))
	}
	if len(rest) > maxName {
		return n, errRecord
	}
	p.Name = rest[:len(rest):len(rest)]
	return n, nil
}

func getAddr(b []byte, is6 bool) (addr netip.Addr, rest []byte, ok bool) {
	switch {
	case is6 && len(b) >= 16:
		return netip.AddrFrom16([16]byte(b)), b[16:], true
	case !is6 && len(b) >= 4:
		return netip.AddrFrom4([4]byte(b)), b[4:], true
	}
	return addr, nil, false
}
