package nameserver

import (
	"encoding/binary"
	"net/netip"

	"github.com/miekg/dns"

	"nullspf/internal/ascii"
	"nullspf/internal/wire"
	"nullspf/internal/xfr"
	"nullspf/internal/zonestore"
)

const (
	headerSize = 12
	// maxUDPAnswer is the largest answer over UDP: what passes every path
	// unfragmented (RFC 9715 section 3.1).
	maxUDPAnswer = 1232
	// plainUDPAnswer is the largest answer to a query without EDNS
	// (RFC 1035 section 4.2.1).
	plainUDPAnswer = 512
	// udpMessageSize and messageSize are the sizes of the longest queries over
	// UDP and TCP. Longer ones are cut there, which makes them malformed. No
	// answer over UDP exceeds udpMessageSize, none of a tracking zone
	// messageSize.
	udpMessageSize = 1280
	messageSize    = 4096
	// maxMessage is the longest message over TCP.
	maxMessage = 65535
)

// Bits of bytes 2 and 3 of the header (RFC 1035 section 4.1.1, RFC 4035
// section 3.2).
const (
	flagQR     = 0x80
	maskOpcode = 0x78
	flagAA     = 0x04
	flagTC     = 0x02
	flagRD     = 0x01
	flagCD     = 0x10
)

// query is a query and, once answered, its answer, in one buffer:
//
//	0        12                     end
//	+--------+----------------------+---------------------------------+
//	| header | QNAME  QTYPE  QCLASS | OPT; in the answer records, OPT |
//	+--------+----------------------+---------------------------------+
//
// The question stays where it is, so its case comes back as it was asked.
type query struct {
	buf []byte
	// size is the length of the query, later that of the answer.
	size int
	// end is the offset behind the question section.
	end   int
	qtype uint16
	// limit is the length that the answer may have.
	limit int

	edns edns
	// reply is the part of the answer that stored zones make. Its QName are the
	// labels of every query.
	reply zonestore.Reply
	// subnet is the client subnet of RFC 7871, the zero Prefix when none.
	subnet netip.Prefix
	// signed is what was found of a signature; nil for none.
	signed *xfr.Signed
	// stream sends a message of a transfer; nil over UDP.
	stream func(message []byte) error
	// client is who asks.
	client netip.AddrPort
	tcp    bool
	// unproven: a proxy says that its client came over UDP, though it uses TCP.
	unproven bool
	// verified: the address of client is not forged.
	verified bool

	// tracked: the query is an event, in the zone with the number zone.
	tracked bool
	zone    uint16
}

// verdict is what a first look at a message gives.
type verdict uint8

const (
	// plain: one question of class IN, at most one OPT, nothing else: all that
	// a resolver sends.
	plain verdict = iota
	// odd: everything else, for the slow path to name.
	odd
	// mute: a message that must not or cannot be answered.
	muteShort
	muteResponse
)

// name returns QNAME in wire format, uncompressed, case as asked. It is valid
// until the buffer is used again.
func (q *query) name() []byte { return q.buf[headerSize : q.end-4] }

// label returns label i of QNAME, counted from the left.
func (q *query) label(i int) []byte {
	at := headerSize + int(q.reply.QName.At[i])
	return q.buf[at+1 : at+1+int(q.buf[at])]
}

// reset makes q ready for the message of size bytes at the start of buf,
// which must have room for the largest answer.
func (q *query) reset(buf []byte, size int) {
	q.buf = buf
	q.size = size
	q.end = headerSize
	q.qtype = 0
	q.edns = edns{}
	q.subnet = netip.Prefix{}
	q.verified = q.tcp && !q.unproven
	q.tracked = false
	q.signed = nil
}

// parse looks at the message without allocating.
func (q *query) parse() verdict {
	b := q.buf[:q.size]
	if len(b) < headerSize {
		return muteShort
	}
	if b[2]&flagQR != 0 {
		return muteResponse
	}
	end, ok := q.parseQuestion(b)
	if !ok {
		return odd
	}
	q.end = end
	q.qtype = binary.BigEndian.Uint16(b[end-4:])
	class := binary.BigEndian.Uint16(b[end-2:])
	additional := binary.BigEndian.Uint16(b[10:])
	counts := binary.BigEndian.Uint64(b[4:]) >> 16 // QDCOUNT, ANCOUNT, NSCOUNT
	switch {
	case b[2]&maskOpcode != 0, counts != 1<<32, additional > 1, class != dns.ClassINET:
		return odd
	case q.qtype == dns.TypeAXFR || q.qtype == dns.TypeIXFR:
		return odd
	case additional == 0 && end != len(b):
		return odd
	case additional == 1 && !q.parseOPT(b[end:]):
		return odd
	}
	q.setLimit()
	return plain
}

// parseQuestion finds the end of the first question and the labels of its
// name. The name of a question is never compressed: nothing stands before it.
func (q *query) parseQuestion(b []byte) (end int, ok bool) {
	size := q.reply.QName.Read(b[headerSize:])
	end = headerSize + size + 4
	return end, size > 0 && end <= len(b)
}

// within returns which label of QNAME is the first of the zone's name, which has
// a number of labels; ok is false when QNAME is not in the zone.
func (q *query) within(zone wire.Name, labels int) (first int, ok bool) {
	first = q.reply.QName.Count - labels
	return first, first >= 0 && ascii.EqualFold(q.name()[q.reply.QName.At[first]:], zone)
}

func (q *query) setLimit() {
	switch {
	case q.tcp:
		q.limit = len(q.buf)
	case q.edns.present:
		q.limit = min(max(int(q.edns.size), plainUDPAnswer), maxUDPAnswer)
	default:
		q.limit = plainUDPAnswer
	}
	if q.signed != nil {
		q.limit -= q.signed.Room()
	}
}
