package named

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/coredns/caddy/caddyfile"

	"nullspf/internal/dnsname"
	"nullspf/zones"
)

func prefixes(list ...string) []netip.Prefix {
	var p []netip.Prefix
	for _, text := range list {
		p = append(p, netip.MustParsePrefix(text))
	}
	return p
}

func addresses(list ...string) []netip.AddrPort {
	var a []netip.AddrPort
	for _, text := range list {
		a = append(a, netip.MustParseAddrPort(text))
	}
	return a
}

func TestValidate(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*Settings)
		want   string // "" for no fault
	}{
		{"good", func(*Settings) {}, ""},
		{"nothing switched on", func(s *Settings) { *s = Settings{Output: "/x"} }, ""},
		{"anybody with a key", func(s *Settings) { s.Primary.AllowTransfer = prefixes("0.0.0.0/0", "::/0") }, ""},
		{"odd but possible path", func(s *Settings) { s.Output = "/srv/größe, 50=a+b@c:d_e-f" }, ""},
		{"relative output", func(s *Settings) { s.Output = "build" }, "output: "},
		{"quote", func(s *Settings) { s.Output = `/srv/"x` }, "output: "},
		{"line break", func(s *Settings) { s.Output = "/srv/a\nb" }, "output: "},
		{"semicolon", func(s *Settings) { s.Store = "a;b" }, "store: "},
		{"brace", func(s *Settings) { s.Keys = "a{b" }, "keys: "},
		{"percent", func(s *Settings) { s.Output = "/srv/%s" }, "output: "},
		{"no UTF-8", func(s *Settings) { s.Output = "/srv/\xff" }, "output: "},
		{"server", func(s *Settings) { s.Servers = []Server{"djbdns"} }, "servers: "},
		{"server twice", func(s *Settings) { s.Servers = []Server{BIND, BIND} }, "twice"},
		{"NSD does not sign", func(s *Settings) { s.DNSSEC = true }, "dnssec: NSD serves signed zones but does not sign"},
		{"terms", func(s *Settings) { s.Terms = "newest" }, "bind_terms: "},
		{"open", func(s *Settings) { s.TSIG, s.Primary.AllowTransfer = nil, prefixes("0.0.0.0/0") }, "allows everybody to transfer the zones"},
		{"no network", func(s *Settings) { s.Primary.AllowTransfer = []netip.Prefix{{}} }, "primary.allow_transfer: "},
		{"mapped network", func(s *Settings) { s.Primary.AllowTransfer = prefixes("::ffff:192.0.2.0/120") }, "primary.allow_transfer: "},
		{"no primary", func(s *Settings) { s.Primary.Addresses = nil }, "primary.addresses: missing"},
		{"no transfers", func(s *Settings) { s.Primary.AllowTransfer, s.Catalog = nil, "" }, "primary.allow_transfer: missing"},
		{"nobody told", func(s *Settings) { s.Primary.AlsoNotify = nil }, "primary.also_notify: missing"},
		{"told but refused", func(s *Settings) {
			s.Primary.AllowTransfer, s.Primary.Addresses, s.Catalog = nil, nil, ""
		}, "primary.allow_transfer: missing"},
		{"no address", func(s *Settings) { s.Primary.AlsoNotify = []netip.AddrPort{{}} }, "primary.also_notify: "},
		{"any address", func(s *Settings) { s.Primary.Addresses = addresses("0.0.0.0:53") }, "primary.addresses: "},
		{"multicast", func(s *Settings) { s.Primary.Addresses = addresses("224.0.0.1:53") }, "primary.addresses: "},
		{"zone of an address", func(s *Settings) { s.Primary.Addresses = addresses("[fe80::1%eth0]:53") }, "primary.addresses: "},
		{"port", func(s *Settings) { s.Primary.AlsoNotify = addresses("192.0.2.1:0") }, "the port must not be 0"},
		{"catalog alone", func(s *Settings) { s.Primary = Primary{} }, "catalog.zone: no transfers"},
		{"catalog name", func(s *Settings) { s.Catalog = "a b" }, "catalog.zone: "},
		{"catalog with final dot", func(s *Settings) { s.Catalog = "catalog." }, "catalog.zone: "},
		{"key name", func(s *Settings) { s.TSIG.Name = `x"; };` }, "tsig.name: "},
		{"key name in upper case", func(s *Settings) { s.TSIG.Name = "XFR" }, "lower case"},
		{"key name with hyphen", func(s *Settings) { s.TSIG.Name = "-x" }, "hyphen"},
		{"no key name", func(s *Settings) { s.TSIG.Name = "" }, "tsig.name: "},
		{"long label", func(s *Settings) { s.TSIG.Name = dnsname.Name(strings.Repeat("x", 64)) }, "tsig.name: "},
		{"long name", func(s *Settings) { s.TSIG.Name = dnsname.Name(strings.Repeat("x.", 150) + "x") }, "tsig.name: "},
		{"MD5", func(s *Settings) { s.TSIG.Algorithm = "hmac-md5.sig-alg.reg.int" }, "HMAC-MD5 must not be used"},
		{"algorithm", func(s *Settings) { s.TSIG.Algorithm = "gss-tsig" }, "tsig.algorithm: "},
		{"no secret", func(s *Settings) { s.TSIG.Secret = "" }, "the secret is missing"},
		{"no base64", func(s *Settings) { s.TSIG.Secret = `"; };` }, "is not base64"},
		{"line break in base64", func(s *Settings) { s.TSIG.Secret = testSecret[:20] + "\n" + testSecret[20:] }, "is not base64"},
		{"short secret", func(s *Settings) { s.TSIG.Secret = "c2hvcnQ=" }, "at least 16"},
		{"track zone", func(s *Settings) { s.Track.Zone = "" }, "track.zone: "},
		{"track nameservers", func(s *Settings) { s.Track.Nameservers = nil }, "track.nameservers: "},
		{"track nameserver", func(s *Settings) { s.Track.Nameservers = []dnsname.Name{"ns1.example.net {"} }, "track.nameservers: "},
		{"listen at nothing", func(s *Settings) { s.Track.Listen = []netip.AddrPort{{}} }, "track.listen: "},
		{"listen without port", func(s *Settings) { s.Track.Listen = addresses("127.0.0.1:0") }, "track.listen: "},
		{"listen at two ports", func(s *Settings) { s.Track.Listen = addresses("127.0.0.1:53", "127.0.0.2:54") }, "different ports"},
		{"published zones at nothing", func(s *Settings) { s.Nullspfd.Listen = []netip.AddrPort{{}} }, "nullspfd.listen: "},
		{"published zones at two ports", func(s *Settings) { s.Nullspfd.Listen = addresses("127.0.0.1:53", "127.0.0.2:54") }, "nullspfd.listen: "},
		{"socket in braces", func(s *Settings) { s.Nullspfd.Control = "/run/{nullspfd}" }, "nullspfd.control: "},
		{"nobody signs", func(s *Settings) { s.DNSSEC, s.Servers = true, []Server{Nullspfd} }, "dnssec: nullspfd "},
		{"layout", func(s *Settings) { s.Track.Layouts = []string{"track }"} }, "track.layouts: "},
		{"explanation", func(s *Settings) { s.Track.Explain = "a\nb" }, "track.explain: "},
		{"backslash", func(s *Settings) { s.Track.Explain = `a\` }, "track.explain: "},
		{"environment", func(s *Settings) { s.Track.Explain = "{$HOME}" }, "track.explain: "},
		{"ttl", func(s *Settings) { s.Track.TTL = 1 }, "track.ttl: "},
		{"journal", func(s *Settings) { s.Track.Journal = "a\nb" }, "journals: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := testSettings()
			tt.change(&s)
			err := zones.JoinKeyErrors(s.Validate())
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("Validate: %v", err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("Validate: %v; want %q", err, tt.want)
			}
			if err != nil {
				if files, ferr := Files(s, testSet(t, threeZones)); ferr == nil || files != nil {
					t.Errorf("Files = %d files, %v", len(files), ferr)
				}
			}
		})
	}
}

func TestSetContradictsSettings(t *testing.T) {
	set := testSet(t, threeZones)
	for _, tt := range []struct {
		name   string
		change func(*Settings)
		want   string
	}{
		{"catalog", func(s *Settings) { s.Catalog = "one.example" }, "catalog.zone: one.example is on a list"},
		{"tracking zone", func(s *Settings) { s.Track.Zone = "one.example" }, "track.zone: one.example is on a list"},
		{"both", func(s *Settings) { s.Track.Zone = s.Catalog }, "is the tracking zone"},
		{"long catalog", func(s *Settings) { s.Catalog = dnsname.Name(strings.Repeat("x.", 110) + "xx") }, "too long"},
		{"deep output", func(s *Settings) {
			s.Output, s.DNSSEC, s.Servers = "/"+strings.Repeat("deep/", 43), true, []Server{BIND}
		}, "choose a shorter output path"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := testSettings()
			tt.change(&s)
			if files, err := Files(s, set); err == nil || !strings.Contains(err.Error(), tt.want) || files != nil {
				t.Errorf("Files = %d files, %v; want %q", len(files), err, tt.want)
			}
		})
	}
}

// structure counts what gives configurations their structure.
func structure(s string) map[rune]int {
	counts := make(map[rune]int)
	for _, r := range s {
		if strings.ContainsRune("\"{};\n\t#", r) {
			counts[r]++
		}
	}
	return counts
}

// FuzzSettings holds that no text of the configuration that is accepted
// changes the structure of what is written.
func FuzzSettings(f *testing.F) {
	f.Add("/srv/x", "secondary", "keys", "catalog.example", "xfr.example", testSecret, "_spf.example", "Mail from %{d} is forged", "var")
	f.Add(`/srv/"x"; };`, "a;b", "{", "a b", `x" { };`, "\"\n", "..", `say \"`, "\n")
	f.Add("/", "/", ".", "a", "a", testSecret, "a_b", `"quoted" {`, "a b")
	set := &zones.Set{Groups: []*zones.Group{{Name: "g"}}, Entries: []zones.Entry{{Name: "one.example"}}}
	plain := testSettings()
	plain.Track.Explain = "x"
	want := structure(render(f, plain, set))
	f.Fuzz(func(t *testing.T, output, store, keys, catalog, key, secret, track, explain, journal string) {
		s := testSettings()
		s.Output, s.Store, s.Keys, s.Catalog = output, store, keys, dnsname.Name(catalog)
		s.TSIG.Name, s.TSIG.Secret = dnsname.Name(key), secret
		s.Track.Zone, s.Track.Explain, s.Track.Journal = dnsname.Name(track), explain, journal
		files, err := Files(s, set)
		if err != nil {
			if files != nil {
				t.Fatalf("%d files beside an error", len(files))
			}
			return
		}
		if catalog == "" || explain == "" {
			return
		}
		text := render(t, s, set)
		if blocks := corefile(t, text); len(blocks) != 2 || blocks[0].Tokens["spftrack"] == nil || blocks[1].Tokens["parked"] == nil {
			t.Fatalf("the Corefile has %d blocks", len(blocks))
		} else if got := valueOf(blocks[0].Tokens["spftrack"], "explain"); got != explain {
			t.Fatalf("the explanation %q is read as %q", explain, got)
		}
		got := structure(text)
		// Blanks and the explanation are quoted in Corefiles, which is checked
		// above.
		delete(got, '"')
		for _, r := range "{};\n\t#" {
			if got[r]-2*strings.Count(explain, string(r)) != want[r] {
				t.Fatalf("%q occurs %d times, not %d:\n%s", r, got[r], want[r], text)
			}
		}
	})
}

// corefile parses the Corefile of the primary among rendered files.
func corefile(t testing.TB, rendered string) []caddyfile.ServerBlock {
	t.Helper()
	_, text, _ := strings.Cut(rendered, "-- nullspfd/primary.Corefile 644  --\n")
	text, _, _ = strings.Cut(text, "\n-- ")
	blocks, err := caddyfile.Parse("Corefile", strings.NewReader(text), nil)
	if err != nil {
		t.Fatalf("%v:\n%s", err, text)
	}
	return blocks
}

// valueOf returns what follows a word among tokens.
func valueOf(tokens []caddyfile.Token, word string) string {
	for i, token := range tokens[:len(tokens)-1] {
		if token.Text == word {
			return tokens[i+1].Text
		}
	}
	return ""
}
