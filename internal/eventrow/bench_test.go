package eventrow

import (
	"net/netip"
	"testing"

	"nullspf/internal/wire"
	"nullspf/spftrack"
)

// BenchmarkFill makes rows of the two queries of a check.
func BenchmarkFill(b *testing.B) {
	parser := spftrack.NewParser("_spf.example.net", []spftrack.Layout{spftrack.Track}, nil)
	var events []spftrack.Event
	for i, name := range []string{
		"192.0.2.17.in-addr.CL.brand-0017.example.FD.1._spf.example.net",
		"host-4711.dyn12.isp.example.net.HE.billing4711.LP.192.0.2.17.in-addr.CL.brand-0017.example.FD.2._spf.example.net",
	} {
		packed, err := wire.PackName(name)
		if err != nil {
			b.Fatal(err)
		}
		e := spftrack.Event{Seq: uint64(i), Server: "ns1.example.net", Zone: "_spf.example.net", QType: spftrack.TypeA, Name: packed,
			Resolver: netip.MustParseAddrPort("198.51.100.53:4711")}
		e.Parsed = parser.Parse(packed, spftrack.TypeA)
		events = append(events, e)
	}
	var builder Builder
	var rows [128]Row
	b.ReportAllocs()
	for i := range b.N {
		if i%len(rows) == 0 {
			builder.Reset()
		}
		builder.Fill(&rows[i%len(rows)], &events[i%len(events)])
	}
}
