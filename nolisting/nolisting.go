// Package nolisting checks MX tiers: MX RRsets in which, beside the hosts that
// accept mail, some hosts never do.
//
// A sender that follows RFC 5321 section 5.1 tries the host of the lowest
// preference first and goes on to the next when nobody answers. Software that
// sends forged mail and spam often tries one host only. A tier in which nobody
// answers, or in which every command is deferred, therefore delays legitimate
// mail by seconds and stops such software from delivering:
//
//	nolisting     10 dead    20 live
//	fake-mx       10 dead    20 live    30 dead
//	tar           10 dead    20 live    30 backup    40 tempfail
//
// A mistake in such an RRset loses mail or has no effect, and is noticed late.
// [Tiers.MX] therefore refuses every RRset that breaks a rule, and each
// [Violation] says why its rule exists.
package nolisting

import (
	"net/netip"

	"nullspf/internal/dnsname"
)

// Role says what a host of an MX RRset does with a connection to port 25.
type Role string

// The roles.
const (
	// Dead hosts have an address at which nobody listens on port 25.
	Dead Role = "dead"
	// Live hosts accept the domain's mail.
	Live Role = "live"
	// Backup hosts accept it while the live hosts cannot be reached.
	Backup Role = "backup"
	// TempFail hosts answer and defer every command with a 4xx reply.
	TempFail Role = "tempfail"
)

// Roles lists the roles in the order in which messages name them.
var Roles = []Role{Dead, Live, Backup, TempFail}

// Host is one host of an MX RRset.
type Host struct {
	Name dnsname.Name
	// Preference: the lowest is tried first (RFC 5321 section 5.1).
	Preference uint16
	Role       Role
	// Addresses are those of the host's A and AAAA records. They are
	// not published with the MX RRset, but checked against each other.
	Addresses []netip.Addr
}

// Layout says which tiers follow each other.
type Layout string

// The layouts. A tier is the hosts of one role; its preferences all lie below
// those of the next tier.
const (
	// Nolisting is dead, live.
	Nolisting Layout = "nolisting"
	// FakeMX is dead, live, dead.
	FakeMX Layout = "fake-mx"
	// Tar is dead, live, backup (optional), tempfail.
	Tar Layout = "tar"
)

// Layouts lists the layouts in the order in which messages name them.
var Layouts = []Layout{Nolisting, FakeMX, Tar}

// roles returns the layout's roles, nil for an unknown layout.
func (l Layout) roles() []Role {
	switch l {
	case Nolisting, FakeMX:
		return []Role{Dead, Live}
	case Tar:
		return []Role{Dead, Live, Backup, TempFail}
	}
	return nil
}

// Tiers is an MX RRset with the roles of its hosts.
type Tiers struct {
	Layout Layout
	// Hosts are in any order; preferences decide.
	Hosts []Host
	// AllowTestAddresses accepts addresses from private, documentation and
	// other special-purpose space, for examples and tests.
	AllowTestAddresses bool
}
