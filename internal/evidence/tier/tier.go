// Package tier says how certain it is that an address forges mail.
//
// Anyone can send any query, so an address in a query is claimed and no more. A
// [Gatherer] reads events once and in bounded memory, keeps what is evidence, and
// weighs it for each address:
//
//	events -> facts (address, network | domain | hour | ...) -> Evidence -> Tier
//
// # What counts
//
// A fact counts when it cannot be made up for nothing. Of a query, the source is
// verified, the name is whole and can be read in one way only, and the domain is
// listed. Resolvers that anybody may use are no network of their own: whoever has two
// networks has those too. Of a session at the SMTP listener, the sender is in a listed
// domain: everything else a mail server can be made to send, by a bounce, a check of
// a sender, an answering machine or a form.
//
// An IPv4 address stands for itself, an IPv6 address for its /64, in which a host
// chooses its addresses.
package tier

import (
	"fmt"
	"net/netip"
	"slices"
)

// Tier is a degree of certainty; a greater one is more certain.
type Tier uint8

// The tiers.
const (
	// None: nothing is known.
	None Tier = iota
	// Claimed: somebody has sent a query about the address.
	Claimed
	// Corroborated: verified sources in [MinNetworks] networks have sent queries
	// about [MinDomains] listed domains in [MinHours] clock hours.
	Corroborated
	// Confirmed: corroborated, and the address has sent mail in the name of a listed
	// domain to the SMTP listener within [Near] hours of such a query, or stands in
	// reports of [MinReporters] trusted reporters.
	Confirmed
)

// What the tiers take.
const (
	MinNetworks  = 3
	MinDomains   = 2
	MinHours     = 2
	MinReporters = 2
	// Near is in clock hours. Times in clock hours that differ by one less lie at
	// most 24 hours apart.
	Near = 24
)

// Exported lists the tiers that may be exported.
var Exported = []Tier{Confirmed, Corroborated}

var names = []string{"none", "claimed", "corroborated", "confirmed"}

// String returns the name of the tier.
func (t Tier) String() string { return names[t] }

// Parse returns the tier called s that may be exported.
func Parse(s string) (Tier, error) {
	if i := slices.Index(names, s); i >= 0 && slices.Contains(Exported, Tier(i)) {
		return Tier(i), nil
	}
	return None, fmt.Errorf("no tier %q to export; there are confirmed and corroborated", s)
}

// MarshalText gives [Tier.String].
func (t Tier) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText reads the name of any tier.
func (t *Tier) UnmarshalText(text []byte) error {
	i := slices.Index(names, string(text))
	if i < 0 {
		return fmt.Errorf("unknown tier %q", text)
	}
	*t = Tier(i)
	return nil
}

// Subject is what evidence about an address is about: the address, or the /64 of an
// IPv6 address.
func Subject(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := 32
	if a.Is6() {
		bits = 64
	}
	p, _ := a.Prefix(bits)
	return p
}

// Resolver networks are a /16 of IPv4, and a /32 of IPv6 addresses: one customer may have
// servers in several /24 of one hoster, and a /48 is to be had for nothing.
const (
	networkBits4 = 16
	networkBits6 = 32
)

// networkOf returns the network of a resolver.
func networkOf(a netip.Addr) netip.Prefix {
	bits := networkBits4
	if a.Is6() {
		bits = networkBits6
	}
	p, _ := a.Prefix(bits)
	return p
}
