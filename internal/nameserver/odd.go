package nameserver

import (
	"encoding/binary"
	"time"

	"github.com/miekg/dns"

	"nullspf/internal/wire"
)

// record is a resource record where it stands in a message.
type record struct {
	// name is the offset of the owner name.
	name   int
	rrtype uint16
	class  uint16
	ttl    uint32
	data   []byte
}

// nextRecord reads the record at an offset and returns the offset behind it;
// ok is false when the message ends in the middle of it. What the record's
// data holds is not checked.
func nextRecord(b []byte, at int) (r record, next int, ok bool) {
	r.name = at
	at, err := wire.SkipName(b, at)
	if err != nil || at+10 > len(b) {
		return r, 0, false
	}
	r.rrtype = binary.BigEndian.Uint16(b[at:])
	r.class = binary.BigEndian.Uint16(b[at+2:])
	r.ttl = binary.BigEndian.Uint32(b[at+4:])
	size := int(binary.BigEndian.Uint16(b[at+8:]))
	at += 10
	if at+size > len(b) {
		return r, 0, false
	}
	r.data = b[at : at+size]
	return r, at + size, true
}

// answerOdd answers any message that has a header and is not a response. A plain
// query gets the answer that the packet path gives, a signed one is signed.
func (t *table) answerOdd(q *query, now int64) outcome {
	q.edns, q.tracked, q.verified = edns{}, false, q.tcp && !q.unproven
	// A message in which no signature can be found is malformed or not signed.
	plain, signed, err := t.keys.Verify(q.buf[:q.size], time.Unix(0, now))
	if err != nil || signed == nil {
		return t.answerUnsigned(q, now)
	}
	q.size = len(plain)
	q.signed = signed
	var o outcome
	if signed.Error != 0 {
		t.noteRefusedNotify(q)
		o = q.refuseSignature()
	} else {
		o = t.answerUnsigned(q, now)
	}
	if o != transferred {
		q.sign(time.Unix(0, now))
	}
	return o
}

// answerUnsigned answers a message whose signature, if it had one, was right
// and is taken off.
func (t *table) answerUnsigned(q *query, now int64) outcome {
	b := q.buf[:q.size]
	end, ok := q.parseQuestion(b)
	questions := binary.BigEndian.Uint16(b[4:])
	switch b[2] & maskOpcode {
	case 0:
	case dns.OpcodeNotify << 3:
		if t.notified != nil {
			return t.takeNotify(q)
		}
		fallthrough
	default:
		// RD and CD are those of queries; in other opcodes the bits may mean
		// anything.
		b[2] &^= flagRD
		b[3] &^= flagCD
		return q.fail(dns.RcodeNotImplemented, notImp)
	}
	if questions == 0 {
		end, ok = headerSize, true
	}
	// RFC 9619: a query has one question at most.
	if !ok || questions > 1 {
		return q.fail(dns.RcodeFormatError, formErr)
	}
	q.end = end
	found, ok := q.parseRecords(b)
	if !ok {
		return q.fail(dns.RcodeFormatError, formErr)
	}
	q.setLimit()
	t.applyCookie(q, now)
	if found.version != 0 {
		q.finish(q.end, 0, dns.RcodeBadVers, 0, 0, 0)
		return badVers
	}
	if questions == 0 {
		// RFC 7873 section 5.4: a query for a cookie alone.
		if q.edns.cookieSize == 0 {
			return q.fail(dns.RcodeFormatError, formErr)
		}
		q.finish(q.end, 0, dns.RcodeSuccess, 0, 0, 0)
		return cookieOnly
	}
	q.qtype = binary.BigEndian.Uint16(b[end-4:])
	class := binary.BigEndian.Uint16(b[end-2:])
	transfer := q.qtype == dns.TypeAXFR || q.qtype == dns.TypeIXFR
	if transfer && class == dns.ClassINET && t.out != nil {
		return t.transfer(q)
	}
	if class != dns.ClassINET || transfer {
		q.refuse()
		return refused
	}
	o, _ := t.respond(q)
	return o
}

// foundRecords are those behind the question that decide the answer.
type foundRecords struct {
	version uint8 // of EDNS
}

// parseRecords reads what stands behind the question; it fails on a malformed
// message. Bytes behind the last record are ignored.
func (q *query) parseRecords(b []byte) (found foundRecords, ok bool) {
	answer := binary.BigEndian.Uint16(b[6:])
	authority := int(binary.BigEndian.Uint16(b[8:]))
	additional := int(binary.BigEndian.Uint16(b[10:]))
	// RFC 1995 section 3: only IXFR carries a record, in the authority section.
	ixfr := q.end > headerSize && binary.BigEndian.Uint16(b[q.end-4:]) == dns.TypeIXFR
	if answer != 0 || authority != 0 && !ixfr {
		return found, false
	}
	at := q.end
	for i := range authority + additional {
		r, next, ok := nextRecord(b, at)
		if !ok {
			return found, false
		}
		at = next
		if i < authority {
			continue
		}
		switch r.rrtype {
		case dns.TypeTSIG:
			// RFC 8945 section 5.1: TSIG stands last, and then it was taken off.
			return found, false
		case dns.TypeOPT:
			// RFC 6891 section 6.1.1: one, owned by the root.
			if q.edns.present || b[r.name] != 0 {
				return found, false
			}
			q.edns.present = true
			q.edns.size = r.class
			q.edns.do = r.ttl&0x8000 != 0
			found.version = uint8(r.ttl >> 16)
			// The options of another version need not be those of ours.
			if found.version == 0 && !q.parseOptions(r.data) {
				q.edns.cookieSize = 0
				return found, false
			}
		}
	}
	return found, true
}

// fail answers with an error and nothing but the header.
func (q *query) fail(rcode uint8, o outcome) outcome {
	q.edns = edns{}
	binary.BigEndian.PutUint16(q.buf[4:], 0)
	q.finish(headerSize, 0, rcode, 0, 0, 0)
	return o
}
