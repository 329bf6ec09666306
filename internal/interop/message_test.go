package interop

import (
	"net/netip"
	"strings"

	"nullspf/spftrack"
)

// message is a forged message. {d} in HELO stands for the forged domain.
type message struct {
	name string
	ip   string
	// local is the local part of the sender; "" is the null reverse-path.
	local string
	helo  string
	// upper writes the domain in upper case.
	upper bool
	// expLocal and expHELO are what the exp= name is read as, where layout
	// words inside of local part and HELO make it another than what was said.
	expLocal, expHELO string
	// ambiguous are the kinds of names that are flagged so, decided those of
	// them that are not where the forged domains are known.
	ambiguous, decided []spftrack.Kind
	// cuts is how many labels have to be cut from the left of names that are
	// too long.
	cuts int
}

// withHELO are the kinds of names that hold HELO.
var withHELO = []spftrack.Kind{spftrack.KindExp, spftrack.KindClassic}

// several is more than anything cuts.
const several = 1000

// planted is an address that a forger wants to see in the log.
const planted = "203.0.113.9"

var longHELO = strings.Repeat("a", 40) + strings.Repeat(".b23456789", 13) + ".mailers.example.org"

var messages = []message{
	{name: "ordinary", ip: "192.0.2.1", local: "user", helo: "mail.example.org"},
	{name: "IPv6 client", ip: "2001:db8::cb02", local: "user", helo: "mail.example.org"},
	{name: "us+er", ip: "192.0.2.3", local: "us+er", helo: "mail.example.org"},
	{name: `"a b"`, ip: "192.0.2.4", local: `"a b"`, helo: "mail.example.org"},
	{name: "us+er=host", ip: "192.0.2.5", local: "us+er=host", helo: "mail.example.org"},
	{name: "upper case", ip: "192.0.2.6", local: "User.Name", helo: "MAIL.Example.ORG", upper: true},
	{name: "null sender", ip: "192.0.2.7", helo: "{d}"},
	{name: "address literal", ip: "192.0.2.8", local: "user", helo: "[192.0.2.8]"},
	{name: "bare word", ip: "192.0.2.9", local: "user", helo: "WIN-ABC123"},
	{name: "empty HELO", ip: "192.0.2.10", local: "user"},
	// Both names are too long by less than their leftmost label.
	{
		name: "long HELO", ip: "192.0.2.11", local: "user", helo: longHELO, cuts: 1,
	},
	// Both names are too long by several labels.
	{name: "longer HELO", ip: "2001:db8::cb0c", local: "user", helo: strings.Repeat("b23456789.", 23) + "example.org", cuts: several},
	{
		name: "classic name in HELO", ip: "192.0.2.13", local: "user", helo: "CL." + planted + ".FR.x.HE." + planted + ".in-addr.CL.y.example",
		ambiguous: withHELO, decided: []spftrack.Kind{spftrack.KindClassic},
	},
	{
		name: "exists: name in HELO", ip: "192.0.2.14", local: "user", helo: planted + ".in-addr.CL.{d}.FD.1",
		ambiguous: withHELO, decided: []spftrack.Kind{spftrack.KindExp},
	},
	{
		name: "layout words in sender", ip: "192.0.2.15", local: "a.HE.b.LP." + planted + ".in-addr.CL.c", helo: "mail.example.org",
		expLocal: "b.lp." + planted + ".in-addr.cl.c", expHELO: "mail.example.org.he.a",
		ambiguous: []spftrack.Kind{spftrack.KindExp},
	},
}

// envelope is a message as an implementation gets it.
type envelope struct{ IP, Sender, HELO string }

func (m *message) envelope(domain string) envelope {
	if m.upper {
		domain = strings.ToUpper(domain)
	}
	e := envelope{IP: m.ip, HELO: strings.ReplaceAll(m.helo, "{d}", domain)}
	if m.local != "" {
		e.Sender = m.local + "@" + domain
	}
	return e
}

// check is the message for our own expansion of names.
func (m *message) check(domain string) spftrack.Check {
	e := m.envelope(domain)
	return spftrack.Check{IP: netip.MustParseAddr(m.ip), Sender: e.Sender, HELO: e.HELO}
}
