package zonestore

import (
	"fmt"
	"slices"

	"github.com/miekg/dns"
)

// proofs are the records of DNSSEC in an authority section, as a validator
// reads them (RFC 4035 section 5.4, RFC 5155 section 8).
type proofs struct {
	rrs    []dns.RR
	nsecs  []*dns.NSEC
	nsec3s []*dns.NSEC3
}

func newProofs(rrs []dns.RR) *proofs {
	p := &proofs{rrs: rrs}
	for _, rr := range rrs {
		switch rr := rr.(type) {
		case *dns.NSEC:
			p.nsecs = append(p.nsecs, rr)
		case *dns.NSEC3:
			p.nsec3s = append(p.nsec3s, rr)
		}
	}
	return p
}

// has finds a record.
func (p *proofs) has(want dns.RR) error {
	if slices.ContainsFunc(p.rrs, func(rr dns.RR) bool { return rr.String() == want.String() }) {
		return nil
	}
	return fmt.Errorf("missing: %v", want)
}

// match finds what stands at a name, and which types exist there.
func (p *proofs) match(name string) (types []uint16, ok bool) {
	for _, n := range p.nsecs {
		if n.Hdr.Name == name {
			return n.TypeBitMap, true
		}
	}
	for _, n := range p.nsec3s {
		if n.Salt == modelSalt && n.Match(name) {
			return n.TypeBitMap, true
		}
	}
	return nil, false
}

// cover finds what says that a name does not exist. next is the name that
// follows in the chain, optOut says that a delegation may be there.
func (p *proofs) cover(name string) (next string, optOut, ok bool) {
	for _, n := range p.nsecs {
		owner, wraps := compareNames(n.Hdr.Name, name), compareNames(n.NextDomain, n.Hdr.Name) <= 0
		if owner < 0 && (wraps || compareNames(name, n.NextDomain) < 0) {
			return n.NextDomain, false, true
		}
	}
	for _, n := range p.nsec3s {
		if n.Salt == modelSalt && !n.Match(name) && n.Cover(name) {
			return "", n.Flags&1 != 0, true
		}
	}
	return "", false, false
}

// encloser proves the closest ancestor of a name of which something is known,
// and that the next closer name does not exist (RFC 5155 section 8.3).
func (p *proofs) encloser(name string) (encloser string, optOut bool, err error) {
	for next := name; next != modelApex; next = parent(next) {
		if _, ok := p.match(parent(next)); ok {
			if _, optOut, ok := p.cover(next); ok {
				return parent(next), optOut, nil
			}
			return "", false, fmt.Errorf("the next closer name %s is not covered", next)
		}
	}
	return "", false, fmt.Errorf("no closest encloser of %s is proven", name)
}

func (p *proofs) lacks(name string, qtype uint16) error {
	types, ok := p.match(name)
	if !ok {
		return fmt.Errorf("nothing matches %s", name)
	}
	if slices.Contains(types, qtype) || slices.Contains(types, dns.TypeCNAME) {
		return fmt.Errorf("%s has the types %v", name, types)
	}
	return nil
}

// noData: a name exists, without the type.
func (p *proofs) noData(m *model, name string, qtype uint16) error {
	if m.signed == unsigned {
		return nil
	}
	if m.signed == byNSEC && m.nodes[name] == nil {
		if next, _, ok := p.cover(name); !ok || !dns.IsSubDomain(name, next) {
			return fmt.Errorf("nothing says that %s is an empty non-terminal", name)
		}
		return nil
	}
	if _, ok := p.match(name); ok || m.signed != byOptOut {
		return p.lacks(name, qtype)
	}
	_, optOut, err := p.encloser(name)
	if err == nil && !optOut {
		err = fmt.Errorf("%s is covered without opt-out", name)
	}
	return err
}

// noName: neither a name exists nor a wildcard for it.
func (p *proofs) noName(m *model, name, encloser string) error {
	star := "*." + encloser
	if m.signed == byNSEC {
		if _, _, ok := p.cover(name); !ok {
			return fmt.Errorf("%s is not covered", name)
		}
	} else if m.signed != unsigned {
		proven, optOut, err := p.encloser(name)
		if err != nil {
			return err
		}
		if proven != encloser && !optOut {
			return fmt.Errorf("%s is proven, not %s", proven, encloser)
		}
		if star = "*." + proven; m.exists(star) && proven != encloser {
			return nil // nothing proves more, below an opted-out delegation
		}
	} else {
		return nil
	}
	if _, _, ok := p.cover(star); !ok {
		return fmt.Errorf("%s is not covered", star)
	}
	return nil
}

// wildcard: an answer comes from a wildcard.
func (p *proofs) wildcard(name, encloser string) error {
	if len(p.nsecs) > 0 {
		if _, _, ok := p.cover(name); !ok {
			return fmt.Errorf("%s is not covered", name)
		}
		return nil
	}
	next := name
	for parent(next) != encloser {
		next = parent(next)
	}
	if _, _, ok := p.cover(next); !ok {
		return fmt.Errorf("the next closer name %s is not covered", next)
	}
	return nil
}

// noWildcardData: a wildcard applies, and lacks the type.
func (p *proofs) noWildcardData(m *model, name, encloser string, qtype uint16) error {
	if m.signed == unsigned {
		return nil
	}
	if m.signed == byNSEC {
		if err := p.wildcard(name, encloser); err != nil {
			return err
		}
	} else {
		proven, optOut, err := p.encloser(name)
		if err != nil {
			return err
		}
		if proven != encloser {
			if !optOut {
				return fmt.Errorf("%s is proven, not %s", proven, encloser)
			}
			return nil // nothing proves more, above an opted-out delegation
		}
	}
	return p.noData(m, "*."+encloser, qtype)
}
