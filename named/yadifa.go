package named

import (
	"net/netip"
	"strings"
)

// yadifa adds the files for YADIFA, which knows no catalog zones as a secondary.
func (g *generator) yadifa() {
	if g.TSIG != nil {
		var t text
		t.header("#", "The TSIG key for zone transfers, included by the other files in this directory.", keyOwner("yadifad"))
		t.lines("", "<key>", "    name "+string(g.TSIG.Name), "    algorithm "+g.TSIG.Algorithm, "    secret "+g.TSIG.Secret, "</key>")
		g.static("yadifa/tsig.key", modeSecret, t.String())
	}
	if g.has(YADIFA) {
		g.yadifaPrimary()
	}
	if g.secondaries() && g.hasSecondary(YADIFA) {
		g.yadifaSecondary()
	}
}

// yadifaHosts lists servers.
func yadifaHosts(list []netip.AddrPort, key func(netip.Addr) string) string {
	return joined(list, ",", func(a netip.AddrPort) string {
		host := a.Addr().String() + " port " + portString(a)
		if k := key(a.Addr()); k != "" {
			host += " key " + k
		}
		return host
	})
}

// yadifaACL begins a file with the key and a list of those who have it, or an address
// without it.
func (g *generator) yadifaACL(t *text, name, key string, addresses []string) {
	if g.TSIG != nil {
		t.lines("", "include "+g.path("yadifa/tsig.key"))
	}
	if key != "" {
		addresses = append([]string{"key " + key}, addresses...)
	}
	t.section("<acl>", "    "+name+" "+strings.Join(addresses, ","), "</acl>")
}

// yadifaPrimary adds the configuration of a primary. YADIFA allows transfers to
// those who have the key, wherever they are, and to addresses without it.
func (g *generator) yadifaPrimary() {
	var t text
	notes := []string{`Include it in yadifad.conf:`, ``, `    include ` + g.path("yadifa/primary.conf")}
	rest := "\n    allow-transfer none\n    notify-auto no"
	if len(g.Primary.AllowTransfer) > 0 {
		key := ""
		if len(g.signed(true)) > 0 {
			key = g.keyOr("")
		}
		notes = append(notes, ``, `and in its section main, for secondaries that transfer many zones at once:`, ``, `    max-tcp-queries 255`)
		if key != "" {
			notes = append(notes, ``, `Whoever has the key may transfer the zones, from any address.`)
		}
		rest = "\n    allow-transfer nullspf-transfer\n    notify-auto no\n    also-notify " + yadifaHosts(g.Primary.AlsoNotify, g.keyFor)
		t.header("#", "The published zones, for a YADIFA primary.", notes...)
		var addresses []string
		for _, p := range g.signed(false) {
			addresses = append(addresses, prefix(p))
		}
		g.yadifaACL(&t, "nullspf-transfer", key, addresses)
	} else {
		t.header("#", "The published zones, for a YADIFA primary.", notes...)
	}
	zone := func(b []byte, name string, file []byte) []byte {
		b = append(b, "\n<zone>\n    domain "...)
		b = append(b, name...)
		b = append(b, "\n    type primary\n    file \""...)
		b = append(b, file...)
		b = append(b, '"')
		b = append(b, rest...)
		return append(b, "\n</zone>\n"...)
	}
	if g.Catalog != "" {
		t.Write(zone(nil, string(g.Catalog), []byte(g.path(catalogFile))))
	}
	directory := g.path("zones") + "/"
	g.listing("yadifa/primary.conf", t.String(), "", func(b []byte, name string) []byte {
		return zone(b, name, appendZoneFile([]byte(directory), name))
	})
}

// yadifaSecondary adds the configuration of a secondary.
func (g *generator) yadifaSecondary() {
	var t text
	t.header("#", "The published zones, for a YADIFA secondary.",
		`Include it in yadifad.conf:`, ``, `    include `+g.path("yadifa/secondary.conf"), ``,
		`and in its section main:`, ``, `    allow-notify nullspf-primary`, `    allow-transfer none`, ``,
		`Copies of the zones are kept in its datapath, which must be writable by yadifad.`)
	key := g.keyOf(YADIFA)
	var addresses []string
	if key == "" {
		for _, a := range g.Primary.Addresses {
			addresses = append(addresses, a.Addr().String())
		}
	}
	g.yadifaACL(&t, "nullspf-primary", key, addresses)
	primary := yadifaHosts(g.Primary.Addresses, func(netip.Addr) string { return key })
	g.listing("yadifa/secondary.conf", t.String(), "", func(b []byte, name string) []byte {
		b = append(b, "\n<zone>\n    domain "...)
		b = append(b, name...)
		b = append(b, "\n    type secondary\n    file "...)
		b = append(b, copyFile(name)...)
		b = append(b, "\n    primary "...)
		b = append(b, primary...)
		return append(b, "\n</zone>\n"...)
	})
}
