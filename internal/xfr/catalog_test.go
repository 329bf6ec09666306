package xfr

import (
	"errors"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"nullspf/internal/wire"
	"nullspf/internal/zonestore"
)

// catalogOf makes a catalog zone of a text without origin.
func catalogOf(t testing.TB, text string) *zonestore.Zone {
	t.Helper()
	b := zonestore.NewBuilder(zoneName(t, "catalog.test"))
	p := dns.NewZoneParser(strings.NewReader(text), "catalog.test.", "")
	for rr, ok := p.Next(); ok; rr, ok = p.Next() {
		r, err := wire.FromRR(rr)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Add(r); err != nil {
			t.Fatal(err)
		}
	}
	if p.Err() != nil {
		t.Fatal(p.Err())
	}
	z, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func TestReadCatalog(t *testing.T) {
	const head = "@ 60 SOA . . 1 3600 600 86400 60\n@ 60 NS invalid.\n"
	for _, test := range []struct {
		name, text, want, err string
	}{
		{"empty", `version 60 TXT "2"`, "", ""},
		{"members", "version 60 TXT 2\nx.zones 60 PTR b.test.\na.zones 60 PTR A.test.", "a=a.test. x=b.test.", ""},
		{"properties", "version 60 TXT 2\na.zones 60 PTR a.test.\ngroup.a.zones 60 TXT g\ncoo.a.zones 60 PTR other.test.\nfoo.ext.a.zones 60 PTR z.test.\next 60 PTR y.test.", "a=a.test.", ""},
		{"no version", "a.zones 60 PTR a.test.", "", "0 TXT records"},
		{"version 1", "version 60 TXT 1\na.zones 60 PTR a.test.", "", "version is not"},
		{"two strings", "version 60 TXT 2 2\na.zones 60 PTR a.test.", "", "version is not"},
		{"two versions", "version 60 TXT 2\nversion 60 TXT 1\na.zones 60 PTR a.test.", "", "version is not"},
		{"two PTRs", "version 60 TXT 2\na.zones 60 PTR a.test.\na.zones 60 PTR b.test.", "", "several PTR"},
		{"listed twice", "version 60 TXT 2\na.zones 60 PTR a.test.\nb.zones 60 PTR a.test.", "", "listed twice"},
		{"too many", "version 60 TXT 2\na.zones 60 PTR a.test.\nb.zones 60 PTR b.test.\nc.zones 60 PTR c.test.\nd.zones 60 PTR d.test.", "", "more than 3"},
	} {
		t.Run(test.name, func(t *testing.T) {
			members, err := ReadCatalog(catalogOf(t, head+test.text+"\n"), 3)
			var got []string
			for _, m := range members {
				got = append(got, m.Label+"="+m.Zone.String())
			}
			if s := strings.Join(got, " "); s != test.want {
				t.Errorf("got %s, want %s", s, test.want)
			}
			if (err != nil) != (test.err != "") || err != nil && (!errors.Is(err, ErrCatalog) || !strings.Contains(err.Error(), test.err)) {
				t.Errorf("error %v, want %q", err, test.err)
			}
		})
	}
}

// FuzzReadCatalog: whatever a zone holds, members are distinct and bounded.
func FuzzReadCatalog(f *testing.F) {
	f.Add("version 60 TXT 2\na.zones 60 PTR a.test.")
	f.Add("version 60 TXT 2\na.zones 60 PTR a.test.\nb.zones 60 PTR a.test.")
	f.Fuzz(func(t *testing.T, text string) {
		b := zonestore.NewBuilder(zoneName(t, "catalog.test"))
		p := dns.NewZoneParser(strings.NewReader("@ 60 SOA . . 1 1 1 1 1\n@ 60 NS invalid.\n"+text), "catalog.test.", "")
		for rr, ok := p.Next(); ok; rr, ok = p.Next() {
			if r, err := wire.FromRR(rr); err == nil {
				_ = b.Add(r)
			}
		}
		z, err := b.Build()
		if err != nil {
			return
		}
		members, err := ReadCatalog(z, 4)
		seen := make(map[wire.Name]bool)
		for _, m := range members {
			if seen[m.Zone] || err != nil {
				t.Fatalf("%v, %v", members, err)
			}
			seen[m.Zone] = true
		}
		if len(members) > 4 {
			t.Fatalf("%d members", len(members))
		}
	})
}
