package named

import "net/netip"

// powerdns adds the list of zones for the bind backend of PowerDNS, which
// reads zone statements and nothing else. Transfers are set in pdns.conf and, with
// a key, for each zone in the backend's own database.
func (g *generator) powerdns() {
	var t text
	notes := []string{`In pdns.conf:`, ``, `    launch=bind`, `    bind-config=` + g.path("powerdns/primary.conf")}
	if len(g.Primary.AllowTransfer) > 0 && g.TSIG == nil {
		notes = append(notes, `    primary=yes`,
			`    allow-axfr-ips=`+joined(g.Primary.AllowTransfer, ",", prefix),
			`    only-notify=`,
			`    also-notify=`+joined(g.Primary.AlsoNotify, ",", coreEndpoint))
	}
	t.header("//", "The published zones, for the bind backend of a PowerDNS primary.", notes...)
	middle := `" { type master; file "` + g.path("zones") + `/`
	g.listing("powerdns/primary.conf", t.String(), "", func(b []byte, name string) []byte {
		b = append(b, `zone "`...)
		b = append(b, name...)
		b = append(b, middle...)
		b = appendZoneFile(b, name)
		return append(b, "\"; };\n"...)
	})
}

// yadifa adds the configuration of a YADIFA secondary, which knows no catalog
// zones.
func (g *generator) yadifa() {
	if !g.secondaries() {
		return
	}
	var t text
	notes := []string{`Include it in yadifad.conf:`, ``, `    include ` + g.path("yadifa/secondary.conf"), ``,
		`and in its section main:`, ``, `    allow-notify nullspf-primary`, `    allow-transfer none`, ``,
		`Copies of the zones are kept in its datapath, which must be writable by yadifad.`}
	t.header("#", "The published zones, for a YADIFA secondary.", notes...)
	key := g.keyOr("")
	primary := ""
	acl := ""
	for i, a := range g.Primary.Addresses {
		if i > 0 {
			primary, acl = primary+",", acl+","
		}
		primary += a.Addr().String() + " port " + portString(a)
		acl += a.Addr().String()
		if key != "" {
			primary += " key " + key
		}
	}
	if g.TSIG != nil {
		var k text
		k.header("#", "The TSIG key for zone transfers, included by the other files in this directory.", keyOwner("yadifad"))
		k.lines("", "<key>", "    name "+key, "    algorithm "+g.TSIG.Algorithm, "    secret "+g.TSIG.Secret, "</key>")
		g.static("yadifa/tsig.key", modeSecret, k.String())
		t.lines("", "include "+g.path("yadifa/tsig.key"))
		acl = "key " + key
	}
	t.section("<acl>", "    nullspf-primary "+acl, "</acl>")
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

// unbound adds the configuration of an Unbound that has copies of the zones. It
// cannot sign: its primary must allow it without the key.
func (g *generator) unbound() {
	if !g.secondaries() {
		return
	}
	var t text
	t.header("#", "The published zones, for an Unbound with copies of them.",
		`Include it in unbound.conf:`, ``, `    include: `+quote(g.path("unbound/secondary.conf")), ``,
		`Copies of the zones are kept in this directory, which must exist and be writable`,
		`by unbound:`, ``, `    `+g.store())
	var sources []byte
	for _, a := range g.Primary.Addresses {
		sources = append(sources, "\n\tprimary: "+at(a)+"\n\tallow-notify: "+a.Addr().String()...)
	}
	end := "\"" + string(sources) + "\n\tfor-downstream: yes\n\tfor-upstream: yes\n\tfallback-enabled: no\n\tzonefile: \"" + g.store() + "/"
	g.listing("unbound/secondary.conf", t.String(), "", func(b []byte, name string) []byte {
		b = append(b, "\nauth-zone:\n\tname: \""...)
		b = append(b, name...)
		b = append(b, end...)
		b = append(b, copyFile(name)...)
		return append(b, "\"\n"...)
	})
}

// coredns adds the Corefile of a CoreDNS that consumes the catalog zone. It cannot
// sign: its primary must allow it without the key. Members are answered only in a
// block for all names.
func (g *generator) coredns() {
	if !g.secondaries() || g.Catalog == "" {
		return
	}
	var t text
	t.header("#", "The published zones, for a CoreDNS secondary.",
		`Use it as it is, or import it from another Corefile:`, ``,
		`    coredns -conf `+g.path("coredns/secondary.Corefile"), ``,
		`Requires CoreDNS 1.15 or later. It keeps no copies: when it starts, a primary`,
		`must be up. Anybody may query it for the records of the catalog zone.`)
	t.lines("", ".:53 {", "    secondary "+string(g.Catalog)+" {", "        transfer from "+joined(g.Primary.Addresses, " ", netip.AddrPort.String),
		"        catalog", "    }", "    errors", "}")
	g.static("coredns/secondary.Corefile", modePublic, t.String())
}
