package spftrack

import (
	"bytes"
	"net/netip"
	"strings"
)

// tracked reads the labels left of fd in a name of Track or Beacon: an exists:
// name, or an exp= name. ok is false when they have no such form.
func (p *Parser) tracked(l *labels, kind Kind, fd int, qtype uint16) (parsed Parsed, ok bool) {
	r, ambiguous, ok := p.locate(l, kind, fd)
	if !ok {
		return Parsed{}, false
	}
	if ambiguous {
		parsed.Flags |= FlagAmbiguous
	}
	parsed.ClientIP = r.ip.Unmap()
	parsed.Forged = l.part(r.cl+1, fd)
	if r.cl < 0 && (parsed.Forged == "" || p.known == nil || !p.known(parsed.Forged)) {
		parsed.Forged = ""
	}
	parsed.SenderDomain = parsed.Forged
	whole := r.ip.IsValid()
	if kind == KindExists {
		parsed.settle(l, kind, whole, r.next, qtype)
		return parsed, true
	}
	lp := r.first - 1
	if !whole || lp < 0 {
		next := r.next
		if whole {
			next = nextMarker
		}
		parsed.settle(l, kind, false, next, qtype)
		return parsed, true
	}
	he, several := l.splitHELO(lp)
	if several {
		parsed.Flags |= FlagAmbiguous
	}
	parsed.SenderLocal = l.part(he+1, lp)
	parsed.HELO = heloLiteral(l.part(0, he))
	next := nextText
	if strings.HasPrefix(parsed.HELO, "[") {
		next = nextNone // an address literal is whole
	}
	parsed.settle(l, kind, he >= 0, next, qtype)
	if parsed.Kind != KindExp {
		// More labels of HELO, or of a local part without HE, may follow.
		parsed.HELO = ""
		if he < 0 {
			parsed.SenderLocal = ""
		}
	}
	return parsed, true
}

// reading is one way to find address and domain in a name of Track or Beacon.
type reading struct {
	// cl is the index of CL, -1 when the name begins inside of the domain.
	cl int
	// first is the index of the leftmost label of %{i}.%{v}.
	first int
	// ip is invalid when labels of it are missing.
	ip netip.Addr
	// next bounds the label that is missing.
	next int
}

// locate finds CL, left of which stands a whole address, or what is left of
// one at the beginning of the name. The rightmost is taken, because the domain
// is ours while local part and HELO are a stranger's, unless known tells that
// another yields one of our domains and the rightmost does not. A domain below
// one of ours is a stranger's as much as a local part.
func (p *Parser) locate(l *labels, kind Kind, fd int) (best reading, ambiguous, ok bool) {
	var buf [8]reading
	found := buf[:0]
	partial := reading{cl: -1, next: nextText}
	broken := false
	for cl := fd - 1; cl >= 0; cl-- {
		if !l.is(cl, "cl") {
			continue
		}
		r, ok := l.address(cl)
		switch {
		case !ok || cl == fd-1:
			broken = broken || cl > 0 && (l.is(cl-1, "in-addr") || l.is(cl-1, "ip6"))
		case !r.ip.IsValid():
			partial = r
		case r.first == 0, kind == KindExp && l.is(r.first-1, "lp"):
			found = append(found, r)
		default:
			broken = true
		}
	}
	if len(found) == 0 {
		return partial, false, partial.cl >= 0 || !broken
	}
	best = found[0]
	if len(found) == 1 {
		return best, false, true
	}
	hits := 0
	// A sender below one of our domains can hold a whole address, too.
	below := false
	for _, r := range found {
		domain := string(l.between(r.cl+1, fd))
		switch {
		case p.known != nil && p.known(domain):
			if hits++; hits == 1 {
				best = r
			}
		case r.first > 0 && p.within(domain):
			below = true
		}
	}
	return best, hits != 1 || below, true
}

// Three forms of an IPv6 address are known: 32 nibbles, as RFC 7208 section 7.3
// has it; 16 bytes in hexadecimal without leading zeros, by redsift/spf; and one
// label with colons, by zaccone/spf and mileusna/spf.

