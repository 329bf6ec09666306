package forgerylog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"nullspf/internal/eventrow"
	"nullspf/internal/journal"
	"nullspf/spftrack"
)

// judge answers from rows that the Parquet library has read, without columns,
// dictionaries, tables or summaries.
type judge struct{ rows []eventrow.Row }

// judgeOf reads all events of a directory.
func judgeOf(t *testing.T, dir string) *judge {
	t.Helper()
	v, err := journal.Snapshot(dir, journal.ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	j := &judge{}
	for _, s := range v.Segments() {
		rows, err := parquet.ReadFile[eventrow.Row](s.FilePath())
		if err != nil {
			t.Fatal(err)
		}
		j.rows = append(j.rows, rows...)
	}
	var b eventrow.Builder
	err = v.Tail(func(e *spftrack.Event) error {
		var row eventrow.Row
		b.Fill(&row, e)
		j.rows = append(j.rows, row.Clone())
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func (j *judge) selected(q Query) (rows []*eventrow.Row) {
	p := newPlan(q)
	for i := range j.rows {
		if p.matches(&j.rows[i]) {
			rows = append(rows, &j.rows[i])
		}
	}
	return rows
}

// textOf is the value of a row by which is counted.
func textOf(r *eventrow.Row, by Field) string {
	switch by {
	case ByIP:
		return r.ClientIP
	case ByNet:
		addr, err := netip.ParseAddr(r.ClientIP)
		if err != nil {
			return ""
		}
		bits := 24
		if addr.Is6() {
			bits = 48
		}
		return netip.PrefixFrom(addr, bits).Masked().String()
	case BySender:
		if r.SenderLocal == "" {
			return ""
		}
		return r.SenderLocal + "@" + r.SenderDomain
	case ByHELO:
		return r.HELO
	case ByDomain:
		return r.ForgedDomain
	}
	return r.Resolver
}

func (j *judge) top(q Query, by Field, n int) *Ranking {
	r := &Ranking{By: by, Counted: q.Counted()}
	counts := make(map[string]uint64)
	for _, row := range j.selected(q) {
		r.Total++
		if text := textOf(row, by); text != "" {
			counts[text]++
		} else {
			r.Unknown++
		}
	}
	r.Distinct = uint64(len(counts))
	for text, n := range counts {
		r.Ranks = append(r.Ranks, Rank{text, n})
	}
	slices.SortFunc(r.Ranks, func(a, b Rank) int { return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Value, b.Value)) })
	r.Ranks = r.Ranks[:min(n, len(r.Ranks))]
	return r
}

func (j *judge) timeline(q Query, per Unit) *Series {
	s := &Series{Per: per}
	counts := make(map[int64]uint64)
	for _, row := range j.selected(q) {
		s.Total++
		counts[time.Unix(0, row.TS).UTC().Truncate(per.duration()).UnixNano()]++
	}
	for _, start := range slices.Sorted(maps.Keys(counts)) {
		s.Buckets = append(s.Buckets, Bucket{start, counts[start]})
	}
	return s
}

// judged makes a directory of random events: some days in segments with summaries,
// some minutes in a wal file.
func judged(t *testing.T, rng *rand.Rand, n, days int) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "var")
	c, err := journal.Create(dir, "ns1.example.net")
	if err != nil {
		t.Fatal(err)
	}
	at := testTime.UnixNano()
	for seq := range n {
		at += int64(rng.IntN(int(time.Duration(days) * 24 * time.Hour / time.Duration(n))))
		if rng.IntN(50) == 0 {
			at -= int64(time.Second)
		}
		e := spftrack.Event{
			Seq: uint64(seq + 1), Time: at, Server: "ns1.example.net", Zone: testZone,
			QType: spftrack.TypeA, Resolver: netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(rng.IntN(200))}), uint16(rng.IntN(1<<16))),
			Parsed: spftrack.Parsed{Kind: spftrack.Kind(rng.IntN(6)), Forged: fmt.Sprintf("brand-%d.example", rng.IntN(30))},
		}
		e.SenderDomain = e.Forged
		switch rng.IntN(8) {
		case 0:
		case 1:
			e.ClientIP = netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, byte(rng.IntN(3)), 15: byte(rng.IntN(9))})
		default:
			e.ClientIP = netip.AddrFrom4([4]byte{203, 0, byte(rng.IntN(20)), byte(rng.ExpFloat64() * 30)})
		}
		if e.Kind == spftrack.KindExp || e.Kind == spftrack.KindClassic {
			e.QType = spftrack.TypeTXT
			e.SenderLocal = fmt.Sprint("user", rng.IntN(500))
			e.HELO = hostileTexts[rng.IntN(len(hostileTexts))]
		}
		e.Name = nameOf(e.HELO, "HE", e.SenderLocal, "LP", e.ClientIP.String(), e.Forged)
		if err := c.Add(&e); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Close(nil); err != nil {
		t.Fatal(err)
	}
	s := testSettings(dir)
	late := tenChecks()
	for i := range late {
		late[i].at += time.Duration(at - testTime.UnixNano())
	}
	write(t, s, late...)
	// Of files that were written a moment ago, nothing is kept.
	old := time.Now().Add(-time.Hour)
	paths, err := filepath.Glob(filepath.Join(dir, "seg", "*", "*"))
	if err != nil || len(paths) < 2 {
		t.Fatal(paths, err)
	}
	for _, path := range paths {
		if err := os.Chtimes(path, old, old); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// nameOf is a name of labels that may hold any bytes; those that are no labels are left out.
func nameOf(labels ...string) (name []byte) {
	for _, label := range labels {
		if label != "" && len(label) < 64 && len(name)+len(label) < 250 {
			name = append(append(name, byte(len(label))), label...)
		}
	}
	return append(name, 0)
}

// busyQueries ask in several ways for one of the clients that have most attempts.
func (j *judge) busyQueries(t *testing.T, rng *rand.Rand) (list []Query) {
	t.Helper()
	day := testTime.Truncate(24 * time.Hour).Add(24 * time.Hour)
	for _, rank := range j.top(Query{}, ByIP, 3).Ranks[rng.IntN(3):][:1] {
		client := netip.MustParseAddr(rank.Value)
		prefix := netip.PrefixFrom(client, client.BitLen())
		list = append(list, Query{Client: prefix}, Query{Clients: []netip.Addr{client}, Since: day.Add(5 * time.Hour), Until: day.Add(40 * time.Hour)},
			Query{Client: prefix, Domain: ParseDomain("brand-1"), HELO: ParseText("b")}, Query{Client: prefix, Packets: true}, Query{Client: prefix, Kinds: []spftrack.Kind{spftrack.KindExp}})
	}
	return list
}

// wholeClients counts the clients of which summaries of a directory have the rows.
func (j *judge) wholeClients(t *testing.T, dir string) (n int) {
	t.Helper()
	v, err := journal.Snapshot(dir, journal.ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	for _, rank := range j.top(Query{}, ByIP, 1000).Ranks {
		if slices.ContainsFunc(v.Segments(), func(s *journal.SegmentFile) bool {
			return s.Summary() != nil && s.Summary().Client(rank.Value, allColumns.has) != nil
		}) {
			n++
		}
	}
	return n
}

// judgedQueries are queries of each kind.
func judgedQueries(rng *rand.Rand) []Query {
	day := 24 * time.Hour
	midnight := testTime.Truncate(day)
	list := []Query{
		{}, {Packets: true},
		{Since: midnight.Add(day)}, {Until: midnight.Add(2 * day)}, {Since: midnight.Add(day), Until: midnight.Add(3 * day)},
		{Since: testTime.Add(7 * time.Hour), Until: testTime.Add(50 * time.Hour), Packets: rng.IntN(2) == 0},
		{Domain: ParseDomain("=brand-3.example")}, {Domain: ParseDomain("brand-1")}, {HELO: ParseText("b")}, {Sender: ParseText("user1")},
		{Sender: ParseText("=user7@brand-4.example"), Packets: true},
		{Kinds: []spftrack.Kind{spftrack.KindExp, spftrack.KindMinimised}, Packets: true}, {Kinds: []spftrack.Kind{spftrack.KindClassic}},
		{Client: netip.MustParsePrefix("203.0.7.0/24")}, {Client: netip.MustParsePrefix("2001:db8::/32")},
		{Client: netip.MustParsePrefix("203.0.7.3/32")}, {Client: netip.MustParsePrefix("203.0.7.3/32"), Packets: true},
		{Client: netip.MustParsePrefix("198.51.100.1/32")},
		{Resolver: netip.MustParseAddr("192.0.2.7")}, {Resolver: netip.MustParseAddr("192.0.2.8"), Packets: true},
		{Client: netip.MustParsePrefix("203.0.7.0/24"), Domain: ParseDomain("brand-2"), Since: midnight.Add(day), HELO: ParseText("e")},
	}
	return list
}

// compare asks an engine and the judge the same.
func (j *judge) compare(t *testing.T, what string, e Engine, rng *rand.Rand, queries []Query) {
	t.Helper()
	for _, q := range queries {
		for _, by := range judgedFields {
			for _, n := range []int{3, 1000}[rng.IntN(2):][:1] {
				want := j.top(q, by, n)
				if got, err := e.Top(t.Context(), q, by, n); err != nil || !reflect.DeepEqual(got, want) {
					t.Fatalf("%s: top %d %s of %+v: %v\n%+v, want\n%+v", what, n, by, q, err, got, want)
				}
			}
		}
		for _, per := range Units {
			want := j.timeline(q, per)
			if got, err := e.Timeline(t.Context(), q, per); err != nil || !reflect.DeepEqual(got, want) {
				t.Fatalf("%s: timeline per %s of %+v: %v\n%+v, want\n%+v", what, per, q, err, got, want)
			}
		}
		var want []eventrow.Row
		for _, row := range j.selected(q) {
			want = append(want, *row)
		}
		if got := eventsOf(t, e, q, 0); !slices.Equal(got, want) {
			t.Fatalf("%s: %d events of %+v, want %d", what, len(got), q, len(want))
		}
		if got := eventsOf(t, e, q, 20); !slices.Equal(got, want[max(0, len(want)-20):]) {
			t.Fatalf("%s: newest events of %+v: %v", what, q, seqs(got))
		}
	}
}

// judgedFields are those that events themselves have.
var judgedFields = []Field{ByIP, ByNet, BySender, ByHELO, ByDomain, ByResolver}

// TestJudge holds every query against plain reading: with summaries, with damaged
// ones, with some, and without.
func TestJudge(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1))
	dir := judged(t, rng, 1200, 4)
	j := judgeOf(t, dir)
	queries := append(judgedQueries(rng), j.busyQueries(t, rng)...)
	if n := j.wholeClients(t, dir); n < 5 {
		t.Errorf("summaries have the rows of %d clients", n)
	}
	e := open(dir)
	summaries, err := filepath.Glob(filepath.Join(dir, "seg", "*", "*.summary"))
	if err != nil || len(summaries) < 3 {
		t.Fatal(summaries, err)
	}
	j.compare(t, "with summaries", e, rng, queries)
	gone, leave := context.WithCancel(t.Context())
	leave()
	if _, err := e.Top(gone, Query{}, ByIP, 1); err != context.Canceled {
		t.Error("summaries are read for nobody:", err)
	}
	if _, err := e.Timeline(gone, Query{}, Day); err != context.Canceled {
		t.Error("summaries are read for nobody:", err)
	}
	stats, err := e.Stats(t.Context())
	if want := uint64(len(j.selected(Query{}))); err != nil || stats[0].Attempts != want {
		t.Errorf("%d attempts, want %d: %v", stats[0].Attempts, want, err)
	}
	if err := os.Remove(summaries[0]); err != nil {
		t.Fatal(err)
	}
	// A summary of another segment.
	if err := os.Rename(summaries[1], summaries[0]); err != nil {
		t.Fatal(err)
	}
	j.compare(t, "with some summaries", e, rng, queries)
	for _, path := range summaries[2:] {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	j.compare(t, "without summaries", e, rng, queries)
}

// TestJudgePages does so with columns of several pages, most of which a rare event
// leaves out.
func TestJudgePages(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 4))
	dir := judged(t, rng, 40_000, 1)
	judgeOf(t, dir).compare(t, "pages", open(dir), rng, []Query{
		{Client: netip.MustParsePrefix("203.0.7.199/32")},
		{Domain: ParseDomain("=brand-7.example"), Sender: ParseText("user77@"), Since: testTime.Add(time.Hour), Packets: true},
	})
}

