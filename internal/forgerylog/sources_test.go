package forgerylog

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"nullspf/internal/eventrow"
	"nullspf/internal/journal"
	"nullspf/spftrack"
)

// importedEvents are records of two DMARC reports, one of them of the next day, and two
// refusals.
func importedEvents() []spftrack.Event {
	day := testTime.Truncate(24 * time.Hour)
	record := func(days, messages int, ip, domain, disposition, reporter string) spftrack.Event {
		at := day.AddDate(0, 0, days)
		return spftrack.Event{
			Time: at.UnixNano(), Server: "imports",
			Parsed: spftrack.Parsed{Kind: spftrack.KindDMARC, ClientIP: netip.MustParseAddr(ip), Forged: domain, SenderDomain: "bot.test"},
			Report: &spftrack.Report{
				Reporter: reporter, ID: "report 1", End: at.AddDate(0, 0, 1).UnixNano(), Messages: uint32(messages),
				Disposition: disposition, SPF: "fail", DKIM: "fail", Override: "local_policy", RecipientDomain: "receiver.test",
			},
		}
	}
	refusal := func(at time.Duration, cause string) spftrack.Event {
		return spftrack.Event{
			Time: testTime.Add(at).UnixNano(), Server: "imports", Transport: spftrack.TransportTCP,
			Parsed:  spftrack.Parsed{Kind: spftrack.KindRefusal, ClientIP: netip.MustParseAddr("192.0.2.7"), SenderLocal: "info", SenderDomain: "shop.example", HELO: "bot"},
			Session: &spftrack.Session{Recipients: 1, RecipientDomain: "receiver.test"},
			Cause:   cause, Software: "postfix",
		}
	}
	return []spftrack.Event{
		record(0, 3, "192.0.2.7", "shop.example", "reject", "receiver.test"),
		record(0, 40, "2001:db8::7", "shop.example", "none", "receiver.test"),
		refusal(time.Second, "no-ptr"),
		refusal(2*time.Second, "blocklist:bl.example.net"),
		record(1, 5, "192.0.2.7", "bank.example", "quarantine", "other.test"),
	}
}

// writeImports makes a directory of events.
func writeImports(t *testing.T, events []spftrack.Event) (dir string) {
	t.Helper()
	dir = t.TempDir()
	c, err := journal.Create(dir, "imports")
	if err != nil {
		t.Fatal(err)
	}
	for i := range events {
		events[i].Seq = uint64(i + 1)
		if err := c.Add(&events[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Close(nil); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestSources: a source has its events and no others, alone or beside queries; DMARC records
// count as often as they have messages.
func TestSources(t *testing.T) {
	t.Parallel()
	imports := writeImports(t, importedEvents())
	queries := testSettings(t.TempDir())
	write(t, queries, tenChecks()...)
	alone, both := open(imports), open(queries.Dir, imports)
	for _, log := range []*Journals{alone, both} {
		for _, c := range []struct {
			query Query
			by    Field
			total uint64
			ranks []Rank
		}{
			{Query{Source: FromDMARC}, ByIP, 48, []Rank{{"2001:db8::7", 40}, {"192.0.2.7", 8}}},
			{Query{Source: FromDMARC, Domain: Text{Value: "shop"}}, "ip,disposition", 43, []Rank{{"2001:db8::7\tnone", 40}, {"192.0.2.7\treject", 3}}},
			{Query{Source: FromDMARC}, ByReporter, 48, []Rank{{"receiver.test", 43}, {"other.test", 5}}},
			{Query{Source: FromDMARC, Until: testTime}, ByDisposition, 43, []Rank{{"none", 40}, {"reject", 3}}},
			{Query{Source: FromMailLog}, ByCause, 2, []Rank{{"blocklist:bl.example.net", 1}, {"no-ptr", 1}}},
			{Query{Packets: true, Kinds: []spftrack.Kind{spftrack.KindDMARC}}, ByReporter, 3, []Rank{{"receiver.test", 2}, {"other.test", 1}}},
			{Query{Source: FromSMTP}, ByIP, 0, nil},
		} {
			r, err := log.Top(t.Context(), c.query, c.by, 5)
			if err != nil || r.Total != c.total || !slices.Equal(r.Ranks, c.ranks) {
				t.Errorf("%+v by %s: %+v, %v", c.query, c.by, r, err)
			}
		}
		s, err := log.Timeline(t.Context(), Query{Source: FromDMARC}, Day)
		if err != nil || s.Total != 48 || len(s.Buckets) != 2 || s.Buckets[0].Count != 43 {
			t.Errorf("%+v, %v", s, err)
		}
		if rows := eventsOf(t, log, Query{Source: FromMailLog}, 1); len(rows) != 1 || rows[0].Cause != "blocklist:bl.example.net" {
			t.Errorf("%+v", rows)
		}
	}
	if rows := eventsOf(t, alone, Query{}, 0); len(rows) > 0 {
		t.Errorf("attempts %+v", rows)
	}
	for _, packets := range []bool{false, true} {
		spf := eventsOf(t, both, Query{Source: FromSPF, Packets: packets}, 0)
		if want := eventsOf(t, open(queries.Dir), Query{Packets: packets}, 0); !slices.Equal(spf, want) {
			t.Errorf("packets %v: %d events, want %d", packets, len(spf), len(want))
		}
	}
}

// TestSourceTables: each source has the columns that matter for it.
func TestSourceTables(t *testing.T) {
	t.Parallel()
	log := open(writeImports(t, importedEvents()))
	var b strings.Builder
	for _, q := range []Query{{Source: FromDMARC}, {Source: FromMailLog}, {Packets: true}} {
		b.WriteString(render(t, log, q, Table))
		w := NewScreenWriter(&b, Screen{Width: 120, Zone: time.UTC, Ellipsis: "~", Query: q, OneJournal: true})
		if err := log.Events(t.Context(), q, 0, func(r *eventrow.Row) error { return w.Write(r) }); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		b.WriteByte('\n')
	}
	golden(t, "sources.table", b.String())
}
