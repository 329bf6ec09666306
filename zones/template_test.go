package zones

import (
	"bytes"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"nullspf/internal/dnsname"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestGoldenZones renders a zone of each kind of group.
func TestGoldenZones(t *testing.T) {
	for _, c := range []struct {
		file, name string
		change     func(*Group)
	}{
		{"full", "brand.example", func(*Group) {}},
		{"postmaster", "brand.example", func(g *Group) { g.Mail = Postmaster }},
		{"nolisting", "brand.example", func(g *Group) { g.Mail = Nolisting }},
		{"bare", "brand.example", func(g *Group) {
			g.A, g.AAAA, g.WWW, g.TXT, g.DMARC = nil, nil, false, nil, ""
			g.DKIM, g.WildcardMX, g.WildcardSPF, g.SPF = false, false, "", "plain"
		}},
		{"idn", "xn--bcher-kva.example", func(g *Group) { g.AAAA = nil }},
		{"long-texts", strings.Repeat("a", 60) + ".example", func(g *Group) {
			g.TXT = []string{
				strings.Repeat("x", 255), strings.Repeat("y", 256), strings.Repeat("{domain} ", 10),
				`quotes " and \ and grüße for {group}`,
			}
		}},
	} {
		t.Run(c.file, func(t *testing.T) {
			g := testGroup("generic")
			c.change(g)
			for _, fault := range g.Validate() {
				t.Error(fault)
			}
			tpl := newTemplate(g, g.Mail, g.SPF, g.addresses())
			got, start, end := tpl.Append(nil, c.name, 2026112000)
			if string(got[start:end]) != "2026112000" {
				t.Errorf("serial number at %q", got[start:end])
			}
			golden(t, filepath.Join("testdata", c.file+".zone"), got)
			if _, err := tpl.Records(c.name, 1); err != nil {
				t.Error(err)
			}
		})
	}
}

func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(readFile(t, path), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

func TestGoldenIncludes(t *testing.T) {
	set := readSet(t, "a.example\nb.example\n")
	for _, f := range IncludeFiles(set) {
		var b bytes.Buffer
		if err := writeTo(&b, f); err != nil {
			t.Fatal(err)
		}
		golden(t, filepath.Join("testdata", filepath.Base(f.Path)), b.Bytes())
		if _, err := parseZone(&b, "hand.example", f.Path); err != nil {
			t.Error(err)
		}
	}
}

// TestEveryAddressHasMailRecords is the rule that www exists for.
func TestEveryAddressHasMailRecords(t *testing.T) {
	g := testGroup("generic")
	rrs, err := newTemplate(g, g.Mail, g.SPF, g.addresses()).Records("brand.example", 1)
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]map[uint16]bool)
	spf := make(map[string]int)
	for _, rr := range rrs {
		h := rr.Header()
		if seen[h.Name] == nil {
			seen[h.Name] = make(map[uint16]bool)
		}
		seen[h.Name][h.Rrtype] = true
		if txt, ok := rr.(*dns.TXT); ok && strings.HasPrefix(strings.Join(txt.Txt, ""), "v=spf1") {
			spf[h.Name]++
		}
	}
	for name, types := range seen {
		if (types[dns.TypeA] || types[dns.TypeAAAA]) && (!types[dns.TypeMX] || spf[name] != 1) {
			t.Errorf("%s has an address, types %v and %d SPF records", name, types, spf[name])
		}
	}
	if len(spf) != 3 {
		t.Errorf("SPF records at %v, want the apex, www and *", spf)
	}
}

// FuzzZone checks that what is written parses back to the same records.
func FuzzZone(f *testing.F) {
	f.Add("brand.example", "This domain {domain} sends no email", "v=DMARC1; p=reject", uint8(1), uint16(10), []byte{192, 0, 2, 1})
	f.Add("xn--bcher-kva.example", "\x00\"\\;()\n$INCLUDE @", "{domain}{group}", uint8(2), uint16(0), []byte{})
	f.Add("a.b", strings.Repeat("{domain}", 100), strings.Repeat("\xff", 300), uint8(0), uint16(65535), make([]byte, 16))
	f.Fuzz(func(t *testing.T, name, text, dmarc string, mode uint8, preference uint16, address []byte) {
		host, err := dnsname.ParseHost(name)
		name = string(host)
		g := testGroup("generic")
		if err != nil || g.checkLength(host) != nil || len(text) > 4*maxText || len(dmarc) > 4*maxText {
			return
		}
		g.TXT, g.DMARC = []string{text}, dmarc
		g.Mail = MailModes[int(mode)%len(MailModes)]
		g.MX[Postmaster] = []MX{{"mail.example.net", preference}}
		var addresses []netip.Addr
		if a, ok := netip.AddrFromSlice(address); ok {
			addresses = []netip.Addr{a.Unmap()}
		}
		tpl := newTemplate(g, g.Mail, g.SPF, addresses)
		rrs, err := tpl.Records(name, 4294967295)
		if err != nil {
			t.Fatalf("the zone does not parse: %v", err)
		}
		want := g.zoneRecords(g.Mail, g.SPF, addresses)
		if len(rrs) != len(want)+1 {
			t.Fatalf("%d records, want %d", len(rrs), len(want)+1)
		}
		for i, rr := range rrs[1:] {
			sameRecord(t, rr, want[i], name)
		}
	})
}

// sameRecord holds a parsed record against the one it was written from.
func sameRecord(t *testing.T, rr dns.RR, want record, name string) {
	t.Helper()
	owner := name + "."
	if want.owner != ownerApex {
		owner = want.owner + "." + owner
	}
	if rr.Header().Name != owner || dns.TypeToString[rr.Header().Rrtype] != want.rrtype {
		t.Errorf("%s, want %s %s", rr, owner, want.rrtype)
	}
	txt, ok := rr.(*dns.TXT)
	if !ok {
		return
	}
	var got []byte
	for _, s := range txt.Txt {
		raw := unescape(s)
		if len(raw) > maxString {
			t.Errorf("a string of %d bytes", len(raw))
		}
		got = append(got, raw...)
	}
	text := strings.NewReplacer("{group}", "generic").Replace(want.data)
	if text = strings.ReplaceAll(text, "{domain}", name); string(got) != text {
		t.Errorf("TXT %q, want %q", got, text)
	}
}

// unescape undoes the escapes of RFC 1035 section 5.1.
func unescape(s string) []byte {
	var b []byte
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] != '\\':
			b = append(b, s[i])
		case i+3 < len(s) && '0' <= s[i+1] && s[i+1] <= '9':
			b = append(b, (s[i+1]-'0')*100+(s[i+2]-'0')*10+s[i+3]-'0')
			i += 3
		default:
			i++
			b = append(b, s[i])
		}
	}
	return b
}
