package attempt

import (
	"net/netip"
	"testing"

	"nullspf/spftrack"
)

// BenchmarkFold marks checks that ask exists: and exp=, each about another client.
func BenchmarkFold(b *testing.B) {
	f := New(Default, func(*spftrack.Event) error { return nil })
	b.ReportAllocs()
	for i := range b.N {
		e := spftrack.Event{
			Seq: uint64(i + 1), Time: int64(i) * 1e6, Zone: testZone, QType: spftrack.TypeA,
			Resolver: netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 51, byte(i >> 1), 53}), 53),
		}
		e.Kind, e.Forged, e.ClientIP = spftrack.KindExists, "shop.example", netip.AddrFrom4([4]byte{10, byte(i >> 17), byte(i >> 9), byte(i >> 1)})
		if i%2 == 1 {
			e.Kind, e.QType, e.SenderLocal, e.HELO = spftrack.KindExp, spftrack.TypeTXT, "user", "mail.example.org"
		}
		if err := f.Push(&e); err != nil {
			b.Fatal(err)
		}
	}
}
