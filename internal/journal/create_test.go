package journal

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"nullspf/spftrack"
)

// TestCreate writes events of three days, some numbers being unused, and two
// queries of one check a day.
func TestCreate(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "var")
	c, err := Create(dir, "ns1.example.net")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Create(dir, "ns1.example.net"); err != nil {
		t.Fatalf("a directory without files: %v", err)
	}
	begin := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	for i := range 30 {
		e := spftrack.Event{
			Seq: uint64(2*i + 1), Time: begin.Add(time.Duration(i/10) * 24 * time.Hour).Add(time.Duration(i) * time.Millisecond).UnixNano(),
			Server: "ns1.example.net", Zone: testZone, QType: spftrack.TypeA, Resolver: netip.MustParseAddrPort("192.0.2.53:1024"),
			Parsed: spftrack.Parsed{
				Kind: spftrack.KindExists, ClientIP: netip.MustParseAddr("192.0.2.7"), Forged: "shop.example",
				SenderDomain: "shop.example",
			},
			Name: []byte(fmt.Sprintf("\x02%02d\x00", i)),
		}
		if err := c.Add(&e); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Add(&spftrack.Event{Seq: 59}); err == nil {
		t.Error("a number was used twice")
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Create(dir, "ns1.example.net"); err == nil {
		t.Error("a journal was begun where there is one")
	}
	report, err := CheckDir(t.Context(), dir)
	if err != nil || len(report.Problems) > 0 || report.Segments != 3 || report.Sealed != 30 {
		t.Fatalf("%+v, %v", report, err)
	}
}
