package nolisting

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"nullspf/internal/dnsname"
	"nullspf/zones"
)

const (
	// maxHosts bounds the RRset, and maxAddresses the addresses of a host.
	maxHosts     = 16
	maxAddresses = 16
	// maxLeading is how many addresses may come before those of the first
	// live host. Postfix tries five addresses of a domain and then gives up
	// until the next attempt (smtp_mx_address_limit).
	maxLeading = 4
)

// checker collects the violations of an RRset.
type checker struct {
	Tiers
	violations []*Violation
}

func (c *checker) fail(host dnsname.Name, fault, why, remedy string) {
	v := &Violation{Fault: fault, Why: why, Remedy: remedy}
	if host != "" {
		v.Host = shown(host)
	}
	c.violations = append(c.violations, v)
}

// MX checks the hosts against the rules and returns their RRset in the order
// of preference, hosts of equal preference in the order of their names. When
// rules are broken, the RRset is nil.
func (t Tiers) MX() ([]zones.MX, []*Violation) {
	c := checker{Tiers: t}
	c.check()
	if len(c.violations) > 0 {
		return nil, c.violations
	}
	rrset := make([]zones.MX, 0, len(t.Hosts))
	for _, h := range t.Hosts {
		rrset = append(rrset, zones.MX{Host: h.Name, Preference: h.Preference})
	}
	slices.SortFunc(rrset, func(a, b zones.MX) int {
		return cmp.Or(cmp.Compare(a.Preference, b.Preference), cmp.Compare(a.Host, b.Host))
	})
	return rrset, nil
}

func (c *checker) check() {
	if len(c.Hosts) > maxHosts {
		c.fail("", fmt.Sprintf("there are %d hosts", len(c.Hosts)),
			"senders give up long before the end of such a list, and the answer does not fit into a UDP message",
			fmt.Sprintf("keep at most %d", maxHosts))
		return
	}
	c.names()
	c.equalPreferences()
	c.addresses()
	c.sharedAddresses()
	if c.Layout.roles() == nil {
		c.fail("", "layout "+quoted(string(c.Layout))+" is unknown",
			"the layout decides the order of the roles", "use "+list(Layouts))
		return
	}
	c.roles()
	c.required()
	c.order()
	c.families()
	c.leading()
}

// names checks each host's name.
func (c *checker) names() {
	seen := make(map[dnsname.Name]bool, len(c.Hosts))
	for _, h := range c.Hosts {
		switch fault := hostNameFault(h.Name); {
		case h.Name == "" || h.Name == ".":
			c.fail("", "one of the hosts is a null MX",
				"it declares that the domain accepts no mail and must be the only MX record (RFC 7505 section 3)",
				"remove it, or publish it alone with mail mode nullmx")
		case fault != "":
			c.fail(h.Name, fault,
				"an MX record holds the host name of a mail server (RFC 5321 section 5.1)",
				"write a lower-case host name such as mx1.example.net, with A-labels, without final dot")
		case seen[h.Name]:
			c.fail(h.Name, "the name is listed twice",
				"its addresses are tried only once, at the lower preference",
				"remove one, or give the tier a host of its own")
		}
		seen[h.Name] = true
	}
}

// roles checks that the layout has a place for each host.
func (c *checker) roles() {
	allowed := c.Layout.roles()
	for _, h := range c.Hosts {
		switch {
		case !slices.Contains(Roles, h.Role):
			c.fail(h.Name, "role "+quoted(string(h.Role))+" is unknown",
				"the role decides the place of the host in the order", "use one of "+list(allowed))
		case !slices.Contains(allowed, h.Role):
			c.fail(h.Name, fmt.Sprintf("layout %s has no %s host", c.Layout, h.Role),
				"each role has its place in the order of a layout",
				"use one of "+list(allowed)+", or layout "+string(Tar))
		}
	}
}

// required checks that no tier of the layout is missing.
func (c *checker) required() {
	if !c.has(Live) {
		c.fail("", "a live host is missing",
			"all mail would be lost, including mail for postmaster (RFC 5321 section 4.5.1)",
			"add a host with role live, or publish a null MX with mail mode nullmx")
	}
	if !c.has(Dead) {
		c.fail("", "a dead host is missing",
			"layout "+string(c.Layout)+" relies on a host at which nobody answers",
			"add a host with role dead and the lowest preference, or use mail mode postmaster")
	}
	if c.Layout == Tar && !c.has(TempFail) {
		c.fail("", "a tempfail host is missing",
			"layout tar relies on a last host that defers everything",
			"add a host with role tempfail and the highest preference, or use layout nolisting")
	}
}

