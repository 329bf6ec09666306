package forgerylog

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"nullspf/internal/eventrow"
	"nullspf/internal/journal"
	"nullspf/spftrack"
)

// In the order of sequence numbers, tenChecks are these queries:
//
//	1 exists  2 exp     192.0.2.7     info@shop.example
//	3 exists  4 exp     192.0.2.8     info@shop.example
//	5 exists  6 exp     192.0.2.7     ceo@bank.example
//	7 exists  8 exp     2001:db8::1   sales@shop.example
//	9 exists            2001:db8:1::1 shop.example
//	10 classic          203.0.113.9   user@old.example
//	11 classic          203.0.113.9   boss@old.example
//	12 minimised        shop.example
//	13 minimised
//	14 exists 15 exp    192.0.2.7     info@www.shop.example
var filterCases = []struct {
	name string
	q    Query
	want []int64
}{
	{"attempts", Query{}, []int64{2, 4, 6, 8, 9, 10, 11, 15}},
	{"packets", Query{Packets: true}, []int64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}},
	{"since is included", Query{Since: testTime.Add(3*time.Minute + 10*time.Millisecond)}, []int64{8, 9, 10, 11, 15}},
	{"since, a moment later", Query{Since: testTime.Add(3*time.Minute + 10*time.Millisecond + 1)}, []int64{9, 10, 11, 15}},
	{"until is not included", Query{Until: testTime.Add(3*time.Minute + 10*time.Millisecond)}, []int64{2, 4, 6}},
	{"until, a moment later", Query{Until: testTime.Add(3*time.Minute + 10*time.Millisecond + 1)}, []int64{2, 4, 6, 8}},
	{"since and until", Query{Since: testTime.Add(time.Minute), Until: testTime.Add(4 * time.Minute)}, []int64{4, 6, 8}},
	{"far bounds", Query{Since: time.Date(1, 1, 1, 0, 0, 0, 1, time.UTC), Until: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)}, []int64{2, 4, 6, 8, 9, 10, 11, 15}},
	{"domain, part", Query{Domain: ParseDomain("SHOP")}, []int64{2, 4, 8, 9, 15}},
	{"domain, whole", Query{Domain: ParseDomain("=Shop.example.")}, []int64{2, 4, 8, 9}},
	{"domain, none", Query{Domain: ParseDomain("=shop")}, []int64{}},
	{"address", Query{Client: netip.MustParsePrefix("192.0.2.7/32")}, []int64{2, 6, 15}},
	{"IPv6 address", Query{Client: netip.MustParsePrefix("2001:db8::1/128")}, []int64{8}},
	{"address, none", Query{Client: netip.MustParsePrefix("192.0.2.77/32")}, []int64{}},
	{"prefix", Query{Client: netip.MustParsePrefix("192.0.2.0/29")}, []int64{2, 6, 15}},
	{"IPv6 prefix", Query{Client: netip.MustParsePrefix("2001:db8::/32")}, []int64{8, 9}},
	{"all of IPv4", Query{Client: netip.MustParsePrefix("0.0.0.0/0")}, []int64{2, 4, 6, 10, 11, 15}},
	{"all of IPv6", Query{Client: netip.MustParsePrefix("::/0")}, []int64{8, 9}},
	{"sender, part", Query{Sender: ParseText("info@")}, []int64{2, 4, 15}},
	{"sender, across the @", Query{Sender: ParseText("o@b")}, []int64{6}},
	{"sender, whole", Query{Sender: ParseText("=info@shop.example")}, []int64{2, 4}},
	{"sender, local part unknown", Query{Sender: ParseText("=@shop.example")}, []int64{9}},
	{"HELO, part", Query{HELO: ParseText("example.org")}, []int64{2, 4, 15}},
	{"HELO, whole", Query{HELO: ParseText("=WIN-ABC123")}, []int64{8}},
	{"HELO, none known", Query{HELO: ParseText("=")}, []int64{9}},
	{"kind", Query{Kinds: []spftrack.Kind{spftrack.KindClassic}}, []int64{10, 11}},
	{"kind of the query that does not count", Query{Kinds: []spftrack.Kind{spftrack.KindExists}}, []int64{2, 4, 6, 8, 9, 15}},
	{"kinds", Query{Kinds: []spftrack.Kind{spftrack.KindClassic, spftrack.KindExists}}, []int64{2, 4, 6, 8, 9, 10, 11, 15}},
	{"kind of packets", Query{Kinds: []spftrack.Kind{spftrack.KindExists}, Packets: true}, []int64{1, 3, 5, 7, 9, 14}},
	{"all together", Query{
		Since: testTime, Until: testTime.Add(2 * time.Minute), Domain: ParseDomain("=shop.example"), Sender: ParseText("info"),
		HELO: ParseText("mail"), Client: netip.MustParsePrefix("192.0.2.8/32"), Kinds: []spftrack.Kind{spftrack.KindExp},
	}, []int64{4}},
	{"contradiction", Query{Domain: ParseDomain("=bank.example"), Client: netip.MustParsePrefix("192.0.2.8/32")}, []int64{}},
}

