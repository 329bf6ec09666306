package named

import (
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"nullspf/internal/value"
)

// corefileKey is the path of the TSIG secret for nullspfd.
const corefileKey = "nullspfd/tsig.key"

// nullspfd adds the Corefiles of nullspfd: as primary it serves the published
// zones from the output directory, as secondary it transfers them, and both
// answer for the tracking zone. Their journals are on different machines.
//
// nullspfd does not sign zones: with DNSSEC it is a secondary only.
func (g *generator) nullspfd() {
	if g.TSIG != nil {
		g.static(corefileKey, modeSecret, g.TSIG.Secret+"\n")
	}
	g.corePrimary()
	g.coreSecondary()
}

// corefiles are the paths of the Corefiles that are written.
func (s *Settings) corefiles() []string {
	var files []string
	if s.Track != nil || !s.DNSSEC {
		files = append(files, corefilePath(RolePrimary))
	}
	if s.Track != nil || s.secondaries() {
		files = append(files, corefilePath(RoleSecondary))
	}
	return files
}

func corefilePath(role string) string { return "nullspfd/" + role + ".Corefile" }

func (g *generator) corePrimary() {
	var t text
	switch {
	case !g.DNSSEC:
		g.coreHeader(&t, RolePrimary, "The published zones, for nullspfd as primary.")
		g.coreTracking(&t, false)
		g.coreOpen(&t, ".", g.Nullspfd.Listen)
		g.coreKey(&t)
		t.lines("    ", "parked "+coreWord(g.path(".")))
		g.coreTransfer(&t)
		g.coreDNSBL(&t)
		g.coreControl(&t)
		t.lines("", "}")
	case g.Track != nil:
		g.coreHeader(&t, RolePrimary, "The tracking zone, for nullspfd alongside the signing primary.")
		g.coreTracking(&t, true)
	default:
		return
	}
	g.static(corefilePath(RolePrimary), modePublic, t.String())
}

func (g *generator) coreSecondary() {
	var t text
	if !g.secondaries() {
		if g.Track == nil {
			return
		}
		g.coreHeader(&t, RoleSecondary, "The tracking zone, for nullspfd alongside the secondary.")
		g.coreTracking(&t, true)
		g.static(corefilePath(RoleSecondary), modePublic, t.String())
		return
	}
	g.coreHeader(&t, RoleSecondary, "The published zones, for nullspfd as secondary.",
		``, `Copies of the zones are kept in this directory, which must be writable by nullspfd:`, ``, `    `+g.store())
	g.coreTracking(&t, false)
	g.coreOpen(&t, ".", g.Nullspfd.Listen)
	g.coreKey(&t)
	t.lines("    ", "secondary {")
	var end text
	end.lines("        ", "primaries "+joined(g.Primary.Addresses, " ", coreEndpoint)+g.coreSigned(), "store "+coreWord(g.store()))
	end.lines("    ", "}")
	g.coreDNSBL(&end)
	g.coreControl(&end)
	end.lines("", "}")
	if g.Catalog != "" {
		t.lines("        ", "catalog "+string(g.Catalog))
		g.static(corefilePath(RoleSecondary), modePublic, t.String()+end.String())
		return
	}
	g.listing(corefilePath(RoleSecondary), t.String()+"        zones", "\n"+end.String(), func(b []byte, name string) []byte {
		return append(append(b, ' '), name...)
	})
}

func (g *generator) coreHeader(t *text, role, title string, more ...string) {
	file := corefilePath(role)
	notes := []string{`Use it as it is, or import it from another Corefile:`, ``, `    nullspfd -conf ` + g.path(file)}
	if g.Relative {
		notes = append(notes, ``, `File names are relative to the output directory of nullspf: start nullspfd there.`)
	}
	if g.TSIG != nil && (role == RoleSecondary || !g.DNSSEC) && g.secondaries() {
		notes = append(notes, ``, `The TSIG key is in `+corefileKey+`, which must belong to the user that`, `nullspfd runs as; nobody else can read it.`)
	}
	t.header("#", title, append(notes, more...)...)
}

// coreTracking writes the block of the tracking zone, if there is one. alone
// is set when it is the only block.
func (g *generator) coreTracking(t *text, alone bool) {
	track := g.Track
	if track == nil {
		return
	}
	g.coreOpen(t, string(track.Zone), track.Listen)
	nameservers := "    nameservers"
	for _, host := range track.Nameservers {
		nameservers += " " + string(host)
	}
	t.lines("    ", "spftrack {", nameservers)
	if layouts := g.layouts(); len(layouts) > 0 {
		t.lines("        ", "layouts "+strings.Join(layouts, " "))
	}
	if track.Explain != "" {
		t.lines("        ", "explain "+coreQuote(track.Explain))
	}
	if track.TTL > 0 {
		t.lines("        ", "ttl "+strconv.FormatInt(int64(track.TTL.Seconds()), 10)+"s")
	}
	t.lines("    ", "}")
	g.coreJournal(t)
	if alone {
		g.coreControl(t)
	}
	t.lines("", "}")
	if alone && g.Nullspfd.DNSBL != nil {
		g.coreOpen(t, ".", g.Nullspfd.Listen)
		g.coreDNSBL(t)
		t.lines("", "}")
	}
}

// coreDNSBL writes the block list, if there is one.
func (g *generator) coreDNSBL(t *text) {
	d := g.Nullspfd.DNSBL
	if d == nil {
		return
	}
	nameservers := "    nameservers"
	for _, host := range d.Nameservers {
		nameservers += " " + string(host)
	}
	t.lines("    ", "dnsbl "+string(d.Zone)+" {", "    file "+coreWord(g.path(d.File)), nameservers, "}")
}

