package spftrack

import (
	"testing"

	"nullspf/internal/wire"
)

func benchName(b *testing.B, layout Layout, i int, c Check) ([]byte, uint16) {
	b.Helper()
	queries, err := Queries(layout, Settings{Zone: testZone}, c)
	if err != nil {
		b.Fatal(err)
	}
	packed, err := queries[i].Wire()
	if err != nil {
		b.Fatal(err)
	}
	return packed, queries[i].Type
}

func BenchmarkParse(b *testing.B) {
	c4 := Check{IP: v4, Sender: "bounce+user=host@shop.example", HELO: "mail.example.org"}
	c6 := c4
	c6.IP = v6
	for _, bench := range []struct {
		name   string
		layout Layout
		i      int
		check  Check
	}{
		{"exists-v4", Track, 1, c4},
		{"exists-v6", Track, 1, c6},
		{"exp-v4", Track, 2, c4},
		{"exp-v6", Track, 2, c6},
		{"classic-v4", Classic, 1, c4},
		{"classic-v6", Classic, 1, c6},
	} {
		b.Run(bench.name, func(b *testing.B) {
			packed, qtype := benchName(b, bench.layout, bench.i, bench.check)
			p := NewParser(testZone, Layouts, func(string) bool { return true })
			b.ReportAllocs()
			for b.Loop() {
				p.Parse(packed, qtype)
			}
		})
	}
}

// One allocation holds all texts that a name gives.
func TestParseAllocations(t *testing.T) {
	p := NewParser(testZone, Layouts, func(string) bool { return true })
	for _, name := range []string{
		"192.0.2.7.in-addr.CL.shop.example.FD.1",
		"mail.example.org.HE.user.LP." + nibbles6 + ".ip6.CL.shop.example.FD.2",
		"CL.192.0.2.7.FR.user@shop.example.HE.mail.example.org",
		"shop.example.FD.1",
	} {
		packed, err := wire.PackName(name + "." + testZone)
		if err != nil {
			t.Fatal(err)
		}
		if n := testing.AllocsPerRun(100, func() { p.Parse(packed, TypeA) }); n > 1 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
