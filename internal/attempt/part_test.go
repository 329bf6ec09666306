package attempt

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"nullspf/spftrack"
)

// TestRightParts: the queries of a minimising resolver count once, also when
// a part of the name reads as a whole one, and in whatever order they come.
func TestRightParts(t *testing.T) {
	const zone, end = "_spf.example.net", "._spf.example.net"
	long := strings.Repeat("a23456789.", 17) + "example.org"
	for _, tt := range []struct {
		name string
		// queries are for the names in order, the last one for the whole.
		queries []spftrack.Query
	}{
		{"classic name in HELO", []spftrack.Query{
			{Name: "CL.203.0.113.9.FR.x.HE.y.example" + end, Type: spftrack.TypeA},
			{Name: "CL.192.0.2.7.FR.user@shop.example.HE.CL.203.0.113.9.FR.x.HE.y.example" + end, Type: spftrack.TypeA},
		}},
		{"classic name in sender", []spftrack.Query{
			{Name: "cl.203.0.113.9.fr.x@shop.example.HE.y.example" + end, Type: spftrack.TypeA},
			{Name: "CL.192.0.2.7.FR.CL.203.0.113.9.FR.x@shop.example.HE.y.example" + end, Type: spftrack.TypeA},
		}},
		{"exists: name in HELO", []spftrack.Query{
			{Name: "203.0.113.9.in-addr.CL.shop.example.FD.1" + end, Type: spftrack.TypeA},
			{Name: "CL.192.0.2.7.FR.user@shop.example.HE.203.0.113.9.in-addr.CL.shop.example.FD.1" + end, Type: spftrack.TypeA},
		}},
		{"classic name in HELO of exp=", []spftrack.Query{
			{Name: "CL.203.0.113.9.FR.x.HE.y.HE.user.LP.192.0.2.7.in-addr.CL.shop.example.FD.2" + end, Type: spftrack.TypeA},
			{Name: "CL.203.0.113.9.FR.x.HE.y.HE.user.LP.192.0.2.7.in-addr.CL.shop.example.FD.2" + end, Type: spftrack.TypeTXT},
		}},
		{"long HELO", []spftrack.Query{
			{Name: "user@shop.example.HE." + long + end, Type: spftrack.TypeA},
			{Name: "2.7.FR.user@shop.example.HE." + long + end, Type: spftrack.TypeA},
			{Name: "CL.192.0.2.7.FR.user@shop.example.HE." + long + end, Type: spftrack.TypeA},
		}},
	} {
		for _, reverse := range []bool{false, true} {
			queries := slices.Clone(tt.queries)
			whole := queries[len(queries)-1]
			if reverse {
				slices.Reverse(queries)
			}
			parser := spftrack.NewParser(zone, []spftrack.Layout{spftrack.Track, spftrack.Classic}, nil)
			var attempts []string
			f := New(Default, func(e *spftrack.Event) error {
				if Is(e) {
					attempts = append(attempts, string(e.Name))
				}
				return nil
			})
			for i, q := range queries {
				wire, err := q.Wire()
				if err != nil {
					t.Fatal(err)
				}
				e := spftrack.Event{
					Seq: uint64(i + 1), Time: int64(i) * int64(time.Millisecond), Zone: zone, QType: q.Type, Name: wire,
					Parsed: parser.Parse(wire, q.Type), Resolver: netip.MustParseAddrPort("198.51.100.53:4711"),
				}
				if !Asks(e.Kind) {
					t.Fatalf("%s: %s is %v, no query of a check", tt.name, q.Name, e.Kind)
				}
				if err := f.Push(&e); err != nil {
					t.Fatal(err)
				}
			}
			if err := f.Flush(); err != nil {
				t.Fatal(err)
			}
			want, _ := whole.Wire()
			if len(attempts) != 1 || attempts[0] != string(want) {
				t.Errorf("%s, reverse %v: attempts %q; want the whole name", tt.name, reverse, attempts)
			}
		}
	}
}