// layouts are the SPF layouts that nullspfd is to recognise; none means its
// default.
func (g *generator) layouts() []string {
	if len(g.Track.Layouts) > 0 {
		return g.Track.Layouts
	}
	used := make(map[string]bool)
	for i := range g.set.Entries {
		used[g.set.SPF(&g.set.Entries[i])] = true
	}
	delete(used, "plain") // its record asks for no name of the tracking zone
	layouts := slices.Sorted(maps.Keys(used))
	if slices.Equal(layouts, []string{"track"}) {
		return nil
	}
	return layouts
}

func (g *generator) coreJournal(t *text) {
	journal := "journal " + coreWord(g.path(or(g.Track.Journal, "var")))
	if g.Nullspfd.Retain == 0 && g.Nullspfd.RetainRaw == 0 && g.Nullspfd.MaxSize == 0 {
		t.lines("    ", journal)
		return
	}
	t.lines("    ", journal+" {")
	if d := g.Nullspfd.Retain; d > 0 {
		t.lines("        ", "retain "+value.FormatDuration(d))
	}
	if d := g.Nullspfd.RetainRaw; d > 0 {
		t.lines("        ", "retain_raw "+value.FormatDuration(d))
	}
	if n := g.Nullspfd.MaxSize; n > 0 {
		t.lines("        ", "max_size "+value.FormatSize(n))
	}
	t.lines("    ", "}")
}

// coreOpen begins the server block of a zone. All addresses to listen on have
// the same port; none means port 53 of all addresses.
func (g *generator) coreOpen(t *text, zone string, listen []netip.AddrPort) {
	if len(listen) == 0 {
		t.lines("", zone+":53 {")
	} else {
		t.lines("", zone+":"+portString(listen[0])+" {", "    bind "+
			joined(listen, " ", func(a netip.AddrPort) string { return a.Addr().String() }))
	}
	switch rate := g.Nullspfd.Rate; {
	case rate < 0:
		t.lines("    ", "rrl off")
	case rate > 0:
		t.lines("    ", "rrl {", "    rate "+strconv.Itoa(rate), "}")
	}
}

// coreKey writes the TSIG key for zone transfers.
func (g *generator) coreKey(t *text) {
	if g.TSIG != nil && g.secondaries() {
		t.lines("    ", "tsig "+string(g.TSIG.Name)+" "+g.TSIG.Algorithm+" "+coreWord(g.path(corefileKey)))
	}
}

func (g *generator) coreTransfer(t *text) {
	if len(g.Primary.AllowTransfer) == 0 {
		return
	}
	t.lines("    ", "transfer {")
	for _, signed := range []bool{true, false} {
		if list := g.signed(signed); len(list) > 0 {
			t.lines("        ", "to "+joined(list, " ", prefix)+g.coreKeyIf(signed))
		}
	}
	for _, signed := range []bool{true, false} {
		var list []netip.AddrPort
		for _, a := range g.Primary.AlsoNotify {
			if (g.keyFor(a.Addr()) != "") == signed {
				list = append(list, a)
			}
		}
		if len(list) > 0 {
			t.lines("        ", "notify "+joined(list, " ", coreEndpoint)+g.coreKeyIf(signed))
		}
	}
	t.lines("    ", "}")
}

func (g *generator) coreKeyIf(signed bool) string {
	if !signed {
		return ""
	}
	return g.coreSigned()
}

// coreSigned ends a line about other servers.
func (g *generator) coreSigned() string {
	if g.TSIG == nil {
		return ""
	}
	return " key " + string(g.TSIG.Name)
}

// coreControl writes what holds for the whole process and does not belong to a
// zone.
func (g *generator) coreControl(t *text) {
	if at := g.Nullspfd.Metrics; at.IsValid() {
		t.lines("    ", "metrics "+at.String())
	}
	if at := g.Nullspfd.Health; at.IsValid() {
		t.lines("    ", "health "+at.String())
	}
	if proxies := g.Nullspfd.Proxies; len(proxies) > 0 {
		t.lines("    ", "proxy "+joined(proxies, " ", prefix))
	}
	if m := g.Nullspfd.SMTP; m != nil {
		g.coreSMTP(t, m)
	}
	if g.Nullspfd.Control != "" {
		t.lines("    ", "control "+coreWord(g.path(g.Nullspfd.Control)))
	}
}

func (g *generator) coreSMTP(t *text, m *SMTP) {
	var lines []string
	add := func(name, value string, is bool) {
		if is {
			lines = append(lines, "    "+name+" "+value)
		}
	}
	add("mode", m.Mode, m.Mode != "")
	add("at", m.At, m.At != "")
	add("tarpit", value.FormatDuration(m.Tarpit), m.Tarpit > 0)
	add("tls", coreWord(g.path(m.Certificate))+" "+coreWord(g.path(m.Key)), m.Certificate != "")
	add("connections", strconv.Itoa(m.Connections), m.Connections > 0)
	listen := "smtp " + joined(m.Listen, " ", netip.AddrPort.String)
	if len(lines) == 0 {
		t.lines("    ", listen)
		return
	}
	t.lines("    ", append(append([]string{listen + " {"}, lines...), "}")...)
}

// coreEndpoint leaves port 53 out.
func coreEndpoint(a netip.AddrPort) string {
	if a.Port() == 53 {
		return a.Addr().String()
	}
	return a.String()
}

// coreWord quotes a word of a Corefile that has spaces in it.
func coreWord(s string) string {
	if strings.ContainsRune(s, ' ') {
		return coreQuote(s)
	}
	return s
}

// coreQuote quotes a string for a Corefile, in which only the quotation mark is
// escaped.
func coreQuote(s string) string { return `"` + strings.ReplaceAll(s, `"`, `\"`) + `"` }
