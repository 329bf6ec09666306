package nameserver

import (
	"encoding/binary"
	"net/netip"

	"github.com/miekg/dns"
)

const (
	// optSize is the size of an OPT record without options.
	optSize          = 11
	clientCookieSize = 8
	serverCookieSize = 16
	cookieSize       = clientCookieSize + serverCookieSize
	// A server cookie of another implementation has 8 to 32 bytes.
	minForeignCookieSize = clientCookieSize + 8
	maxForeignCookieSize = clientCookieSize + 32
)

// edns is what the OPT record of a query says (RFC 6891).
type edns struct {
	present bool
	do      bool
	// size is the largest UDP message that the client takes.
	size uint16
	// cookieSize is the length of the cookie option, 0 when there is none.
	cookieSize uint8
	// cookie is the client cookie, then the server cookie: the one that came,
	// later the one to send.
	cookie [cookieSize]byte
}

// parseOPT reads b, which must be one OPT record of version 0 and nothing
// else. It fails on what the slow path must answer with an error.
func (q *query) parseOPT(b []byte) bool {
	if len(b) < optSize || b[0] != 0 || binary.BigEndian.Uint16(b[1:]) != dns.TypeOPT ||
		b[6] != 0 || int(binary.BigEndian.Uint16(b[9:])) != len(b)-optSize {
		return false
	}
	q.edns.present = true
	q.edns.size = binary.BigEndian.Uint16(b[3:])
	q.edns.do = b[7]&0x80 != 0
	return q.parseOptions(b[optSize:])
}

// parseOptions reads the options of an OPT record; unknown ones are ignored
// (RFC 6891 section 6.1.2). It fails when they are malformed.
func (q *query) parseOptions(b []byte) bool {
	for len(b) > 0 {
		if len(b) < 4 {
			return false
		}
		code, size := binary.BigEndian.Uint16(b), int(binary.BigEndian.Uint16(b[2:]))
		if size > len(b)-4 {
			return false
		}
		data := b[4 : 4+size]
		b = b[4+size:]
		switch code {
		case dns.EDNS0COOKIE:
			// RFC 7873 section 5.2: the first counts, others are ignored; a
			// wrong length is FORMERR.
			if q.edns.cookieSize != 0 {
				continue
			}
			if size != clientCookieSize && (size < minForeignCookieSize || size > maxForeignCookieSize) {
				return false
			}
			q.edns.cookieSize = uint8(size)
			copy(q.edns.cookie[:], data)
		case dns.EDNS0SUBNET:
			q.subnet = parseSubnet(data)
		}
	}
	return true
}

// parseSubnet reads the client subnet option (RFC 7871 section 6). Answers do
// not depend on it, so it is only taken down; a malformed one is none.
func parseSubnet(b []byte) netip.Prefix {
	if len(b) < 4 {
		return netip.Prefix{}
	}
	family, bits, data := binary.BigEndian.Uint16(b), int(b[2]), b[4:]
	if len(data) != (bits+7)/8 {
		return netip.Prefix{}
	}
	var addr netip.Addr
	switch {
	case family == 1 && bits <= 32:
		var a [4]byte
		copy(a[:], data)
		addr = netip.AddrFrom4(a)
	case family == 2 && bits <= 128:
		var a [16]byte
		copy(a[:], data)
		addr = netip.AddrFrom16(a)
	default:
		return netip.Prefix{}
	}
	p, err := addr.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}

// optLength is the length of the OPT record of the answer.
func (q *query) optLength() int {
	switch {
	case !q.edns.present:
		return 0
	case q.edns.cookieSize == 0:
		return optSize
	}
	return optSize + 4 + cookieSize
}

// appendOPT writes the OPT record of the answer at an offset and returns the
// offset behind it. A query with OPT gets one back, others do not (RFC 6891
// section 6.1.1); DO is copied (RFC 3225 section 3).
func (q *query) appendOPT(at int, extendedRcode byte) int {
	if !q.edns.present {
		return at
	}
	size := q.optLength()
	b := q.buf[at : at+size : at+size]
	b[0] = 0
	binary.BigEndian.PutUint16(b[1:], dns.TypeOPT)
	binary.BigEndian.PutUint16(b[3:], maxUDPAnswer)
	b[5], b[6], b[7], b[8] = extendedRcode, 0, 0, 0
	if q.edns.do {
		b[7] = 0x80
	}
	binary.BigEndian.PutUint16(b[9:], uint16(size-optSize))
	if size > optSize {
		binary.BigEndian.PutUint16(b[11:], dns.EDNS0COOKIE)
		binary.BigEndian.PutUint16(b[13:], cookieSize)
		copy(b[15:], q.edns.cookie[:])
	}
	return at + size
}
