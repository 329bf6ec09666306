package nolisting

import (
	"fmt"
	"net/netip"
	"strings"

	"nullspf/internal/dnsname"
	"nullspf/internal/special"
)

// addresses checks each host's addresses by themselves.
func (c *checker) addresses() {
	for _, h := range c.Hosts {
		switch {
		case len(h.Addresses) == 0 && h.Role == Dead:
			c.fail(h.Name, "the dead host has no address",
				"senders skip a host name without A and AAAA records, or treat it as a DNS error and defer the mail",
				"give it the address of a host of your own at which nobody listens on port 25")
		case len(h.Addresses) == 0:
			c.fail(h.Name, "the host has no address",
				"without it, a dead host with the same address would go unnoticed",
				"list the host's A and AAAA addresses")
		case len(h.Addresses) > maxAddresses:
			c.fail(h.Name, fmt.Sprintf("there are %d addresses", len(h.Addresses)),
				"senders try only a few of them", fmt.Sprintf("keep at most %d", maxAddresses))
			continue
		}
		for _, a := range h.Addresses {
			c.address(h.Name, a)
		}
	}
}

func (c *checker) address(host dnsname.Name, a netip.Addr) {
	if !a.IsValid() {
		c.fail(host, "an address is empty", "senders need an address to connect to",
			"write the IPv4 or IPv6 address of the host's A or AAAA record")
		return
	}
	if a.Zone() != "" {
		c.fail(host, fmt.Sprintf("address %s has a scope zone", a.WithZone("")), "an AAAA record cannot hold one (RFC 3596 section 2.2)",
			"give a global address")
		return
	}
	switch b, ok := special.Find(a); {
	case !ok:
	case b.Never:
		c.fail(host, fmt.Sprintf("address %s is in %s", a, b),
			"no host can have such an address, and the behaviour of senders is undefined",
			"give the address of a host of your own")
	case !c.AllowTestAddresses:
		c.fail(host, fmt.Sprintf("address %s is in %s", a, b),
			"such addresses are not routed, or routed differently everywhere: nobody, or anybody, may answer (RFC 6890)",
			"give a public address of your own; for tests set allow_test_addresses: true")
	}
}

// accepts reports whether hosts of the role accept mail.
func (r Role) accepts() bool { return r == Live || r == Backup }

// sharedAddresses checks that an address has one behaviour: at port 25 of an
// address either nobody answers, or one server does.
func (c *checker) sharedAddresses() {
	first := make(map[netip.Addr]Host)
	for _, h := range c.Hosts {
		for _, a := range h.Addresses[:min(len(h.Addresses), maxAddresses)] {
			other, ok := first[a]
			if !ok {
				first[a] = h
				continue
			}
			if other.Role == h.Role || other.Role.accepts() && h.Role.accepts() || !a.IsValid() {
				continue
			}
			c.fail(h.Name, fmt.Sprintf("address %s is also that of %s, which is %s, while this host is %s",
				a.WithZone(""), shown(other.Name), shownRole(other.Role), shownRole(h.Role)),
				"both names lead to the same server: "+sharedHarm(h.Role, other.Role),
				"give each role addresses of its own")
		}
	}
}

// sharedHarm says what comes of two roles at one address.
func sharedHarm(a, b Role) string {
	switch {
	case a != Dead && b != Dead:
		return "it would defer mail at the live host, or accept it at the tempfail host"
	case a == TempFail || b == TempFail:
		return "the dead host would defer mail that should go on to the next host"
	}
	return "the dead host would accept connections and keep nobody away"
}

// families checks that senders of both address families meet the dead tiers:
// one with IPv6 only skips a host without AAAA record.
func (c *checker) families() {
	live, ok := c.span(Live)
	if !ok {
		return
	}
	tiers := []struct {
		name string
		in   func(h Host) bool
	}{
		{"lowest", func(h Host) bool { return h.Role == Dead && h.Preference < live.min }},
		{"highest", func(h Host) bool { return h.Role == Dead && h.Preference > live.max }},
	}
	families := []struct {
		name   string
		record string
		in     func(a netip.Addr) bool
	}{
		{"IPv4", "A", netip.Addr.Is4},
		{"IPv6", "AAAA", netip.Addr.Is6},
	}
	for _, t := range tiers {
		for _, f := range families {
			dead := c.count(t.in, netip.Addr.IsValid)
			if dead == 0 || c.count(t.in, f.in) > 0 {
				continue
			}
			if c.count(func(h Host) bool { return h.Role == Live }, f.in) == 0 {
				continue
			}
			c.fail("", fmt.Sprintf("no dead host of the %s preference has an %s address, but a live host has", t.name, f.name),
				fmt.Sprintf("senders with %s only skip hosts without %s record and reach the live hosts at once", f.name, f.record),
				fmt.Sprintf("give a dead host an %s address at which nobody listens on port 25", f.name))
		}
	}
}

// count returns how many addresses of a kind the hosts of a kind have.
func (c *checker) count(host func(Host) bool, address func(netip.Addr) bool) int {
	n := 0
	for _, h := range c.Hosts {
		if !host(h) {
			continue
		}
		for _, a := range h.Addresses {
			if address(a) {
				n++
			}
		}
	}
	return n
}

// leading checks that senders get as far as the live hosts.
func (c *checker) leading() {
	live, ok := c.span(Live)
	if !ok {
		return
	}
	before := func(h Host) bool { return h.Preference < live.min }
	n := c.count(before, netip.Addr.IsValid)
	if n <= maxLeading {
		return
	}
	var names []string
	for _, h := range c.Hosts {
		if before(h) {
			names = append(names, shown(h.Name))
		}
	}
	c.fail("", fmt.Sprintf("%d addresses come before those of the first live host, at %s", n, strings.Join(names, ", ")),
		"some senders try few addresses, Postfix five (smtp_mx_address_limit), and would never reach a live host",
		fmt.Sprintf("keep at most %d addresses of lower preference", maxLeading))
}
