package named

import (
	"net/netip"
	"strconv"
	"strings"
)

// nullspfd adds the Corefiles of nullspfd.
func (g *generator) nullspfd() {
	transfers := len(g.Primary.AllowTransfer) > 0
	if g.TSIG != nil && (transfers || g.secondaries()) {
		g.static("nullspfd/tsig.key", modeSecret, g.TSIG.Secret+"\n")
	}
	// Signed zones must come from whoever signs them: answering from the
	// unsigned files beside it would make their signatures worthless.
	parked := !g.DNSSEC
	if g.Track != nil || parked {
		var t text
		g.coreHeader(&t, "primary")
		g.coreTracking(&t)
		if parked {
			g.coreParked(&t)
		} else {
			t.lines("# ", "The published zones are not served here: they are signed by another primary.")
		}
		g.static("nullspfd/primary.Corefile", modePublic, t.String())
	}
	if !g.secondaries() {
		return
	}
	var t text
	g.coreHeader(&t, "secondary")
	g.coreTracking(&t)
	g.coreSecondary(&t)
}

func (g *generator) coreHeader(t *text, role string) {
	file := "nullspfd/" + role + ".Corefile"
	notes := []string{`Use it as it stands, or copy its blocks into a file of your own:`, ``, `    nullspfd -conf ` + g.path(file)}
	if g.Relative {
		notes = append(notes, ``, `File names are relative to the output folder of nullspf: start nullspfd there.`)
	}
	t.header("#", "The published zones and the tracking zone, for nullspfd as "+role+".", notes...)
}

// coreTracking writes the block of the tracking zone.
func (g *generator) coreTracking(t *text) {
	track := g.Track
	if track == nil {
		return
	}
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
	if g.Track == nil || len(g.Track.Listen) == 0 {
		t.lines("", zone+":53 {")
		return
	}
	t.lines("", zone+":"+portString(g.Track.Listen[0])+" {", "    bind "+
		joined(g.Track.Listen, " ", func(a netip.AddrPort) string { return a.Addr().String() }))
}

func (g *generator) coreKey(t *text) {
	if g.TSIG != nil {
		t.lines("    ", "tsig "+g.TSIG.Name+" "+g.TSIG.Algorithm+" "+coreWord(g.path("nullspfd/tsig.key")))
	}
}

// coreWithKey appends the key to the line of a peer.
func (g *generator) coreWithKey(line string) string {
	if g.TSIG == nil {
		return line
	}
	return line + " key " + g.TSIG.Name
}

// coreParked writes the block of the published zones at a primary.
func (g *generator) coreParked(t *text) {
	g.coreOpen(t, ".")
	if len(g.Primary.AllowTransfer) > 0 {
		g.coreKey(t)
	}
	t.lines("    ", "parked "+coreWord(g.path(".")))
	if len(g.Primary.AllowTransfer) > 0 {
		t.lines("    ", "transfer {")
		for _, p := range g.Primary.AllowTransfer {
			t.lines("        ", g.coreWithKey("to "+prefix(p)))
		}
		for _, a := range g.Primary.AlsoNotify {
			t.lines("        ", g.coreWithKey("notify "+coreAddr(a)))
		}
		t.lines("    ", "}")
	}
	t.lines("", "}")
}

// coreSecondary adds the Corefile of a secondary, whose head t is. Without a
// catalog zone it lists all zones, one a line.
func (g *generator) coreSecondary(t *text) {
	const path = "nullspfd/secondary.Corefile"
	g.coreOpen(t, ".")
	g.coreKey(t)
	t.lines("    ", "secondary {")
	for _, a := range g.Primary.Addresses {
		t.lines("        ", g.coreWithKey("primaries "+coreAddr(a)))
	}
	t.lines("        ", "store "+coreWord(g.store()))
	const end = "    }\n}\n"
	if g.Catalog != "" {
		t.lines("        ", "catalog "+g.Catalog)
		g.static(path, modePublic, t.String()+end)
		return
	}
	g.listing(path, t.String(), end, func(b []byte, name string) []byte {
		b = append(b, "        zones "...)
		b = append(b, name...)
		return append(b, '\n')
	})
}

// coreAddr gives an address, with its port when that is not 53.
func coreAddr(a netip.AddrPort) string {
	if a.Port() == 53 {
		return a.Addr().String()
	}
	return a.String()
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
