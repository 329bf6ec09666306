package named

import (
	"net/netip"
	"strings"

	"nullspf/zones"
)

// maxSigned is the greatest length of the name of a zone that BIND signs and
// of the directory of its keys together. BIND has 255 bytes for the path of a
// key, including the NUL at its end.
const maxSigned = 255 - len("/K.+013+12345.private") - 1

// maxJournaled is the longest name of a zone for which BIND can form the name
// of its journal: it does not load a zone without one, although it writes none.
const maxJournaled = 255 - len(".zone.jnl")

// bindTerms are the words that BIND renamed.
type bindTerms struct{ primary, secondary, list, defaultList string }

func (s *Settings) bindTerms() bindTerms {
	if s.Terms == NewTerms {
		return bindTerms{"primary", "secondary", "primaries", "default-primaries"}
	}
	return bindTerms{"master", "slave", "masters", "default-masters"}
}

// bind adds the files for BIND.
func (g *generator) bind() {
	if g.TSIG != nil {
		g.static("named/tsig.key", modeSecret, g.bindKey())
	}
	g.bindPrimary()
	if !g.secondaries() {
		return
	}
	g.bindSecondary()
	if g.Catalog != "" {
		g.bindCatalog()
	}
}

func (g *generator) bindKey() string {
	var t text
	t.header("//", "The TSIG key for zone transfers, included by the other files in this directory.",
		keyOwner("named"))
	t.WriteString(g.bindStatement())
	return t.String()
}

// bindStatement is the key as named.conf has it.
func (g *generator) bindStatement() string {
	return "key " + quote(string(g.TSIG.Name)) + " {\n\talgorithm " + g.TSIG.Algorithm + ";\n\tsecret " + quote(g.TSIG.Secret) + ";\n};\n"
}

// keyOwner is a line for the header of key files.
func keyOwner(user string) string {
	return "Its owner must be the user that " + user + " runs as; nobody else can read it."
}

// bindPrimary adds the configuration of a BIND primary. What all zones share
// is in lists at its start, so that the text of a zone is short.
func (g *generator) bindPrimary() {
	terms := g.bindTerms()
	var t text
	g.bindHead(&t, RolePrimary, "The published zones, for a BIND primary.", g.bindPrimaryNotes())

	transfer := "none"
	if len(g.Primary.AllowTransfer) > 0 {
		transfer = "nullspf-transfer"
		g.bindTransferACL(&t)
	}
	notify := "notify no;"
	if len(g.Primary.AlsoNotify) > 0 {
		notify = "notify explicit; also-notify { nullspf-notify; };"
		t.WriteString(terms.list + " nullspf-notify {\n")
		g.bindServers(&t, g.Primary.AlsoNotify, g.keyFor)
		t.WriteString("};\n")
	}
	g.bindZones(&t, RolePrimary, "The published zones, for a BIND primary.", g.bindPrimaryNotes())
	rest := "allow-transfer { " + transfer + "; }; " + notify
	if g.Catalog != "" {
		t.WriteString("zone " + quote(string(g.Catalog)) + " { type " + terms.primary + "; file " + quote(g.path(catalogFile)) +
			"; allow-query { " + transfer + "; }; " + rest + " };\n")
	}
	if g.DNSSEC {
		rest = "dnssec-policy default; inline-signing yes; key-directory " + quote(g.keys()) + "; " + rest
	}
	middle := `" { type ` + terms.primary + `; file "` + g.path("zones") + `/`
	end := `"; ` + rest + " };\n"
	g.listing("named/primary.conf", t.String(), "", func(b []byte, name string) []byte {
		b = append(b, `zone "`...)
		b = append(b, name...)
		b = append(b, middle...)
		b = appendZoneFile(b, name)
		if len(name) > maxJournaled {
			b = append(b, `"; journal "`+g.path("zones")+`/`...)
			b = zones.AppendMember(b, name)
			b = append(b, ".jnl"...)
		}
		return append(b, end...)
	})
}