// TestDamagedSummary changes bits of a summary: the answers stay right.
func TestDamagedSummary(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 2))
	dir := judged(t, rng, 400, 4)
	j := judgeOf(t, dir)
	summaries, err := filepath.Glob(filepath.Join(dir, "seg", "*", "*.summary"))
	if err != nil || len(summaries) == 0 {
		t.Fatal(err)
	}
	data, err := os.ReadFile(summaries[0])
	if err != nil {
		t.Fatal(err)
	}
	clients := append(j.busyQueries(t, rng)[:2], Query{Client: netip.MustParsePrefix("203.0.7.3/32")})
	tried := 0
	for bit := rng.IntN(401); bit < 8*len(data); bit += 401 {
		damaged := slices.Clone(data)
		damaged[bit/8] ^= 1 << (bit % 8)
		if bit%5 == 0 {
			damaged = damaged[:bit/8]
		}
		if err := os.WriteFile(summaries[0], damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		by := judgedFields[tried%len(judgedFields)]
		e := open(dir)
		if got, err := e.Top(t.Context(), Query{}, by, 50); err != nil || !reflect.DeepEqual(got, j.top(Query{}, by, 50)) {
			t.Fatalf("bit %d: top %s: %v", bit, by, err)
		}
		if got, err := e.Timeline(t.Context(), Query{}, Hour); err != nil || !reflect.DeepEqual(got, j.timeline(Query{}, Hour)) {
			t.Fatalf("bit %d: timeline: %v", bit, err)
		}
		client := clients[tried%len(clients)]
		var want []eventrow.Row
		for _, row := range j.selected(client) {
			want = append(want, *row)
		}
		if got := eventsOf(t, e, client, 0); !slices.Equal(got, want) {
			t.Fatalf("bit %d: %d events of %+v, want %d", bit, len(got), client, len(want))
		}
		tried++
	}
	t.Logf("%d bits", tried)
}

