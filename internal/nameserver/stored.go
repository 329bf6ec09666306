package nameserver

import (
	"github.com/miekg/dns"

	"nullspf/internal/zonestore"
)

// storedZones answers from zones in memory: parked ones and those of a
// secondary. Of two that a name is in, the one with the longer name answers.
type storedZones struct {
	parked    *zonestore.Parked // nil is none
	secondary *zonestore.Table  // nil is none
}

// stored returns what a block without tracking zones serves.
func (c *compiler) stored(b *Block) *storedZones {
	s := &storedZones{}
	if b.Parked {
		s.parked = c.parked
	}
	if b.Secondary && c.secondary != nil {
		s.secondary = c.secondary.Table()
	}
	return s
}

// Respond implements responder.
func (s *storedZones) Respond(q *query) bool {
	r := q.startReply()
	// DS is asked of the zone above a zone cut, when that is served here too
	// (RFC 4035 section 3.1.4.1).
	if q.qtype == dns.TypeDS && s.respond(r, r.Labels()-1) || s.respond(r, r.Labels()) {
		q.finishReply()
		return true
	}
	return false
}

// respond answers from the zone with the longest name of at most so many
// labels, and returns false when there is none.
func (s *storedZones) respond(r *zonestore.Reply, most int) bool {
	found, labels := -1, -1
	if s.parked != nil {
		found, labels = s.parked.Find(r, most)
	}
	if s.secondary != nil {
		if slot, n := s.secondary.Find(r, most); slot != nil && n > labels {
			if z := slot.Zone(); z != nil {
				z.Answer(r, n)
			} else {
				r.Rcode = dns.RcodeServerFailure
			}
			return true
		}
	}
	if found < 0 {
		return false
	}
	s.parked.Answer(r, found, labels)
	return true
}

// startReply makes the query ready for a stored zone.
func (q *query) startReply() *zonestore.Reply {
	r := &q.reply
	r.Buf = q.buf
	r.At = q.end
	r.Limit = q.limit - q.optLength()
	r.Type = q.qtype
	r.DO = q.edns.present && q.edns.do
	r.Rcode, r.Authoritative, r.Truncated = dns.RcodeSuccess, false, false
	r.Answer, r.Authority, r.Additional = 0, 0, 0
	return r
}

// finishReply makes the message of what a stored zone has answered.
func (q *query) finishReply() {
	r := &q.reply
	var flags uint8
	if r.Authoritative {
		flags |= flagAA
	}
	if r.Truncated {
		flags |= flagTC
	}
	q.finish(r.At, flags, r.Rcode, r.Answer, r.Authority, r.Additional)
}
