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

// TestSessions: SMTP sessions are events and no attempts, sealed or not; filters and
// counts find them, tables show what they have.
func TestSessions(t *testing.T) {
	t.Parallel()
	packets := tenChecks()[0].packets()
	for i, s := range []journal.Session{
		{HELO: "mail.example.org", SenderLocal: "info", SenderDomain: "shop.example", Session: spftrack.Session{Recipients: 2, RecipientDomain: "brand.example", TLS: true, Duration: 1500 * time.Millisecond}},
		{Session: spftrack.Session{Duration: time.Second}},
		{HELO: "\x1b[31m", Session: spftrack.Session{Recipients: 1, RecipientDomain: "a b.example", Duration: time.Second}},
	} {
		s.Time = packets[0].Time + int64(i+1)*int64(time.Second)
		s.Client = netip.MustParseAddrPort("192.0.2.7:4711")
		packets = append(packets, *s.Packet(new(journal.SessionBuffer)))
	}
	for name, settings := range map[string]journal.Settings{"sealed": sealSoon(testSettings(t.TempDir())), "not sealed": testSettings(t.TempDir())} {
		writePackets(t, settings, packets)
		log := open(settings.Dir)
		if attempts := eventsOf(t, log, Query{}, 0); len(attempts) != 1 || attempts[0].Kind == "smtp" {
			t.Errorf("%s: attempts %+v", name, attempts)
		}
		smtp := Query{Source: FromSMTP}
		rows := eventsOf(t, log, smtp, 0)
		if same := eventsOf(t, log, Query{Packets: true, Kinds: []spftrack.Kind{spftrack.KindSMTP}}, 0); !slices.Equal(same, rows) {
			t.Errorf("%s: by kind %+v", name, same)
		}
		if len(rows) != 3 {
			t.Fatalf("%s: %+v", name, rows)
		}
		want := eventrow.Row{
			Seq: rows[0].Seq, TS: packets[len(packets)-3].Time, ServerID: rows[0].ServerID, Kind: "smtp", ClientIP: "192.0.2.7",
			SenderLocal: "info", SenderDomain: "shop.example", HELO: "mail.example.org", Resolver: "192.0.2.7", ResolverPort: 4711,
			Transport: "tcp", SourceVerified: true, Recipients: 2, RecipientDomain: "brand.example", TLS: true, Duration: 1_500_000_000,
		}
		if rows[0] != want {
			t.Errorf("%s: %+v\nwant %+v", name, rows[0], want)
		}
		for i, text := range []string{"2 recipients in brand.example, TLS, 1.5s", "0 recipients, 1s", `1 recipient in a\032b.example, 1s`} {
			var b strings.Builder
			w := NewEventWriter(&b, Table, smtp, time.UTC)
			if err := w.Write(&rows[i]); err != nil {
				t.Fatal(err)
			}
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
			if line := strings.TrimSpace(strings.Split(b.String(), "\n")[1]); !strings.HasSuffix(line, text+"  ns1.example.net") || strings.Contains(line, "\x1b") {
				t.Errorf("%s: %q, want %q", name, line, text)
			}
		}
		smtp.Sender = Text{Value: "info@shop.example"}
		if ranking, err := log.Top(t.Context(), smtp, ByIP, 5); err != nil || ranking.Total != 1 || ranking.Ranks[0].Value != "192.0.2.7" {
			t.Errorf("%s: %+v, %v", name, ranking, err)
		}
	}
}
