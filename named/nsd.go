package named

// nsd adds the files for NSD.
func (g *generator) nsd() {
	if g.TSIG != nil {
		g.static("nsd/tsig.key", modeSecret, g.nsdKey())
	}
	g.nsdPrimary()
	if !g.secondaries() {
		return
	}
	var t text
	t.header("#", "The published zones, for an NSD secondary.", append(g.nsdIncludeNotes("secondary.conf"), g.nsdStoreNotes()...)...)
	g.nsdSecondaryPattern(&t)
	g.nsdZones("nsd/secondary.conf", t.String(), "nullspf-secondary", func(name string) string {
		if file := copyFile(name); file != name {
			return g.store() + "/" + file
		}
		return ""
	})
	if g.Catalog != "" {
		g.nsdCatalog()
	}
}

func (g *generator) nsdKey() string {
	var t text
	t.header("#", "The TSIG key for zone transfers, included by the other files in this directory.",
		keyOwner("nsd"))
	t.lines("", "key:", "\tname: "+quote(string(g.TSIG.Name)), "\talgorithm: "+g.TSIG.Algorithm, "\tsecret: "+quote(g.TSIG.Secret))
	return t.String()
}

// nsdIncludeNotes says how to include a file. NSD resolves the
// names of included files against the working directory of the program that
// reads them, such as nsd-control, so that with relative names the operator must
// include the key.
func (g *generator) nsdIncludeNotes(file string) []string {
	if !g.Relative {
		return []string{`Include it in nsd.conf:`, ``, `    include: ` + quote(g.path("nsd/"+file))}
	}
	notes := []string{`Include it in nsd.conf by its absolute name:`, ``}
	if g.TSIG != nil {
		notes = append(notes, `    include: ".../nsd/tsig.key"`)
	}
	return append(notes, `    include: ".../nsd/`+file+`"`, ``,
		`Other file names are relative to the output directory of nullspf, which must`,
		`be the zonesdir in nsd.conf.`)
}

func (g *generator) nsdStoreNotes() []string {
	return []string{``, `Copies of the zones are kept in this directory, which must be writable by nsd:`, ``, `    ` + g.store()}
}

func (g *generator) nsdIncludeKey(t *text) {
	if g.TSIG != nil && !g.Relative {
		t.lines("", "include: "+quote(g.path("nsd/tsig.key")))
	}
}

// nsdPrimary adds the configuration of an NSD primary.
func (g *generator) nsdPrimary() {
	var t text
	t.header("#", "The published zones, for an NSD primary.", g.nsdIncludeNotes("primary.conf")...)
	g.nsdIncludeKey(&t)
	t.section("pattern:", "\tname: nullspf-transfer")
	for _, p := range g.Primary.AllowTransfer {
		t.lines("\tprovide-xfr: ", prefix(p)+" "+or(g.keyForAll(p), "NOKEY"))
	}
	for _, a := range g.Primary.AlsoNotify {
		t.lines("\tnotify: ", at(a)+" "+or(g.keyFor(a.Addr()), "NOKEY"))
	}
	t.section("pattern:", "\tname: nullspf-primary", "\tinclude-pattern: nullspf-transfer", "\tzonefile: "+quote(g.path("zones/%s.zone")))
	if g.Catalog != "" {
		t.section("zone:", "\tname: "+quote(string(g.Catalog)), "\tinclude-pattern: nullspf-transfer", "\tzonefile: "+quote(g.path(catalogFile)))
		for _, p := range g.Primary.AllowTransfer {
			t.lines("\tallow-query: ", prefix(p)+" "+or(g.keyForAll(p), "NOKEY"))
		}
	}
	g.nsdZones("nsd/primary.conf", t.String(), "nullspf-primary", func(name string) string {
		if len(name) > maxSuffixed {
			return g.path("zones/" + name)
		}
		return ""
	})
}

// nsdZones adds a file that lists all zones, each with a pattern. file names
// the zone file where it differs from that of the pattern.
func (g *generator) nsdZones(path, head, pattern string, file func(name string) string) {
	end := "\"\n\tinclude-pattern: " + pattern + "\n"
	g.listing(path, head, "", func(b []byte, name string) []byte {
		b = append(b, "\nzone:\n\tname: \""...)
		b = append(b, name...)
		b = append(b, end...)
		if f := file(name); f != "" {
			b = append(b, "\tzonefile: \""...)
			b = append(b, f...)
			b = append(b, "\"\n"...)
		}
		return b
	})
}

// nsdSecondaryPattern writes the pattern of the zones of an NSD secondary.
func (g *generator) nsdSecondaryPattern(t *text) {
	g.nsdIncludeKey(t)
	t.section("pattern:", "\tname: nullspf-secondary", "\tzonefile: "+quote(g.store()+"/%s"))
	key := g.keyOr("NOKEY")
	for _, a := range g.Primary.Addresses {
		t.lines("\t", "request-xfr: "+at(a)+" "+key, "allow-notify: "+a.Addr().String()+" "+key)
	}
}

// nsdCatalog adds the configuration of an NSD secondary that consumes the
// catalog zone.
func (g *generator) nsdCatalog() {
	var t text
	notes := append(g.nsdIncludeNotes("secondary-catalog.conf"), ``,
		`The zones are listed in the catalog zone, so this file does not change when`,
		`zones are added or removed. Requires NSD 4.9 or later, which supports a`,
		`single catalog zone as a consumer.`)
	t.header("#", "The catalog zone, for an NSD secondary; replaces secondary.conf.", append(notes, g.nsdStoreNotes()...)...)
	g.nsdSecondaryPattern(&t)
	t.section("zone:", "\tname: "+quote(string(g.Catalog)), "\tinclude-pattern: nullspf-secondary",
		"\tcatalog: consumer", "\tcatalog-member-pattern: nullspf-secondary",
		"\tallow-query: 0.0.0.0/0 BLOCKED", "\tallow-query: ::/0 BLOCKED")
	g.static("nsd/secondary-catalog.conf", modePublic, t.String())
}