func TestFilters(t *testing.T) {
	t.Parallel()
	eachEngine(t, tenChecks(), func(t *testing.T, e *Journals) {
		for _, c := range filterCases {
			equal(t, c.name, seqs(eventsOf(t, e, c.q, 0)), c.want)
			for _, limit := range []int{2, 100} {
				want := c.want[max(len(c.want)-limit, 0):]
				equal(t, fmt.Sprintf("%s, the newest %d", c.name, limit), seqs(eventsOf(t, e, c.q, limit)), want)
			}
			// The other queries are about the same events.
			ranking, err := e.Top(t.Context(), c.q, ByIP, 3)
			if err != nil || ranking.Total != uint64(len(c.want)) {
				t.Errorf("%s: Top counts %d, %v; want %d", c.name, ranking.Total, err, len(c.want))
			}
			series, err := e.Timeline(t.Context(), c.q, Minute)
			if err != nil || series.Total != uint64(len(c.want)) {
				t.Errorf("%s: Timeline counts %d, %v; want %d", c.name, series.Total, err, len(c.want))
			}
		}
	})
}

// TestManyPages has a segment whose columns have many pages, in part of two row
// groups, of which queries read some.
func TestManyPages(t *testing.T) {
	t.Parallel()
	s := testSettings(t.TempDir())
	const n = 130_000
	name := func(id int) string {
		return fmt.Sprintf("192.0.%d.%d.in-addr.CL.n%d.example.FD.1.%s", id/256%256, id%256, id%1000, testZone)
	}
	resolver := func(id int) netip.Addr { return netip.AddrFrom4([4]byte{198, 51, 100, byte(id % 251)}) }
	var list []journal.Packet
	for id := range n {
		list = append(list, journal.Packet{
			Time: testTime.Add(time.Duration(id) * 200 * time.Millisecond).UnixNano(), Qtype: spftrack.TypeA,
			Resolver: netip.AddrPortFrom(resolver(id), uint16(id)), Name: wire(name(id)),
		})
	}
	writePackets(t, s, list)
	write(t, sealSoon(s))
	v, err := journal.Snapshot(s.Dir, journal.ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	rows := 0
	for _, file := range v.Segments() {
		_, groups, err := openSegment(t.Context(), file, newPlan(Query{Client: netip.MustParsePrefix("10.0.0.1/32")}))
		if err != nil || len(groups) > 0 {
			t.Errorf("%d row groups are read for an address that is not there, %v", len(groups), err)
		}
		rows = max(rows, int(file.Rows))
		// Within a row group, reading ends when nobody waits for the answer any more.
		p := newPlan(Query{HELO: Text{Value: "n1"}})
		ctx, leave := context.WithCancel(t.Context())
		s, groups, err := openSegment(ctx, file, p)
		if err != nil || len(groups) == 0 {
			t.Fatalf("%d row groups, %v", len(groups), err)
		}
		p.conditions = append([]condition{{cols(eventrow.HELO), func(*eventrow.Row) bool { leave(); return true }}}, p.conditions...)
		if _, err := s.selected(context.Background(), groups[0], p, nil); err != context.Canceled {
			t.Errorf("after the viewer left: %v", err)
		}
		leave()
	}
	if rows < 125_000 {
		t.Fatalf("the greatest segment has only %d events", rows)
	}
	e := open(s.Dir)
	expect := func(what string, q Query, limit int, ids ...int) {
		t.Helper()
		got := eventsOf(t, e, q, limit)
		if len(got) != len(ids) {
			t.Errorf("%s: %d events, want %d", what, len(got), len(ids))
			return
		}
		for i, id := range ids {
			if r := &got[i]; r.Seq != int64(id+1) || r.Name() != name(id) || r.ForgedDomain != fmt.Sprintf("n%d.example", id%1000) ||
				r.Resolver != resolver(id).String() || r.ResolverPort != int32(uint16(id)) || r.ClientIP != fmt.Sprintf("192.0.%d.%d", id/256%256, id%256) ||
				r.TS != list[id].Time || r.Zone != testZone || r.Kind != "exists" || r.Flags != "" || !r.Attempt {
				t.Errorf("%s: event %d is %+v", what, id+1, r)
				return
			}
		}
	}
	between := func(first, last, step int) (ids []int) {
		for id := first; id < last; id += step {
			ids = append(ids, id)
		}
		return ids
	}
	at := func(id int) time.Time { return testTime.Add(time.Duration(id) * 200 * time.Millisecond) }
	expect("a domain", Query{Domain: ParseDomain("=n77.example")}, 0, between(77, n, 1000)...)
	expect("a domain, the newest", Query{Domain: ParseDomain("=n77.example")}, 20, between(n-20_000+77, n, 1000)...)
	expect("a time", Query{Since: at(70_000), Until: at(75_000)}, 0, between(70_000, 75_000, 1)...)
	expect("the newest", Query{}, 9000, between(n-9000, n, 1)...)
	expect("the newest of a time", Query{Until: at(100_000)}, 10, between(99_990, 100_000, 1)...)
	for id := 65_536; id < n; id += 9_973 {
		q := Query{Client: netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, byte(id >> 8), byte(id)}), 32)}
		expect("a client", q, 0, between(id%65_536, n, 65_536)...)
	}
	for id := 0; id < n; id += 9_973 {
		expect("a moment", Query{Since: at(id), Until: at(id + 1)}, 0, id)
	}
}