// TestDamagedSegmentWithSummary changes bits of a segment that has a summary, so that
// its sum is not looked at first: no row is wrong, and what is lacking is named.
func TestDamagedSegmentWithSummary(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 3))
	dir := judged(t, rng, 400, 4)
	whole := make(map[int64]eventrow.Row)
	for _, r := range judgeOf(t, dir).rows {
		whole[r.Seq] = r
	}
	segments, err := filepath.Glob(filepath.Join(dir, "seg", "*", "*.parquet"))
	if err != nil || len(segments) == 0 {
		t.Fatal(err)
	}
	data, err := os.ReadFile(segments[0])
	if err != nil {
		t.Fatal(err)
	}
	lacking := 0
	for bit := rng.IntN(3001); bit < 8*len(data); bit += 3001 {
		damaged := slices.Clone(data)
		damaged[bit/8] ^= 1 << (bit % 8)
		if err := os.WriteFile(segments[0], damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		seen := 0
		err := open(dir).Events(t.Context(), Query{Packets: true}, 0, func(r *eventrow.Row) error {
			got, want := *r, whole[r.Seq]
			if got.Attempt != want.Attempt {
				got.Attempt, got.Flags = want.Attempt, want.Flags
			}
			if got != want {
				return fmt.Errorf("wrong row %+v", got)
			}
			seen++
			return nil
		})
		if seen == len(whole) {
			continue
		}
		lacking++
		if !errors.As(err, new(*Incomplete)) || !strings.Contains(err.Error(), filepath.Base(segments[0])) {
			t.Fatalf("bit %d: %d of %d events, %v", bit, seen, len(whole), err)
		}
	}
	if lacking == 0 {
		t.Error("no bit mattered")
	}
}
