package named

import (
	"net/netip"
	"strconv"
	"strings"
)

// nullspfd adds the Corefiles of nullspfd: one for each of the two servers that
// a tracking zone needs at least. They differ in nothing but their journals,
// which are on different machines.
func (g *generator) nullspfd() {
	if g.Track == nil {
		return
	}
	for _, role := range []string{RolePrimary, RoleSecondary} {
		var t text
		g.coreHeader(&t, role)
		g.coreTracking(&t)
		g.static("nullspfd/"+role+".Corefile", modePublic, t.String())
	}
}

func (g *generator) coreHeader(t *text, role string) {
	file := "nullspfd/" + role + ".Corefile"
	notes := []string{`Use it as it stands, or copy its block into a file of your own:`, ``, `    nullspfd -conf ` + g.path(file)}
	if g.Relative {
		notes = append(notes, ``, `File names are relative to the output folder of nullspf: start nullspfd there.`)
	}
	t.header("#", "The tracking zone, for nullspfd beside the "+role+".", notes...)
}

// coreTracking writes the block of the tracking zone.
func (g *generator) coreTracking(t *text) {
	track := g.Track
	g.coreOpen(t, track.Zone)
	t.lines("    ", "spftrack {", "    nameservers "+strings.Join(track.Nameservers, " "))
	if len(track.Layouts) > 0 {
		t.lines("        ", "layouts "+strings.Join(track.Layouts, " "))
	}
	if track.Explain != "" {
		t.lines("        ", "explain "+coreQuote(track.Explain))
	}
	if track.TTL > 0 {
		t.lines("        ", "ttl "+strconv.FormatInt(int64(track.TTL.Seconds()), 10)+"s")
	}
	t.lines("    ", "}", "journal "+coreWord(g.path(or(track.Journal, "var"))))
	t.lines("", "}")
}

// coreOpen begins the server block of a zone. All addresses at which nullspfd
// listens have the same port.
func (g *generator) coreOpen(t *text, zone string) {
	if len(g.Track.Listen) == 0 {
		t.lines("", zone+":53 {")
		return
	}
	t.lines("", zone+":"+portString(g.Track.Listen[0])+" {", "    bind "+
		joined(g.Track.Listen, " ", func(a netip.AddrPort) string { return a.Addr().String() }))
}

// coreWord quotes a word of a Corefile that has blanks in it.
func coreWord(s string) string {
	if strings.ContainsRune(s, ' ') {
		return coreQuote(s)
	}
	return s
}

// coreQuote quotes a text for a Corefile, in which the quotation mark is the
// only character that needs an escape.
func coreQuote(s string) string { return `"` + strings.ReplaceAll(s, `"`, `\"`) + `"` }
