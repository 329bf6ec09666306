package nameserver

import (
	"encoding/binary"

	"github.com/miekg/dns"
)

// responder answers the queries of the zones that it holds. It is used by
// many goroutines at once, sees plain queries of class IN only, never a
// transfer, and must neither keep q nor allocate.
type responder interface {
	// Respond answers q with [query.Reply] and returns true; or returns false
	// and leaves q alone when no zone of it holds the name.
	Respond(q *query) bool
}

// sections are the records of an answer.
type sections struct {
	// Records are the three sections in wire format, one after the other, as
	// they stand directly behind the question: compression pointers count from
	// the start of the message, where QNAME has the offset 12.
	Records []byte
	// The numbers of records.
	Answer, Authority, Additional uint16
}

// Reply makes an authoritative answer of the question, with the records of s
// and an OPT record when the query had one. What exceeds the limit of the
// transport is cut to an answer without records that has TC set (RFC 2181
// section 9). q keeps no part of s.
func (q *query) Reply(rcode uint8, s *sections) {
	at := q.end + len(s.Records)
	if at+q.optLength() > q.limit {
		q.finish(q.end, flagAA|flagTC, rcode, 0, 0, 0)
		return
	}
	copy(q.buf[q.end:at], s.Records)
	q.finish(at, flagAA, rcode, s.Answer, s.Authority, s.Additional)
}

// refuse answers that the name, the class or the transfer is none of ours.
func (q *query) refuse() { q.finish(q.end, 0, dns.RcodeRefused, 0, 0, 0) }

// truncate turns any answer into one that sends the client to TCP.
func (q *query) truncate() { q.finish(q.end, flagTC, dns.RcodeSuccess, 0, 0, 0) }

// finish writes the header and the OPT record around an answer that ends at an
// offset. ID, question, RD and CD stay as they were asked (RFC 1035 section
// 4.1.1, RFC 4035 section 3).
func (q *query) finish(at int, flags, rcode uint8, answer, authority, additional uint16) {
	b := q.buf
	b[2] = flagQR | flags | b[2]&(maskOpcode|flagRD)
	b[3] = b[3]&flagCD | rcode&0x0f
	if q.edns.present {
		additional++
	}
	binary.BigEndian.PutUint16(b[6:], answer)
	binary.BigEndian.PutUint16(b[8:], authority)
	binary.BigEndian.PutUint16(b[10:], additional)
	q.size = q.appendOPT(at, rcode>>4)
}
