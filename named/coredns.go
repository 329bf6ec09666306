package named

import (
	"net/netip"
	"slices"
	"strings"
)

// coredns adds the Corefiles of CoreDNS: as primary it reads the zone files, as
// secondary it consumes the catalog zone.
func (g *generator) coredns() {
	if g.has(CoreDNS) {
		g.corednsPrimary()
	}
	if g.secondaries() && g.hasSecondary(CoreDNS) && g.Catalog != "" {
		g.corednsSecondary()
	}
}

func (g *generator) corednsNotes(role string) []string {
	return []string{`Use it as it is, or import it from another Corefile:`, ``,
		`    coredns -conf ` + g.path("coredns/"+role+".Corefile"), ``}
}

// corednsPrimary adds the Corefile of a primary, which finds the zones by the names of
// their files. With the key it asks for it in the whole block: secondaries without it
// get a block of their own, by their address.
func (g *generator) corednsPrimary() {
	var t text
	notes := append(g.corednsNotes(RolePrimary), `Requires CoreDNS 1.15 or later. It looks for new, changed and removed zone files`,
		`every five seconds. It does not sign NOTIFY.`)
	if g.TSIG != nil {
		// CoreDNS reads no comments there.
		g.static("coredns/tsig.key", modeSecret, g.bindStatement())
		notes = append(notes, ``, `The TSIG key is in coredns/tsig.key, which must belong to the user that coredns`, `runs as; nobody else can read it.`)
	}
	t.header("#", "The published zones, for a CoreDNS primary.", notes...)
	t.lines("", "(nullspf) {", "    auto {", "        directory "+coreWord(g.path("zones"))+` ^(.+?)(?:\.zone)?$ {1}`, "        reload 5s", "    }")
	if g.Catalog != "" {
		t.lines("", "    file "+coreWord(g.path(catalogFile))+" "+string(g.Catalog)+" {", "        reload 5s", "    }")
	}
	t.lines("", "    errors", "}")
	signed, unsigned := g.signed(true), g.signed(false)
	if len(signed) > 0 && len(unsigned) > 0 {
		words := make([]string, len(unsigned))
		for i, p := range unsigned {
			words[i] = "incidr(client_ip(), '" + p.Masked().String() + "')"
		}
		g.corednsBlock(&t, unsigned, "    view unsigned {", "        expr "+strings.Join(words, " || "), "    }")
	}
	switch {
	case len(signed) > 0:
		g.corednsBlock(&t, signed, "    tsig {", "        secrets "+coreWord(g.path("coredns/tsig.key")), "        require AXFR IXFR", "    }")
	default:
		g.corednsBlock(&t, unsigned)
	}
	g.static("coredns/primary.Corefile", modePublic, t.String())
}

// corednsBlock writes a block for those who may transfer the zones.
func (g *generator) corednsBlock(t *text, clients []netip.Prefix, lines ...string) {
	t.section(".:53 {")
	t.lines("", lines...)
	t.lines("    ", "import nullspf")
	if len(clients) > 0 {
		nets := " net " + joined(clients, " ", prefix)
		if g.Catalog != "" {
			t.lines("    ", "acl "+string(g.Catalog)+" {", "    allow"+nets, "    block", "}")
		}
		t.lines("    ", "acl {", "    allow type AXFR"+nets, "    allow type IXFR"+nets, "    block type AXFR", "    block type IXFR", "}")
		to := []string{"*"}
		for _, a := range g.Primary.AlsoNotify {
			if slices.ContainsFunc(clients, func(p netip.Prefix) bool { return p.Contains(a.Addr()) }) {
				to = append(to, coreEndpoint(a))
			}
		}
		t.lines("    ", "transfer {", "    to "+strings.Join(to, " "), "}")
	}
	t.lines("", "}")
}

// corednsSecondary adds the Corefile of a CoreDNS that consumes the catalog zone. It
// cannot sign: its primary must allow it without the key. Members are answered only in
// a block for all names.
func (g *generator) corednsSecondary() {
	var t text
	t.header("#", "The published zones, for a CoreDNS secondary.", append(g.corednsNotes(RoleSecondary),
		`Requires CoreDNS 1.15 or later. It keeps no copies: when it starts, a primary`,
		`must be up. Anybody may query it for the records of the catalog zone.`)...)
	t.lines("", ".:53 {", "    secondary "+string(g.Catalog)+" {", "        transfer from "+joined(g.Primary.Addresses, " ", netip.AddrPort.String),
		"        catalog", "    }", "    errors", "}")
	g.static("coredns/secondary.Corefile", modePublic, t.String())
}
