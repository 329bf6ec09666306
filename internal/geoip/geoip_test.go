package geoip

import (
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"
)

// writeDatabase writes a database of networks.
func writeDatabase(t *testing.T, kind string, networks map[string]mmdbtype.Map) string {
	t.Helper()
	tree, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: kind, IncludeReservedNetworks: true})
	if err != nil {
		t.Fatal(err)
	}
	for text, fields := range networks {
		_, network, err := net.ParseCIDR(text)
		if err != nil {
			t.Fatal(err)
		}
		if err := tree.Insert(network, fields); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), kind+".mmdb")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := tree.WriteTo(f); err != nil {
		t.Fatal(err)
	}
	return path
}

func system(number uint32, name string) mmdbtype.Map {
	m := mmdbtype.Map{"autonomous_system_number": mmdbtype.Uint32(number)}
	if name != "" {
		m["autonomous_system_organization"] = mmdbtype.String(name)
	}
	return m
}

func country(key, code string) mmdbtype.Map {
	return mmdbtype.Map{mmdbtype.String(key): mmdbtype.Map{"iso_code": mmdbtype.String(code)}}
}

func TestPlaces(t *testing.T) {
	as := writeDatabase(t, "GeoLite2-ASN", map[string]mmdbtype.Map{
		"192.0.2.0/24": system(64500, "Example Net"), "2001:db8::/32": system(64501, ""), "198.51.100.0/24": {},
	})
	countries := writeDatabase(t, "GeoLite2-Country", map[string]mmdbtype.Map{
		"192.0.2.0/24": country("country", "DE"), "203.0.113.0/24": country("registered_country", "FR"),
	})
	d := New(as, countries)
	for addr, want := range map[string][2]string{
		"192.0.2.7":    {"AS64500 Example Net", "DE"},
		"2001:db8::1":  {"AS64501", ""},
		"198.51.100.1": {"", ""},
		"203.0.113.1":  {"", "FR"},
		"10.0.0.1":     {"", ""},
	} {
		a, err := d.AS(netip.MustParseAddr(addr))
		c, err2 := d.Country(netip.MustParseAddr(addr))
		if err != nil || err2 != nil || a != want[0] || c != want[1] {
			t.Errorf("%s: %q, %v; %q, %v; want %q", addr, a, err, c, err2, want)
		}
	}
	none := filepath.Join(t.TempDir(), "none.mmdb")
	text := filepath.Join(t.TempDir(), "text.mmdb")
	if err := os.WriteFile(text, []byte("no database\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{
		"": "no database tells the autonomous system of an address", none: "no such file", text: "text.mmdb: ",
		countries: `"GeoLite2-Country", tells no autonomous system of an address`,
	} {
		if _, err := New(file, "").AS(netip.Addr{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", file, err, want)
		}
	}
}
