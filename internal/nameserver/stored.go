package nameserver

import (
	"fmt"

	"github.com/miekg/dns"

	"nullspf/internal/secondary"
	"nullspf/internal/wire"
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
		s.parked = c.config.Parked.Zones
	}
	if b.Secondary && c.secondary != nil {
		s.secondary = c.secondary.Table()
	}
	return s
}

// Respond implements [Responder].
func (s *storedZones) Respond(q *Query) bool {
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

// startReply makes the question ready for a stored zone.
func (q *Query) startReply() *zonestore.Reply {
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
func (q *Query) finishReply() {
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

// loadParked reads the parked zones, unless they are there.
func (c *Config) loadParked() error {
	p := c.Parked
	if p == nil || p.Zones != nil {
		return nil
	}
	zones, err := zonestore.LoadParked(p.Dir)
	if err != nil {
		return fmt.Errorf("%s - parked: %w", p.Position, err)
	}
	p.Zones = zones
	return nil
}

// succeedParked makes the parked zones of a configuration the successors of
// those that are served, and returns the names of those that secondaries are to
// be told of: the changed ones, or all at the start.
func (s *Server) succeedParked(c *Config) (tell []wire.Name) {
	if c.Parked == nil {
		return nil
	}
	zones := c.Parked.Zones
	var old *zonestore.Parked
	if s.config != nil && s.config.Parked != nil {
		old = s.config.Parked.Zones
	}
	changes := zones.Succeed(old)
	s.log.Info().Int("zones", zones.Len()).Int("changed", len(changes.Changed)).Int("removed", changes.Removed).
		Str("folder", c.Parked.Dir).Msg("parked zones loaded")
	if len(c.notifyTargets()) == 0 {
		return nil
	}
	if name := zones.CatalogName(); name != "" && (old == nil || changes.Catalog) {
		tell = append(tell, name)
	}
	if old == nil {
		for i := range zones.Len() {
			tell = append(tell, zones.Name(i))
		}
	}
	for _, i := range changes.Changed {
		tell = append(tell, zones.Name(int(i)))
	}
	return tell
}

// transferSource returns the zones of a configuration that can be transferred.
func (c *Config) transferSource(e *secondary.Engine) *transferSource {
	s := &transferSource{secondary: e}
	if c.Parked != nil {
		s.parked = c.Parked.Zones
	}
	return s
}

// zones counts the zones that are served, by kind.
func (s *Server) zones() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := map[string]int{"tracking": 0, "parked": 0, "secondary": s.secondary.Table().Len()}
	for _, b := range s.config.Blocks {
		n["tracking"] += len(b.Zones)
	}
	if p := s.config.Parked; p != nil {
		n["parked"] = p.Zones.Len()
	}
	return n
}