// equalPreferences checks that each tier has preferences of its own.
func (c *checker) equalPreferences() {
	first := make(map[uint16]Host, len(c.Hosts))
	for _, h := range c.Hosts {
		other, ok := first[h.Preference]
		switch {
		case !ok:
			first[h.Preference] = h
		case other.Role != h.Role:
			c.fail(h.Name, fmt.Sprintf("preference %d is also that of %s, which is %s, while this host is %s",
				h.Preference, shown(other.Name), shownRole(other.Role), shownRole(h.Role)),
				"senders choose at random among equal preferences (RFC 5321 section 5.1), so the order of the tiers would be random",
				"give each tier preferences of its own; only hosts of one role may share one")
		}
	}
}

// order checks that the tiers follow each other as the layout says. Equal
// preferences have been reported before.
func (c *checker) order() {
	live, ok := c.span(Live)
	if !ok {
		return
	}
	var below, above bool
	for _, h := range c.Hosts {
		switch h.Role {
		case Dead:
			below = below || h.Preference < live.min
			above = above || h.Preference > live.max
			c.orderDead(h, live)
		case Backup:
			if h.Preference < live.max {
				c.fail(h.Name, fmt.Sprintf("backup preference %d is below live preference %d", h.Preference, live.max),
					"senders try the lowest preference first, so the backup would get mail while the live host is up",
					fmt.Sprintf("give it a preference above %d", live.max))
			}
		case TempFail:
			c.orderTempFail(h)
		}
	}
	if !c.has(Dead) {
		return
	}
	if !below {
		c.fail("", "no dead host has the lowest preference",
			"senders try the lowest preference first and would never try the dead host",
			fmt.Sprintf("give a dead host a preference below %d", live.min))
	}
	if c.Layout == FakeMX && !above {
		c.fail("", "no dead host has the highest preference",
			"layout fake-mx is for senders that aim at the last host first",
			fmt.Sprintf("give a dead host a preference above %d, or use layout nolisting", live.max))
	}
}

func (c *checker) orderDead(h Host, live span) {
	switch {
	case h.Preference <= live.min:
	case c.Layout == FakeMX && h.Preference >= live.max:
	case c.Layout == FakeMX:
		c.fail(h.Name, fmt.Sprintf("dead preference %d is between live preferences %d and %d", h.Preference, live.min, live.max),
			"a dead host between live ones stops no forger, and delays mail while the first live host is down",
			fmt.Sprintf("give it a preference below %d or above %d", live.min, live.max))
	default:
		c.fail(h.Name, fmt.Sprintf("dead preference %d is above live preference %d", h.Preference, live.min),
			"senders try the lowest preference first and would try this dead host only while the live host is down",
			fmt.Sprintf("give it a preference below %d", live.min))
	}
}

func (c *checker) orderTempFail(h Host) {
	for _, other := range c.Hosts {
		if other.Role != TempFail && other.Preference > h.Preference {
			c.fail(h.Name, fmt.Sprintf("tempfail preference %d is below preference %d of %s", h.Preference, other.Preference, shown(other.Name)),
				"senders try the lowest preference first and would be deferred before they reach that host",
				"give the tempfail host the highest preference")
			return
		}
	}
}

// span is a range of preferences.
type span struct{ min, max uint16 }

// span returns the preferences of a role's hosts.
func (c *checker) span(r Role) (s span, ok bool) {
	for _, h := range c.Hosts {
		switch {
		case h.Role != r:
		case !ok:
			s, ok = span{h.Preference, h.Preference}, true
		default:
			s = span{min(s.min, h.Preference), max(s.max, h.Preference)}
		}
	}
	return s, ok
}

func (c *checker) has(r Role) bool {
	return slices.ContainsFunc(c.Hosts, func(h Host) bool { return h.Role == r })
}

// quoted returns text quoted and cut to a bounded length.
func quoted(text string) string {
	const most = 40
	if len(text) > most {
		return strconv.QuoteToASCII(text[:most]) + "..."
	}
	return strconv.QuoteToASCII(text)
}

func shownRole(r Role) string {
	if slices.Contains(Roles, r) {
		return string(r)
	}
	return quoted(string(r))
}

// list joins words for a message.
func list[T ~string](words []T) string {
	text := make([]string, len(words))
	for i, w := range words {
		text[i] = string(w)
	}
	if len(text) < 2 {
		return strings.Join(text, "")
	}
	return strings.Join(text[:len(text)-1], ", ") + " or " + text[len(text)-1]
}
