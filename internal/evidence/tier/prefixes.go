package tier

import (
	"net/netip"

	"nullspf/internal/special"
)

// Prefixes is a set of prefixes, each with the place where it was listed. The zero
// value is empty.
type Prefixes struct {
	places map[netip.Prefix]string
	// lengths are those that occur, of IPv4 and of IPv6.
	lengths [2][129]bool
}

// Add adds a prefix without host bits. Of several places the first is kept.
func (p *Prefixes) Add(prefix netip.Prefix, place string) {
	if p.places == nil {
		p.places = make(map[netip.Prefix]string)
	}
	if _, there := p.places[prefix]; there {
		return
	}
	p.places[prefix] = place
	p.lengths[family(prefix.Addr())][prefix.Bits()] = true
}

// Len is the number of prefixes.
func (p *Prefixes) Len() int { return len(p.places) }

func family(a netip.Addr) int {
	if a.Is4() {
		return 0
	}
	return 1
}

// Find returns the longest prefix that holds an address, and its place.
func (p *Prefixes) Find(a netip.Addr) (prefix netip.Prefix, place string, ok bool) {
	for bits := a.BitLen(); bits >= 0 && p != nil && p.places != nil; bits-- {
		if !p.lengths[family(a)][bits] {
			continue
		}
		prefix, _ = a.Prefix(bits)
		if place, ok = p.places[prefix]; ok {
			return prefix, place, true
		}
	}
	return netip.Prefix{}, "", false
}

// AddSubjects is Add for prefixes that are never to be touched: of one that is longer
// than the subject in which it lies, the whole subject is added.
func (p *Prefixes) AddSubjects(prefix netip.Prefix, place string) {
	if subject := Subject(prefix.Addr()); prefix.Bits() > subject.Bits() {
		prefix = subject
	}
	p.Add(prefix, place)
}

// Unlistable says why a subject is never exported, "" if it may be: because of where
// it is listed in allow, or because no host of the public Internet has the address.
// With tests, addresses of documentation and test networks are like others.
func Unlistable(subject netip.Prefix, allow *Prefixes, tests bool) string {
	if prefix, place, ok := allow.Find(subject.Addr()); ok {
		return place + " allows " + prefix.String()
	}
	// Every list has an entry of its own for 127.0.0.2, and none for 127.0.0.1.
	if b, ok := special.Find(subject.Addr()); ok && (b.Never || !tests || subject.Addr().IsLoopback()) {
		return "no host of the public Internet has an address in " + b.String()
	}
	return ""
}
