package named

import (
	"net/netip"
	"strconv"
	"strings"
)

// knot adds the files for Knot DNS.
func (g *generator) knot() {
	if g.TSIG != nil {
		g.static("knot/tsig.key", modeSecret, g.knotKey())
	}
	g.knotPrimary()
	if !g.secondaries() {
		return
	}
	var t text
	t.header("#", "The published zones, for a Knot DNS secondary.", append(g.knotIncludeNotes("secondary.conf"), g.knotStoreNotes()...)...)
	g.knotSecondaryTemplate(&t)
	g.knotZones("knot/secondary.conf", t.String(), "nullspf-secondary", func(name string) string {
		if file := copyFile(name); file != name {
			return file
		}
		return ""
	})
	if g.Catalog != "" {
		g.knotCatalog()
	}
}

func (g *generator) knotKey() string {
	var t text
	t.header("#", "The TSIG key for zone transfers, included by the other files in this directory.",
		keyOwner("knotd"))
	t.lines("", "key:", "  - id: "+string(g.TSIG.Name), "    algorithm: "+g.TSIG.Algorithm, "    secret: "+quote(g.TSIG.Secret))
	return t.String()
}

func (g *generator) knotIncludeNotes(file string) []string {
	notes := []string{`Include it in knot.conf:`, ``, `    include: ` + quote(g.path("knot/"+file))}
	if g.Relative {
		notes = append(notes, ``, `File names are relative to the output directory of nullspf: start knotd there.`)
	}
	return notes
}

func (g *generator) knotStoreNotes() []string {
	return []string{``, `Copies of the zones are kept in this directory, which must be writable by knotd:`, ``, `    ` + g.store()}
}

// knotIncludeKey includes the key by a name relative to the including file,
// which is how Knot DNS takes it.
func (g *generator) knotIncludeKey(t *text) {
	switch {
	case g.TSIG == nil:
	case g.Relative:
		t.lines("", `include: "tsig.key"`)
	default:
		t.lines("", "include: "+quote(g.path("knot/tsig.key")))
	}
}

// knotRemotes writes a remote for each server and returns the list of their
// names.
func (g *generator) knotRemotes(t *text, name string, servers []netip.AddrPort, key func(netip.Addr) string) string {
	t.section("remote:")
	ids := make([]string, len(servers))
	for i, a := range servers {
		ids[i] = name + "-" + strconv.Itoa(i+1)
		t.lines("", "  - id: "+ids[i], "    address: "+quote(at(a)))
		knotUseKey(t, key(a.Addr()))
	}
	return "[" + strings.Join(ids, ", ") + "]"
}

func knotUseKey(t *text, key string) {
	if key != "" {
		t.lines("    ", "key: "+key)
	}
}

// knotACL writes a rule for some addresses, together with a key or "".
func knotACL(t *text, name, addresses, key, action string) {
	t.section("acl:", "  - id: "+name, "    address: ["+addresses+"]")
	knotUseKey(t, key)
	t.lines("    ", "action: "+action)
}