func (g *generator) bindPrimaryNotes() []string {
	notes := append(g.bindIncludeNotes("named/primary.conf"), g.bindDirectoryNote()...)
	if g.DNSSEC {
		notes = append(notes, ``,
			`named signs the zones. It keeps the signed zones and their journals next to the`,
			`zone files, and its keys in a directory of their own. Both must be writable by`,
			`named:`, ``,
			`    `+g.path("zones"), `    `+g.keys(), ``,
			`The serial numbers that it publishes are its own: at least those of the zone`,
			`files, incremented each time it signs.`)
	}
	return notes
}

// bindLists is the file of what named.conf may not have inside a view.
func bindLists(role string) string { return "named/" + role + "-lists.conf" }

// bindIncludeNotes say how to include a file.
func (g *generator) bindIncludeNotes(file string) []string {
	if g.View == "" {
		return []string{`Include it in named.conf, outside any view:`, ``, `    include ` + quote(g.path(file)) + `;`}
	}
	role := RolePrimary
	if !strings.Contains(file, role) {
		role = RoleSecondary
	}
	return []string{`Include it in named.conf inside the view, and a second file outside:`, ``,
		`    include ` + quote(g.path(bindLists(role))) + `;`,
		`    view ` + quote(g.View) + ` {`,
		`        include ` + quote(g.path(file)) + `;`,
		`        ...`,
		`    };`}
}

// bindHead begins the file of a role, or that of its lists.
func (g *generator) bindHead(t *text, role, title string, notes []string) {
	if g.View == "" {
		t.header("//", title, notes...)
	} else {
		t.header("//", "Key and addresses of the "+role+", outside the view "+g.View+"; see "+role+".conf.")
	}
	g.bindIncludeKey(t)
}

// bindZones ends the lists; zones follow.
func (g *generator) bindZones(t *text, role, title string, notes []string) {
	if g.View == "" {
		t.WriteByte('\n')
		return
	}
	g.static(bindLists(role), modePublic, t.String())
	t.Reset()
	t.header("//", title, notes...)
}

func (g *generator) bindDirectoryNote() []string {
	if !g.Relative {
		return nil
	}
	return []string{``, `File names are relative to the output directory of nullspf, which must be the`,
		`directory in the options of named.conf.`}
}

func (g *generator) bindIncludeKey(t *text) {
	if g.TSIG != nil {
		t.WriteString("include " + quote(g.path("named/tsig.key")) + ";\n")
	}
}

// bindTransferACL writes the list of clients that may transfer zones. Elements
// of a list are alternatives, so that "address and key" needs the negation:
// clients with another address are refused, all others need the key.
func (g *generator) bindTransferACL(t *text) {
	list := func(name string, prefixes []netip.Prefix) {
		t.WriteString("acl " + name + " {\n")
		for _, p := range prefixes {
			t.WriteString("\t" + prefix(p) + ";\n")
		}
		t.WriteString("};\n")
	}
	if g.TSIG == nil {
		list("nullspf-transfer", g.Primary.AllowTransfer)
		return
	}
	unsigned := ""
	if prefixes := g.signed(false); len(prefixes) > 0 {
		list("nullspf-unsigned", prefixes)
		unsigned = "nullspf-unsigned; "
	}
	signed := g.signed(true)
	if len(signed) == 0 {
		t.WriteString("acl nullspf-transfer { nullspf-unsigned; };\n")
		return
	}
	list("nullspf-secondaries", signed)
	t.WriteString("acl nullspf-transfer { " + unsigned + "!{ !nullspf-secondaries; any; }; key " + quote(string(g.TSIG.Name)) + "; };\n")
}

// bindServers writes the elements of a list of servers, each with its key.
func (g *generator) bindServers(t *text, servers []netip.AddrPort, key func(netip.Addr) string) {
	for _, a := range servers {
		t.WriteString("\t" + a.Addr().String())
		if a.Port() != 53 {
			t.WriteString(" port " + portString(a))
		}
		if k := key(a.Addr()); k != "" {
			t.WriteString(" key " + quote(k))
		}
		t.WriteString(";\n")
	}
}

