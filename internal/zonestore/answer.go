package zonestore

import (
	"github.com/miekg/dns"

	"nullspf/internal/ascii"
	"nullspf/internal/wire"
)

// maxChain bounds how many CNAME and DNAME records are followed.
const maxChain = 8

// target is a name that is looked up: QNAME, or where an alias leads.
type target struct {
	name   []byte
	labels *wire.Labels
	// at is its offset in the message.
	at int
}

// label returns label i, counted from the left, with its length.
func (t *target) label(i int) []byte {
	at := int(t.labels.At[i])
	return t.name[at : at+1+int(t.name[at])]
}

// from returns the name without its first labels.
func (t *target) from(first int) []byte { return t.name[t.labels.At[first]:] }

// answering is an answer on its way.
type answering struct {
	writer
	zone *Zone
	// apex is the number of labels of the apex.
	apex int
	// proofs are the offsets of the nodes whose NSEC or NSEC3 records belong
	// to the answer, of which written stand there already. They are collected:
	// the authority section begins where no alias is followed any more.
	proofs  [16]uint32
	proven  int
	written int
	chained bool
	// prove: the zone is signed, and what DNSSEC has is asked for.
	prove bool
}

// Answer answers from the zone, whose name has a number of labels (RFC 1034
// section 4.3.2). An answer that does not fit is truncated.
func (z *Zone) Answer(r *Reply, labels int) {
	a := answering{writer: writer{Reply: r}, zone: z, apex: labels}
	start := r.At
	r.Authoritative = true
	soa := z.rrsetAt(z.soa)
	a.prove = r.DO && soa.sigs > 0
	a.begin()
	t := target{name: r.name(), labels: &r.QName, at: headerSize}
	a.follow(&t)
	a.writeProofs()
	if a.full {
		r.At = start
		r.Answer, r.Authority, r.Additional = 0, 0, 0
		r.Truncated = true
	}
}

// follow answers for a name and for those to which aliases lead.
func (a *answering) follow(t *target) {
	r := a.Reply
	for range maxChain {
		size := a.step(t)
		if size == 0 || a.full {
			return
		}
		a.chained = true
		next := target{name: r.alias[:size], labels: &r.aliasLabels, at: -1}
		next.labels.Read(next.name)
		apex := next.labels.Count - a.apex
		if apex < 0 || !ascii.EqualFold(next.from(apex), a.zone.apex) {
			return // another zone answers for it
		}
		*t = next
	}
}

// step answers for one name. When it is an alias it returns the size of the name
// to which it leads, which then stands in the reply, else 0.
func (a *answering) step(t *target) int {
	z := a.zone
	if z.cuts {
		for first := t.labels.Count - a.apex - 1; first >= 0; first-- {
			i, ok := z.lookup(t, first, a.apex)
			if !ok {
				continue
			}
			n := z.node(i)
			if s, ok := n.find(dns.TypeNS); ok && !(first == 0 && a.Type == dns.TypeDS) {
				a.referral(t, first, &n, &s)
				return 0
			}
			if s, ok := n.find(dns.TypeDNAME); ok && first > 0 {
				return a.dname(t, first, &s)
			}
		}
	}
	i, ok := z.lookup(t, 0, a.apex)
	if ok {
		n := z.node(i)
		return a.data(t, &n, -1)
	}
	encloser := z.closestEncloser(t, i, a.apex)
	if encloser == 0 {
		a.negative(t) // an empty non-terminal
		a.proveNoData(t, 0, -1)
		return 0
	}
	w, ok := z.wildcard(t, encloser, a.apex)
	if ok {
		n := z.node(w)
		return a.data(t, &n, encloser)
	}
	if z.emptyWildcard(t, w, encloser, a.apex) {
		a.negative(t)
		a.proveNoData(t, 0, encloser)
		return 0
	}
	a.Rcode = dns.RcodeNameError
	a.negative(t)
	a.proveNoName(t, encloser)
	return 0
}

// data answers from a node. encloser is the first label of the closest
// encloser when it is a wildcard, else -1.
func (a *answering) data(t *target, n *zoneNode, encloser int) int {
	if s, ok := n.find(dns.TypeCNAME); ok && a.Type != dns.TypeCNAME && a.Type != dns.TypeANY && a.Type != dns.TypeRRSIG && a.Type != dns.TypeNSEC {
		a.putRRset(t, 0, &s)
		a.proveWildcard(t, encloser)
		target, _ := s.first()
		return copy(a.alias[:], target)
	}
	found := false
	switch a.Type {
	case dns.TypeANY:
		found = a.any(t, n)
	case dns.TypeRRSIG:
		found = a.signatures(t, n)
	default:
		var s zoneRRset
		if s, found = n.find(a.Type); found {
			a.putRRset(t, 0, &s)
			a.proveWildcard(t, encloser)
			a.writeProofs()
			a.additional(&s)
			return 0
		}
	}
	if found {
		a.proveWildcard(t, encloser)
		return 0
	}
	a.negative(t)
	a.proveNoData(t, 0, encloser)
	return 0
}

// putRRset writes an RRset whose owner is a name without its first labels.
func (a *answering) putRRset(t *target, first int, s *zoneRRset) {
	a.putTTL(t, first, s, s.ttl)
}

func (a *answering) putTTL(t *target, first int, s *zoneRRset, ttl uint32) {
	if t.at < 0 {
		a.rrset(0, t.from(first), s, ttl)
		return
	}
	a.rrset(t.at+int(t.labels.At[first]), nil, s, ttl)
}

