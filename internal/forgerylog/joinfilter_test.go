package forgerylog

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"nullspf/internal/eventrow"
	"nullspf/internal/journal"
	"nullspf/spftrack"
)

// busyJournal is the journal of one of two nameservers that few receivers ask about few
// clients and domains, so that many queries belong together.
func busyJournal(t *testing.T, rng *rand.Rand, server string, n int) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), server)
	c, err := journal.Create(dir, server)
	if err != nil {
		t.Fatal(err)
	}
	at := testTime.UnixNano()
	for seq := range n {
		at += int64(rng.IntN(int(2 * time.Second)))
		domain := fmt.Sprintf("brand-%d.example", rng.IntN(3))
		e := spftrack.Event{
			Seq: uint64(seq + 1), Time: at, Server: server, Zone: testZone, QType: spftrack.TypeA,
			Resolver: netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, byte(rng.IntN(3)), 53}), 53), Name: []byte("\x01x\x00"),
			Parsed: spftrack.Parsed{
				Kind: []spftrack.Kind{spftrack.KindExists, spftrack.KindExp, spftrack.KindClassic, spftrack.KindMinimised}[rng.IntN(4)], Forged: domain,
				SenderDomain: domain, ClientIP: netip.AddrFrom4([4]byte{203, 0, 113, byte(rng.IntN(3))}),
			},
		}
		if e.Kind == spftrack.KindExp || e.Kind == spftrack.KindClassic {
			e.QType = spftrack.TypeTXT
			e.SenderLocal = []string{"postmaster", "user", "info"}[rng.IntN(3)]
			e.HELO = []string{"mail.example", domain}[rng.IntN(2)]
		}
		if err := c.Add(&e); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Close(nil); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestJoinedMarks: which events are attempts where two journals are read together does not
// depend on the filters.
func TestJoinedMarks(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	rng := rand.New(rand.NewPCG(seed, 7))
	for range 5 {
		e := open(busyJournal(t, rng, "ns1.example.net", 150), busyJournal(t, rng, "ns2.example.net", 150))
		all := eventsOf(t, e, Query{Packets: true}, 0)
		for _, q := range []Query{
			{Domain: ParseDomain("=brand-1.example")}, {Domain: ParseDomain("brand-2")}, {Client: netip.MustParsePrefix("203.0.113.1/32")},
			{Client: netip.MustParsePrefix("203.0.113.0/31")}, {Clients: []netip.Addr{netip.MustParseAddr("203.0.113.2")}},
			{Sender: ParseText("user@")}, {HELO: ParseText("mail")}, {Since: testTime.Add(time.Minute), Until: testTime.Add(3 * time.Minute)},
			{Kinds: []spftrack.Kind{spftrack.KindExists}}, {Resolver: netip.MustParseAddr("192.0.1.53")},
		} {
			q.Packets = true
			p := newPlan(q)
			var want []eventrow.Row
			for _, row := range all {
				if p.matches(&row) {
					want = append(want, row)
				}
			}
			got := eventsOf(t, e, q, 0)
			if !slices.Equal(got, want) {
				for i := range min(len(got), len(want)) {
					if got[i] != want[i] {
						t.Errorf("seed %d: %+v:\n%+v, want\n%+v", seed, q, got[i], want[i])
						break
					}
				}
				t.Fatalf("%d events, want %d", len(got), len(want))
			}
		}
	}
}