func TestSeveralJournals(t *testing.T) {
	t.Parallel()
	checks := tenChecks()
	one, two, three := testSettings(t.TempDir()), testSettings(t.TempDir()), testSettings(t.TempDir())
	two.Server, three.Server = "ns2.example.net", "ns3.example.net"
	for i, c := range checks {
		switch i % 2 {
		case 0:
			write(t, sealSoon(one), c)
		default:
			write(t, two, c)
		}
	}
	// The third has none of the selected events.
	write(t, three, check{ip: "203.0.113.9", extra: "fd.zz.1"})
	e := open(one.Dir, two.Dir, three.Dir)
	for _, limit := range []int{0, 3, 5, 100} {
		rows := eventsOf(t, e, Query{}, limit)
		want := []string{
			"1/2 192.0.2.7", "2/2 192.0.2.8", "1/4 192.0.2.7", "2/4 2001:db8::1", "1/5 2001:db8:1::1",
			"2/5 203.0.113.9", "1/6 203.0.113.9", "2/8 192.0.2.7",
		}
		if limit > 0 {
			want = want[max(len(want)-limit, 0):]
		}
		var got []string
		for _, r := range rows {
			got = append(got, fmt.Sprintf("%c/%d %s", r.ServerID[2], r.Seq, r.ClientIP))
		}
		equal(t, fmt.Sprint("merged, limit ", limit), got, want)
	}
	ranking, err := e.Top(t.Context(), Query{}, ByIP, 1)
	if err != nil || ranking.Total != 8 || ranking.Ranks[0] != (Rank{"192.0.2.7", 3}) {
		t.Errorf("top: %+v, %v", ranking, err)
	}
}

// TestClockJump has a server whose clock went back: its events keep their order.
func TestClockJump(t *testing.T) {
	t.Parallel()
	s := testSettings(t.TempDir())
	write(t, sealSoon(s),
		check{at: time.Hour, ip: "192.0.2.1", local: "a", domain: "shop.example", helo: "a"},
		check{at: -48 * time.Hour, ip: "192.0.2.2", local: "a", domain: "shop.example", helo: "a"},
		check{at: 0, ip: "192.0.2.3", local: "a", domain: "shop.example", helo: "a"})
	e := open(s.Dir)
	equal(t, "all", seqs(eventsOf(t, e, Query{}, 0)), []int64{2, 4, 6})
	equal(t, "newest", seqs(eventsOf(t, e, Query{}, 2)), []int64{4, 6})
	equal(t, "today", seqs(eventsOf(t, e, Query{Since: testTime}, 0)), []int64{2, 6})
}

func TestRowsOfSealedEvents(t *testing.T) {
	t.Parallel()
	s := testSettings(t.TempDir())
	checks := append(tenChecks(), hostileChecks()...)
	write(t, sealSoon(s), checks...)
	sealed := eventsOf(t, open(s.Dir), Query{Packets: true}, 0)
	if len(sealed) < len(checks) {
		t.Fatalf("only %d events", len(sealed))
	}
	var builder eventrow.Builder
	var event spftrack.Event
	for i := range sealed {
		sealed[i].Event(&event)
		var r eventrow.Row
		builder.Fill(&r, &event)
		if r != sealed[i] {
			t.Errorf("event %d makes another row:\n%+v\n%+v", i, r, sealed[i])
		}
	}
}
