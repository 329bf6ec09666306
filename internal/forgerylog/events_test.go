package forgerylog

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"nullspf/internal/journal"
	"nullspf/spftrack"
)

// In the order of sequence numbers, tenChecks are these questions:
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
	{"kinds", Query{Kinds: []spftrack.Kind{spftrack.KindClassic, spftrack.KindExists}}, []int64{9, 10, 11}},
	{"kind of packets", Query{Kinds: []spftrack.Kind{spftrack.KindExists}, Packets: true}, []int64{1, 3, 5, 7, 9, 14}},
	{"all together", Query{
		Since: testTime, Until: testTime.Add(2 * time.Minute), Domain: ParseDomain("=shop.example"), Sender: ParseText("info"),
		HELO: ParseText("mail"), Client: netip.MustParsePrefix("192.0.2.8/32"), Kinds: []spftrack.Kind{spftrack.KindExp},
	}, []int64{4}},
	{"contradiction", Query{Domain: ParseDomain("=bank.example"), Client: netip.MustParsePrefix("192.0.2.8/32")}, []int64{}},
}

func TestFilters(t *testing.T) {
	t.Parallel()
	eachEngine(t, tenChecks(), func(t *testing.T, e *Folders) {
		for _, c := range filterCases {
			equal(t, c.name, seqs(eventsOf(t, e, c.q, 0)), c.want)
			for _, limit := range []int{2, 100} {
				want := c.want[max(len(c.want)-limit, 0):]
				equal(t, fmt.Sprintf("%s, the newest %d", c.name, limit), seqs(eventsOf(t, e, c.q, limit)), want)
			}
			// The other questions are about the same events.
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

// TestSeveralGroups has many row groups and segments to skip parts of.
func TestSeveralGroups(t *testing.T) {
	t.Parallel()
	s := testSettings(t.TempDir())
	const n, rounds = 5000, 4
	resolver := netip.MustParseAddrPort("198.51.100.53:53")
	for round := range rounds {
		var list []journal.Packet
		for i := range n {
			id := round*n + i
			list = append(list, journal.Packet{
				Time: testTime.Add(time.Duration(id) * time.Second).UnixNano(), Resolver: resolver, Qtype: spftrack.TypeA,
				Name: wire(fmt.Sprintf("192.0.%d.%d.in-addr.CL.n%d.example.FD.1.%s", id/256%256, id%256, id%1000, testZone)),
			})
		}
		writePackets(t, sealSoon(s), list)
	}
	e := open(s.Dir)
	r := eventsOf(t, e, Query{Domain: ParseDomain("=n77.example")}, 0)
	if len(r) != n*rounds/1000 {
		t.Errorf("%d events of one domain, want %d", len(r), n*rounds/1000)
	}
	for i := range r {
		if want := int64(i*1000 + 78); r[i].Seq != want || r[i].ForgedDomain != "n77.example" || r[i].Resolver != "198.51.100.53" {
			t.Errorf("event %d is %+v, want number %d", i, r[i], want)
		}
	}
	for id := 0; id < n*rounds; id += 617 {
		q := Query{Client: netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, byte(id / 256), byte(id)}), 32)}
		if r := eventsOf(t, e, q, 0); len(r) != 1 || r[0].Seq != int64(id+1) {
			t.Errorf("client %s: %v, want %d", q.Client, seqs(r), id+1)
		}
	}
	q := Query{Since: testTime.Add(7000 * time.Second), Until: testTime.Add(12000 * time.Second)}
	if r := eventsOf(t, e, q, 0); len(r) != 5000 || r[0].Seq != 7001 || r[4999].Seq != 12000 {
		t.Errorf("%d events between two times", len(r))
	}
	if r := eventsOf(t, e, Query{}, 7000); len(r) != 7000 || r[0].Seq != n*rounds-6999 || r[6999].Seq != n*rounds {
		t.Errorf("%d newest events", len(r))
	}
}

func TestSeveralFolders(t *testing.T) {
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

func TestRowOf(t *testing.T) {
	t.Parallel()
	s := testSettings(t.TempDir())
	checks := append(tenChecks(), hostileChecks()...)
	write(t, sealSoon(s), checks...)
	sealed := eventsOf(t, open(s.Dir), Query{Packets: true}, 0)
	if len(sealed) < len(checks) {
		t.Fatalf("only %d events", len(sealed))
	}
	for i := range sealed {
		event := sealed[i].Event()
		if r := rowOf(&event); r != sealed[i] {
			t.Errorf("event %d makes another row:\n%+v\n%+v", i, r, sealed[i])
		}
	}
}
