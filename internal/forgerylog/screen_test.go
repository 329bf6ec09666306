package forgerylog

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"nullspf/internal/eventrow"
)

func screenRow(at time.Time, server, local string) *eventrow.Row {
	return &eventrow.Row{
		TS: at.UnixNano(), ServerID: server, Kind: "exp", Attempt: true, ClientIP: "192.0.2.7", SenderLocal: local,
		SenderDomain: "shop.example", ForgedDomain: "shop.example", HELO: "mail.example.org", Resolver: "198.51.100.53",
	}
}

// TestScreenChanges: what is named above the events is named again when it changes,
// or becomes a column: the zone of the times, a server far below.
func TestScreenChanges(t *testing.T) {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	w := NewScreenWriter(&b, Screen{Width: 100, Zone: zone, Ellipsis: "~"})
	// Summer time ends at 01:00 UTC.
	start := time.Date(2026, 10, 25, 0, 30, 0, 0, time.UTC)
	for i := range 2 * screenBlock {
		server := "ns1"
		if i >= screenBlock+50 {
			server = "ns2"
		}
		if err := w.Write(screenRow(start.Add(time.Duration(i)*10*time.Minute), server, fmt.Sprintf("user%d", i))); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(b.String(), "\n")
	equal(t, "beginning", lines[:8], []string{
		"2026 CEST, kind exp, server ns1",
		"TIME            CLIENT     DOMAIN        SENDER    HELO              RESOLVER",
		"10-25 02:30:00  192.0.2.7  shop.example  user0@    mail.example.org  198.51.100.53",
		"10-25 02:40:00  192.0.2.7  shop.example  user1@    mail.example.org  198.51.100.53",
		"10-25 02:50:00  192.0.2.7  shop.example  user2@    mail.example.org  198.51.100.53",
		"",
		"2026 CET, kind exp, server ns1",
		"10-25 02:00:00  192.0.2.7  shop.example  user3@    mail.example.org  198.51.100.53",
	})
	equal(t, "another server", lines[253:258], []string{
		"10-26 19:00:00  192.0.2.7  shop.example  user249@  mail.example.org  198.51.100.53",
		"",
		"2026 CET, kind exp",
		"TIME            CLIENT     DOMAIN        SENDER    HELO              RESOLVER       SERVER",
		"10-26 19:10:00  192.0.2.7  shop.example  user250@  mail.example.org  198.51.100.53  ns2",
	})
}

// TestScreenWidths: every line fits a terminal of 60 columns or more, however hostile the texts.
func TestScreenWidths(t *testing.T) {
	for width := 60; width < 200; width++ {
		packets := Query{Packets: true}
		for _, s := range []Screen{
			{}, {Query: packets}, {Follow: true}, {Follow: true, Query: packets, OneJournal: true},
			{Query: Query{Source: FromSMTP}}, {Query: Query{Source: FromDMARC}}, {Query: Query{Source: FromMailLog}},
		} {
			s.Width, s.Zone, s.Ellipsis = width, time.UTC, "~"
			var b strings.Builder
			w := NewScreenWriter(&b, s)
			for i := range 5 {
				row := screenRow(testTime.Add(time.Duration(i)*13*time.Hour), fmt.Sprint("ns", i%2), strings.Repeat("\x1b[2J", i*i*10))
				row.RawName, row.HELO, row.Flags = strings.Repeat("\n", i*50), strings.Repeat("h.", i*100), "retry,truncated"
				if err := w.Write(row); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(b.String()) {
				line = strings.TrimSuffix(line, "\n")
				if len(line) > width && !strings.Contains(line, ", ") || strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r > '~' }) {
					t.Fatalf("%d columns, %+v: %q\n%s", width, s, line, b.String())
				}
			}
		}
	}
}