// knotPrimary adds the configuration of a Knot DNS primary.
func (g *generator) knotPrimary() {
	var t text
	notes := g.knotIncludeNotes("primary.conf")
	if g.DNSSEC {
		notes = append(notes, ``,
			`knotd signs the zones. It keeps keys and signed zones in its own databases and`,
			`never changes the zone files. The serial number of a zone starts with that of`,
			`its file; after that, knotd increments it each time the records in the file`,
			`change or the zone is signed again.`)
	}
	t.header("#", "The published zones, for a Knot DNS primary.", notes...)
	g.knotIncludeKey(&t)

	var shared []string // what the catalog zone and the published ones share
	if len(g.Primary.AlsoNotify) > 0 {
		shared = append(shared, "notify: "+g.knotRemotes(&t, "nullspf-notify", g.Primary.AlsoNotify, g.keyFor))
	}
	if len(g.Primary.AllowTransfer) > 0 {
		var rules []string
		for _, rule := range []struct {
			name string
			list []netip.Prefix
			key  string
		}{{"nullspf-transfer", g.signed(g.TSIG != nil), g.keyOr("")}, {"nullspf-unsigned", g.signed(false), ""}} {
			if len(rule.list) == 0 || rule.key == "" && len(rules) > 0 && g.TSIG == nil {
				continue
			}
			addresses := joined(rule.list, ", ", func(p netip.Prefix) string { return quote(prefix(p)) })
			knotACL(&t, rule.name, addresses, rule.key, "transfer")
			rules = append(rules, rule.name)
		}
		if len(rules) == 1 {
			shared = append(shared, "acl: "+rules[0])
		} else {
			shared = append(shared, "acl: ["+strings.Join(rules, ", ")+"]")
		}
	}
	if g.DNSSEC {
		t.section("policy:", "  - id: nullspf", "    algorithm: ecdsap256sha256", "    single-type-signing: on")
	}
	t.section("template:", "  - id: nullspf-primary", "    storage: "+quote(g.path("zones")), "    file: \"%s.zone\"",
		"    zonefile-sync: -1")
	t.lines("    ", shared...)
	if g.DNSSEC {
		t.lines("    ", "zonefile-load: difference-no-serial", "journal-content: all",
			"dnssec-signing: on", "dnssec-policy: nullspf")
	} else {
		t.lines("    ", "journal-content: none")
	}
	t.section("zone:")
	if g.Catalog != "" {
		t.lines("", "  - domain: "+string(g.Catalog), "    storage: "+quote(g.path(".")), "    file: "+quote(catalogFile),
			"    zonefile-sync: -1", "    journal-content: none")
		t.lines("    ", shared...)
	}
	g.knotZones("knot/primary.conf", t.String(), "nullspf-primary", func(name string) string {
		if len(name) > maxSuffixed {
			return name
		}
		return ""
	})
}

// knotZones adds a file whose head ends in the section of zones, and which
// lists all zones, each with a template. file names the zone file where
// it differs from that of the template.
func (g *generator) knotZones(path, head, template string, file func(name string) string) {
	end := "\n    template: " + template + "\n"
	g.listing(path, head, "", func(b []byte, name string) []byte {
		b = append(b, "  - domain: "...)
		b = append(b, name...)
		b = append(b, end...)
		if f := file(name); f != "" {
			b = append(b, "    file: \""...)
			b = append(b, f...)
			b = append(b, "\"\n"...)
		}
		return b
	})
}

// knotSecondaryTemplate writes the template of the zones of a Knot DNS
// secondary and begins the section of zones.
func (g *generator) knotSecondaryTemplate(t *text) {
	g.knotIncludeKey(t)
	primaries := g.knotRemotes(t, "nullspf-primary", g.Primary.Addresses, g.ownKey)
	knotACL(t, "nullspf-notify", joined(g.Primary.Addresses, ", ", func(a netip.AddrPort) string { return quote(a.Addr().String()) }), g.keyOr(""), "notify")
	t.section("template:", "  - id: nullspf-secondary", "    storage: "+quote(g.store()), "    file: \"%s\"",
		"    master: "+primaries, "    acl: nullspf-notify", "", "zone:")
}

// knotCatalog adds the configuration of a Knot DNS secondary that consumes the
// catalog zone.
func (g *generator) knotCatalog() {
	var t text
	notes := append(g.knotIncludeNotes("secondary-catalog.conf"), ``,
		`The zones are listed in the catalog zone, so this file does not change when`,
		`zones are added or removed. Requires Knot DNS 3.1 or later.`)
	t.header("#", "The catalog zone, for a Knot DNS secondary; replaces secondary.conf.", append(notes, g.knotStoreNotes()...)...)
	g.knotSecondaryTemplate(&t)
	t.lines("", "  - domain: "+string(g.Catalog), "    template: nullspf-secondary", "    catalog-role: interpret", "    catalog-template: nullspf-secondary")
	g.static("knot/secondary-catalog.conf", modePublic, t.String())
}