// bindSecondary adds the configuration of a BIND secondary that lists all
// zones.
func (g *generator) bindSecondary() {
	terms := g.bindTerms()
	var t text
	const title = "The published zones, for a BIND secondary."
	notes := append(g.bindIncludeNotes("named/secondary.conf"), g.bindDirectoryNote()...)
	notes = append(notes, g.bindSecondaryNotes()...)
	g.bindHead(&t, RoleSecondary, title, notes)
	g.bindPrimaryList(&t)
	g.bindZones(&t, RoleSecondary, title, notes)
	middle := `" { type ` + terms.secondary + `; ` + terms.list + ` { nullspf-primary; }; file "` + g.store() + `/`
	const end = "\"; allow-transfer { none; }; notify no; };\n"
	g.listing("named/secondary.conf", t.String(), "", func(b []byte, name string) []byte {
		b = append(b, `zone "`...)
		b = append(b, name...)
		b = append(b, middle...)
		b = append(b, copyFile(name)...)
		return append(b, end...)
	})
}

func (g *generator) bindSecondaryNotes() []string {
	return []string{``,
		`Copies of the zones are kept in this directory, which must exist and be writable`,
		`by named:`, ``, `    ` + g.store(), ``,
		`The default limits of named are low for many zones. In the options of named.conf:`, ``,
		`    transfers-in 100; transfers-per-ns 100; serial-query-rate 1000;`}
}

func (g *generator) bindPrimaryList(t *text) {
	t.WriteString(g.bindTerms().list + " nullspf-primary {\n")
	g.bindServers(t, g.Primary.Addresses, g.ownKey)
	t.WriteString("};\n")
}

// bindCatalog adds the configuration of a BIND secondary that consumes the
// catalog zone. catalog-zones is valid inside options or a view only, and
// options only once in named.conf, so it needs a file of its own.
func (g *generator) bindCatalog() {
	const options = "named/secondary-catalog-options.conf"
	terms := g.bindTerms()
	var t text
	const file, title = "named/secondary-catalog.conf", "The catalog zone, for a BIND secondary; replaces secondary.conf."
	notes := []string{
		`Include it in named.conf, outside any view, and a second file in options:`, ``,
		`    include ` + quote(g.path(file)) + `;`,
		`    options {`,
		`        include ` + quote(g.path(options)) + `;`,
		`        ...`,
		`    };`}
	if g.View != "" {
		notes = append(g.bindIncludeNotes(file), ``, `The view includes a third file too:`, ``, `    include `+quote(g.path(options))+`;`)
	}
	notes = append(notes, ``,
		`The zones are listed in the catalog zone, so this file does not change when`,
		`zones are added or removed. Requires BIND 9.18.3 or later.`)
	notes = append(notes, g.bindDirectoryNote()...)
	notes = append(notes, g.bindSecondaryNotes()...)
	t.header("//", title, notes...)
	if g.View == "" {
		g.bindIncludeKey(&t)
		g.bindPrimaryList(&t)
		t.WriteByte('\n')
	}
	t.WriteString("zone " + quote(string(g.Catalog)) + " { type " + terms.secondary + "; " + terms.list + " { nullspf-primary; }; file " +
		quote(g.store()+"/"+copyFile(string(g.Catalog))) + "; allow-query { none; }; allow-transfer { none; }; notify no; };\n")
	g.static("named/secondary-catalog.conf", modePublic, t.String())

	t.Reset()
	where := "options"
	if g.View != "" {
		where = "the view"
	}
	t.header("//", "The catalog zone, for the options of a BIND secondary.",
		"Include it inside "+where+"; see secondary-catalog.conf.")
	t.WriteString("catalog-zones {\n\tzone " + quote(string(g.Catalog)) + " " + terms.defaultList +
		" { nullspf-primary; } zone-directory " + quote(g.store()) + ";\n};\n")
	g.static(options, modePublic, t.String())
}

// keyOr returns the name of the key, or otherwise without one.
func (s *Settings) keyOr(otherwise string) string {
	if s.TSIG == nil {
		return otherwise
	}
	return string(s.TSIG.Name)
}