// any answers with one RRset (RFC 8482 section 4.1).
func (a *answering) any(t *target, n *zoneNode) bool {
	for _, rrtype := range [...]uint16{dns.TypeSOA, dns.TypeA, dns.TypeAAAA} {
		if s, ok := n.find(rrtype); ok {
			a.putRRset(t, 0, &s)
			return true
		}
	}
	for s := range n.each {
		if s.rrtype != dns.TypeNSEC && s.rrtype != dns.TypeRRSIG {
			a.putRRset(t, 0, &s)
			return true
		}
	}
	return false
}

// signatures answers with all RRSIG records of a node.
func (a *answering) signatures(t *target, n *zoneNode) (found bool) {
	for s := range n.each {
		b := s.data
		for i := range s.count + s.sigs {
			var data []byte
			data, b = nextData(b)
			if i >= s.count || s.rrtype == dns.TypeRRSIG {
				a.record(t.at, t.owner(), dns.TypeRRSIG, s.ttl, data)
				found = true
			}
		}
	}
	return found
}

// owner returns the name to write where no pointer will do.
func (t *target) owner() []byte {
	if t.at < 0 {
		return t.name
	}
	return nil
}

// negative puts the SOA record into the authority section (RFC 2308 section 3).
func (a *answering) negative(t *target) {
	a.section = &a.Authority
	s := a.zone.rrsetAt(a.zone.soa)
	data, _ := s.first()
	minimum := uint32(data[len(data)-4])<<24 | uint32(data[len(data)-3])<<16 | uint32(data[len(data)-2])<<8 | uint32(data[len(data)-1])
	a.putTTL(t, t.labels.Count-a.apex, &s, min(s.ttl, minimum))
}

// referral answers that another zone begins at a name without its first labels.
func (a *answering) referral(t *target, first int, n *zoneNode, ns *zoneRRset) {
	a.Authoritative = a.chained
	a.section = &a.Authority
	sigs := ns.sigs
	ns.sigs = 0 // they are the child's
	a.putRRset(t, first, ns)
	ns.sigs = sigs
	if ds, ok := n.find(dns.TypeDS); ok && a.prove {
		a.putRRset(t, first, &ds)
	} else {
		a.proveNoData(t, first, -1)
	}
	a.writeProofs()
	a.glue(t, first, ns)
}

// dname answers for a name below a DNAME record (RFC 6672 section 3.1).
func (a *answering) dname(t *target, first int, s *zoneRRset) int {
	a.putRRset(t, first, s)
	to, _ := s.first()
	prefix := int(t.labels.At[first])
	if prefix+len(to) > wire.MaxName {
		a.Rcode = dns.RcodeYXDomain
		return 0
	}
	var name [wire.MaxName]byte
	n := copy(name[:], t.name[:prefix])
	n += copy(name[n:], to)
	a.record(t.at, t.owner(), dns.TypeCNAME, s.ttl, name[:n])
	if a.Type == dns.TypeCNAME || a.Type == dns.TypeANY {
		return 0 // this is what was asked for
	}
	return copy(a.alias[:], name[:n])
}

// nameOffset returns where the name stands in data of a type that asks for
// additional addresses, -1 for others.
func nameOffset(rrtype uint16) int {
	switch rrtype {
	case dns.TypeNS:
		return 0
	case dns.TypeMX:
		return 2
	case dns.TypeSRV:
		return 6
	}
	return -1
}

// additional adds the addresses, as far as they are in the zone and fit, of the
// hosts that an RRset names.
func (a *answering) additional(s *zoneRRset) {
	offset := nameOffset(s.rrtype)
	if offset < 0 {
		return
	}
	a.section = &a.Additional
	b := s.data
	for range s.count {
		var data []byte
		data, b = nextData(b)
		if !a.addresses(data[offset:]) {
			return
		}
	}
}

// glue adds the addresses of the nameservers of a child zone. Those that are in
// it are needed: without room for them the answer is truncated (RFC 9471
// section 3).
func (a *answering) glue(t *target, first int, ns *zoneRRset) {
	a.section = &a.Additional
	cut := t.from(first)
	for _, needed := range [...]bool{true, false} {
		b := ns.data
		for range ns.count {
			var host []byte
			host, b = nextData(b)
			inside := len(host) >= len(cut) && endsWith(host, cut)
			if inside == needed && !a.addresses(host) {
				a.full = needed
				return
			}
		}
	}
}

// endsWith reports whether a name is another or below it.
func endsWith(name, zone []byte) bool {
	for len(name) > len(zone) {
		name = name[1+int(name[0]):]
	}
	return len(name) == len(zone) && (len(name) == 1 || ascii.EqualFold(name, zone))
}

// addresses adds the addresses of a host of the zone, and returns false when
// they do not fit.
func (a *answering) addresses(host []byte) bool {
	if !endsWith(host, []byte(a.zone.apex)) {
		return true
	}
	var labels wire.Labels
	labels.Read(host)
	t := target{name: host, labels: &labels, at: -1}
	i, ok := a.zone.lookup(&t, 0, a.apex)
	if !ok {
		return true
	}
	n := a.zone.node(i)
	for _, rrtype := range [...]uint16{dns.TypeA, dns.TypeAAAA} {
		s, ok := n.find(rrtype)
		if !ok {
			continue
		}
		m := a.mark()
		a.rrset(0, host, &s, s.ttl)
		if a.full {
			a.back(m)
			return false
		}
	}
	return true
}
