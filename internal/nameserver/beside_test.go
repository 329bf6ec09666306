package nameserver

import (
	"testing"

	"nullspf/internal/dnsname"
)

// TestBeside: parked and tracking zones are found at, above and below a name.
func TestBeside(t *testing.T) {
	_, _, config := parkedSite(t)
	s, err := config(func(c *Config) { c.Blocks[0].Zones = []dnsname.Name{"_spf.example.net"} }).read()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"brand.example":         "brand.example.",
		"_dmarc.brand.example":  "brand.example.",
		"x.y.other.example":     "other.example.",
		"_spf.example.net":      "_spf.example.net.",
		"x._spf.example.net":    "_spf.example.net.",
		"example.net":           "_spf.example.net.",
		"zones.catalog.invalid": "catalog.invalid.",
		"invalid":               "catalog.invalid.",
	} {
		if got := s.beside(names(name)[0]); got.String() != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	for _, up := range []string{"example", "."} {
		if got := s.beside(names(up)[0]); got == "" || !got.Within(names(up)[0]) {
			t.Errorf("%s: %q", up, got)
		}
	}
	for _, none := range []string{"free.example", "spf.example.net", "rand.example"} {
		if got := s.beside(names(none)[0]); got != "" {
			t.Errorf("%s: %s", none, got)
		}
	}
}