// bytes reads n labels from i as bytes in hexadecimal; 16 make an address.
func (l *labels) bytes(i, n int) (ip netip.Addr, ok bool) {
	var a [16]byte
	if n > len(a) {
		return ip, false
	}
	for k := range n {
		label := l.at(i + k)
		if len(label) == 0 || len(label) > 2 || len(label) == 2 && label[0] == '0' {
			return ip, false
		}
		for _, c := range label {
			v, ok := hexDigit(c)
			if !ok {
				return ip, false
			}
			a[k] = a[k]<<4 | v
		}
	}
	if n < len(a) {
		return ip, true
	}
	return netip.AddrFrom16(a), true
}

// maxColons is the length of the longest IPv6 address as text.
const maxColons = len("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")

// colons reads a label as an IPv6 address with colons (RFC 4291 section 2.2).
func (l *labels) colons(i int) (ip netip.Addr, ok bool) {
	label := l.at(i)
	if len(label) > maxColons || bytes.IndexByte(label, ':') < 0 || bytes.IndexByte(label, '%') >= 0 {
		return ip, false
	}
	ip, err := netip.ParseAddr(string(label))
	return ip, err == nil
}

// address reads %{i}.%{v} to the left of the label at end. It fails unless the
// address is whole or reaches the beginning of the name.
func (l *labels) address(end int) (r reading, ok bool) {
	r = reading{cl: end, next: nextFamily}
	if end == 0 {
		return r, true
	}
	from := func(labels int) (first, n int) {
		first = max(end-1-labels, 0)
		return first, end - 1 - first
	}
	n := 0
	switch {
	case l.is(end-1, "in-addr"):
		r.next = nextOctet
		r.first, n = from(4)
		r.ip, ok = l.octets(r.first, n)
	case l.is(end-1, "ip6"):
		r.next = nextNibble
		r.first, n = from(32)
		if r.ip, ok = l.nibbles(r.first, n); ok {
			break
		}
		if r.first, n = from(1); n == 1 {
			if r.ip, ok = l.colons(r.first); ok {
				break
			}
		}
		r.next = nextByte
		r.first, n = from(16)
		r.ip, ok = l.bytes(r.first, n)
	}
	if r.ip.IsValid() {
		r.next = nextNone
	}
	return r, ok
}

// octets reads n labels from i as decimal octets; four make an address.
func (l *labels) octets(i, n int) (ip netip.Addr, ok bool) {
	var a [4]byte
	if n > len(a) {
		return ip, false
	}
	for k := range n {
		v := 0
		label := l.at(i + k)
		if len(label) > 3 || len(label) > 1 && label[0] == '0' {
			return ip, false
		}
		for _, c := range label {
			if !isDigit(c) {
				return ip, false
			}
			v = v*10 + int(c-'0')
		}
		if v > 255 {
			return ip, false
		}
		a[k] = byte(v)
	}
	if n < len(a) {
		return ip, true
	}
	return netip.AddrFrom4(a), true
}

// nibbles reads n labels from i as hexadecimal digits; 32 make an address.
func (l *labels) nibbles(i, n int) (ip netip.Addr, ok bool) {
	var a [16]byte
	if n > 2*len(a) {
		return ip, false
	}
	for k := range n {
		label := l.at(i + k)
		if len(label) != 1 {
			return ip, false
		}
		v, ok := hexDigit(label[0])
		if !ok {
			return ip, false
		}
		a[k/2] = a[k/2]<<4 | v
	}
	if n < 2*len(a) {
		return ip, true
	}
	return netip.AddrFrom16(a), true
}

// heloLiteral gives an address literal its brackets, for which SpamAssassin
// writes "!".
func heloLiteral(helo string) string {
	if len(helo) < 3 || helo[0] != '!' || helo[len(helo)-1] != '!' {
		return helo
	}
	inner := helo[1 : len(helo)-1]
	if _, err := netip.ParseAddr(strings.TrimPrefix(inner, "ipv6:")); err != nil {
		return helo
	}
	return "[" + inner + "]"
}

// splitHELO finds HE in %{h}.HE.%{l}, which ends before lp; -1 when there is
// none. Of several it takes the rightmost that leaves a local part, because
// HELO names such as mail.he.net hold the label more often than local parts
// do, but steps left over neighbours, because no HELO name ends in "he".
func (l *labels) splitHELO(lp int) (he int, several bool) {
	he = -1
	n := 0
	for i := lp - 1; i >= 0; i-- {
		if !l.is(i, "he") {
			continue
		}
		n++
		if he < 0 || he == i+1 || he == lp-1 {
			he = i
		}
	}
	return he, n > 1
}
