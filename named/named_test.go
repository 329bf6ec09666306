package named

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"nullspf/internal/dnsname"
	"nullspf/zones"
)

var update = flag.Bool("update", false, "write the golden files instead of comparing with them")

const testSecret = "bnVsbHNwZiB0ZXN0cyBubyBzZWNyZXQgYXQgYWxsISE="

// testSettings are settings with everything that is switched on by itself.
func testSettings() Settings {
	return Settings{
		Output:  "/srv/nullspf/build",
		Servers: Servers,
		Primary: Primary{
			Addresses:     []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:53"), netip.MustParseAddrPort("[2001:db8::1]:5353")},
			AllowTransfer: []netip.Prefix{netip.MustParsePrefix("192.0.2.2/32"), netip.MustParsePrefix("198.51.100.7/24"), netip.MustParsePrefix("2001:db8::2/128")},
			AlsoNotify:    []netip.AddrPort{netip.MustParseAddrPort("192.0.2.2:53"), netip.MustParseAddrPort("[2001:db8::2]:5353")},
		},
		TSIG:    &TSIG{Name: "xfr.example.net", Algorithm: "hmac-sha256", Secret: testSecret},
		Catalog: "catalog.example.net",
		Track: &Track{
			Zone:        "_spf.example.net",
			Nameservers: []dnsname.Name{"ns1.example.net", "ns2.example.net"},
			Listen:      []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:53"), netip.MustParseAddrPort("[2001:db8::1]:53"), netip.MustParseAddrPort("127.0.0.1:53")},
			Layouts:     []string{"track", "classic"},
			Explain:     `Mail from "%{d}" is forged`,
			TTL:         time.Minute,
		},
		Nullspfd: NullspfdSettings{
			Listen:  []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:53"), netip.MustParseAddrPort("[2001:db8::1]:53")},
			Control: "/run/nullspf/control.sock",
		},
	}
}

// testSet makes a set of names, one group each list.
func testSet(t testing.TB, lists ...[]string) *zones.Set {
	t.Helper()
	var groups []*zones.Group
	for i, names := range lists {
		path := filepath.Join(t.TempDir(), "list.txt")
		if err := os.WriteFile(path, []byte(strings.Join(names, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		groups = append(groups, &zones.Group{
			Name: fmt.Sprintf("group%d", i+1), Lists: []zones.List{{File: path}},
			SOA: zones.SOA{MName: "ns1.example.net", RName: "hostmaster.example.net",
				Refresh: time.Hour, Retry: time.Minute, Expire: 24 * time.Hour, Minimum: time.Minute},
			Nameservers: []dnsname.Name{"ns1.example.net", "ns2.example.net"}, TTL: time.Hour,
			Mail: zones.NullMX, MX: map[zones.MailMode][]zones.MX{zones.NullMX: {{}}},
			SPF: "plain", SPFRecords: map[string]string{"plain": "v=spf1 -all"},
		})
	}
	set, _, err := zones.ReadLists(groups)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

var threeZones = []string{"one.example", "two.example.com", "xn--bcher-kva.example"}

// render gives all files in one text.
func render(t testing.TB, s Settings, set *zones.Set) string {
	t.Helper()
	files, err := Files(s, set)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	for _, f := range files {
		fmt.Fprintf(&out, "-- %s %o %s --\n", f.Path, f.Mode, f.Zone)
		w := bufio.NewWriter(&out)
		if err := f.Write(w, 2026010100); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	return out.String()
}

func TestGolden(t *testing.T) {
	set := testSet(t, threeZones)
	for _, key := range []bool{false, true} {
		for _, terms := range []Terms{OldTerms, NewTerms} {
			for _, relative := range []bool{false, true} {
				s := testSettings()
				s.Terms, s.Relative = terms, relative
				name := string(terms)
				if key {
					name += "-tsig"
				} else {
					s.TSIG = nil
				}
				if relative {
					name += "-relative"
				}
				t.Run(name, func(t *testing.T) { compareGolden(t, name, render(t, s, set)) })
			}
		}
	}
	t.Run("dnssec", func(t *testing.T) {
		s := testSettings()
		s.DNSSEC, s.Servers = true, []Server{BIND, Knot, Nullspfd}
		s.Nullspfd.DNSBL = &DNSBL{Zone: "bl.example.net", File: "/var/lib/nullspf/forgers.json", Nameservers: []dnsname.Name{"ns1.example.net"}}
		compareGolden(t, "dnssec", render(t, s, set))
	})
	t.Run("listed", func(t *testing.T) {
		s := testSettings()
		s.Catalog, s.Track = "", nil
		compareGolden(t, "listed", render(t, s, set))
	})
	t.Run("others", func(t *testing.T) {
		s := testSettings()
		s.Servers, s.Track = []Server{PowerDNS, CoreDNS, YADIFA}, nil
		s.Primary.Secondaries = []Secondary{{Address: s.Primary.AlsoNotify[0], Software: YADIFA}, {Address: s.Primary.AlsoNotify[0], Software: PowerDNS}, {Address: s.Primary.AlsoNotify[1], Software: Unbound, Unsigned: true}, {Address: s.Primary.AlsoNotify[1], Software: CoreDNS, Unsigned: true}}
		compareGolden(t, "others", render(t, s, set))
	})
	t.Run("alone", func(t *testing.T) {
		s := testSettings()
		s.Catalog, s.Primary, s.TSIG = "", Primary{}, nil
		compareGolden(t, "alone", render(t, s, set))
	})

	t.Run("daemon", func(t *testing.T) {
		s := testSettings()
		s.Servers, s.Track.Layouts = []Server{Nullspfd}, nil
		s.Nullspfd.Metrics, s.Nullspfd.Health = netip.MustParseAddrPort("127.0.0.1:9153"), netip.MustParseAddrPort("[::1]:9154")
		s.Nullspfd.RetainRaw = 30 * 24 * time.Hour
		s.Nullspfd.DNSBL = &DNSBL{Zone: "bl.example.net", File: "/var/lib/nullspf/forgers.json", Nameservers: []dnsname.Name{"ns1.example.net", "ns2.example.net"}}
		s.Nullspfd.Retain, s.Nullspfd.MaxSize, s.Nullspfd.Rate = 400*24*time.Hour, 20e9, 500
		set := testSet(t, threeZones[:1], threeZones[1:])
		set.Groups[0].SPF, set.Groups[1].SPF = "classic", "track"
		s.Nullspfd.Proxies = []netip.Prefix{netip.MustParsePrefix("192.0.2.24/32"), netip.MustParsePrefix("2001:db8:24::/64")}
		s.Nullspfd.SMTP = &SMTP{
			Listen: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.26:25"), netip.MustParseAddrPort("[2001:db8::26]:25")}, Mode: "defer", At: "data",
			Tarpit: 20 * time.Second, Certificate: "/etc/nullspf/mx.crt", Key: "/etc/nullspf/mx.key", Connections: 500,
		}
		compareGolden(t, "daemon", render(t, s, set))
	})
}

func compareGolden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-want +got); if that is meant, run the test with -update:\n%s", path, diff)
	}
}
