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
	t.header("#", "The TSIG key of zone transfers, included by the other files of this folder.",
		keyOwner("nsd"))
	t.lines("", "key:", "\tname: "+quote(string(g.TSIG.Name)), "\talgorithm: "+g.TSIG.Algorithm, "\tsecret: "+quote(g.TSIG.Secret))
	return t.String()
}

// nsdIncludeNotes says how to include a file. NSD takes the names of included
// files from the folder in which whatever reads them was started, nsd-control
// for one, so that with relative names the key must be included by the
// operator.
func (g *generator) nsdIncludeNotes(file string) []string {
	if !g.Relative {
		return []string{`Include it in nsd.conf:`, ``, `    include: ` + quote(g.path("nsd/"+file))}
	}
	notes := []string{`Include it in nsd.conf by its absolute name:`, ``}
	if g.TSIG != nil {
		notes = append(notes, `    include: ".../nsd/tsig.key"`)
	}
	return append(notes, `    include: ".../nsd/`+file+`"`, ``,
		`Other file names are relative to the output folder of nullspf, which must be`,
		`the zonesdir in nsd.conf.`)
}

func (g *generator) nsdStoreNotes() []string {
	return []string{``, `nsd keeps its copies of the zones in a folder that it must be able to write`, `to:`, ``, `    ` + g.store()}
}

func (g *generator) nsdIncludeKey(t *text) {
	if g.TSIG != nil && !g.Relative {
		t.lines("", "include: "+quote(g.path("nsd/tsig.key")), "")
	}
}

// nsdPrimary adds the configuration of an NSD primary.
func (g *generator) nsdPrimary() {
	var t text
	t.header("#", "The published zones, for an NSD primary.", g.nsdIncludeNotes("primary.conf")...)
	g.nsdIncludeKey(&t)
	t.lines("", "pattern:", "\tname: nullspf-transfer")
	key := g.keyOr("NOKEY")
	for _, p := range g.Primary.AllowTransfer {
		t.lines("\tprovide-xfr: ", prefix(p)+" "+key)
	}
	for _, a := range g.Primary.AlsoNotify {
		t.lines("\tnotify: ", at(a)+" "+key)
	}
	t.lines("", "pattern:", "\tname: nullspf-primary", "\tinclude-pattern: nullspf-transfer", "\tzonefile: "+quote(g.path("zones/%s.zone")))
	if g.Catalog != "" {
		t.lines("", "zone:", "\tname: "+quote(string(g.Catalog)), "\tinclude-pattern: nullspf-transfer", "\tzonefile: "+quote(g.path(catalogFile)))
		for _, p := range g.Primary.AllowTransfer {
			t.lines("\tallow-query: ", prefix(p)+" "+key)
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
// the file of a zone for which the pattern does not do.
func (g *generator) nsdZones(path, head, pattern string, file func(name string) string) {
	end := "\"\n\tinclude-pattern: " + pattern + "\n"
	g.listing(path, head, "", func(b []byte, name string) []byte {
		b = append(b, "zone:\n\tname: \""...)
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
	t.lines("", "pattern:", "\tname: nullspf-secondary", "\tzonefile: "+quote(g.store()+"/%s"))
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
		`The catalog zone says which zones there are: this file does not change with`,
		`them. NSD 4.9 or later understands it, and no more than one such zone.`)
	t.header("#", "The catalog zone, for an NSD secondary, instead of secondary.conf.", append(notes, g.nsdStoreNotes()...)...)
	g.nsdSecondaryPattern(&t)
	t.lines("", "zone:", "\tname: "+quote(string(g.Catalog)), "\tinclude-pattern: nullspf-secondary",
		"\tcatalog: consumer", "\tcatalog-member-pattern: nullspf-secondary",
		"\tallow-query: 0.0.0.0/0 BLOCKED", "\tallow-query: ::/0 BLOCKED")
	g.static("nsd/secondary-catalog.conf", modePublic, t.String())
}
