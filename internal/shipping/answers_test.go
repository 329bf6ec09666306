package shipping

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"nullspf/internal/clickhouse"
	"nullspf/internal/eventrow"
	"nullspf/internal/forgerylog"
	"nullspf/internal/journal"
	"nullspf/internal/peers"
	"nullspf/spftrack"
)

// TestSameAnswers asks a journal and the table with its events the same questions.
func TestSameAnswers(t *testing.T) {
	t.Parallel()
	_, db := database(t)
	dir := filepath.Join(t.TempDir(), "var")
	r := rand.New(rand.NewPCG(3, 4))
	const name = "ns1.example.net"
	seal(t, dir, name, events(r, name, 3000, begin))
	if _, err := Ship(t.Context(), db, dir, Options{}); err != nil {
		t.Fatal(err)
	}
	compareAnswers(t, forgerylog.OpenStore(db, nil), forgerylog.Open([]string{dir}, journal.ReadOptions{}), 4)
}

// compareAnswers asks two engines the same questions, or every n-th of them.
func compareAnswers(t *testing.T, store, journals forgerylog.Engine, every int) {
	t.Helper()
	fields := []forgerylog.Field{
		forgerylog.ByIP, forgerylog.ByNet, forgerylog.BySender, forgerylog.ByHELO, forgerylog.ByDomain, forgerylog.ByResolver, forgerylog.ByReporter,
		forgerylog.ByDisposition, forgerylog.ByCause, "ip,domain", "sender,helo",
	}
	var queries []forgerylog.Query
	for _, q := range []forgerylog.Query{
		{}, {Since: begin.Add(time.Hour)}, {Since: begin.Add(90 * time.Minute), Until: begin.Add(150*time.Minute + 5)}, {Until: begin},
		{Domain: forgerylog.ParseDomain("=brand.example")}, {Domain: forgerylog.ParseDomain("SHOP")},
		{Sender: forgerylog.ParseText("info@")}, {Sender: forgerylog.ParseText("=042@shop.example")}, {Sender: forgerylog.ParseText("4")},
		{Sender: forgerylog.ParseText(`\\`)}, {Sender: forgerylog.ParseText("mü")}, {Sender: forgerylog.ParseText("2")}, {Sender: forgerylog.ParseText("@")},
		{HELO: forgerylog.ParseText("'")}, {HELO: forgerylog.ParseText("[192.0.2.1]")}, {HELO: forgerylog.ParseText("9")}, {HELO: forgerylog.ParseText(`\009`)},
		{HELO: forgerylog.ParseText("=")}, {HELO: forgerylog.ParseText("7")},
		{Client: netip.MustParsePrefix("203.0.113.7/32")}, {Client: netip.MustParsePrefix("203.0.113.0/28")}, {Client: netip.MustParsePrefix("0.0.0.0/0")},
		{Client: netip.MustParsePrefix("2001:db8::/46")}, {Client: netip.MustParsePrefix("2001:db8:1::/64")}, {Client: netip.MustParsePrefix("2001:db8::1/128")},
		{Resolver: netip.MustParseAddr("198.51.100.53")}, {Kinds: []spftrack.Kind{spftrack.KindExists}}, {Kinds: []spftrack.Kind{spftrack.KindExp}}, {Kinds: []spftrack.Kind{spftrack.KindClassic, spftrack.KindExists}},
	} {
		packets := q
		packets.Packets = true
		queries = append(queries, q, packets)
	}
	queries = append(queries, forgerylog.Query{Packets: true, Kinds: []spftrack.Kind{spftrack.KindSMTP}}, forgerylog.Query{Verified: true, Packets: true},
		forgerylog.Query{Source: forgerylog.FromDMARC, Since: begin.Add(time.Hour)}, forgerylog.Query{Source: forgerylog.FromDMARC, Clients: []netip.Addr{netip.MustParseAddr("203.0.113.8")}})
	clients := []netip.Addr{netip.MustParseAddr("203.0.113.7"), netip.MustParseAddr("2001:db8:1::3"), netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("203.0.113.9")}
	queries = append(queries, forgerylog.Query{Clients: clients}, forgerylog.Query{Clients: clients, Since: begin.Add(time.Hour), Until: begin.Add(80 * time.Minute)})
	for _, source := range forgerylog.Sources {
		queries = append(queries, forgerylog.Query{Source: source}, forgerylog.Query{Source: source, Packets: true, Client: netip.MustParsePrefix("203.0.113.0/28")},
			forgerylog.Query{Source: source, Kinds: []spftrack.Kind{spftrack.KindExists}})
	}
	nonzero := 0
	for k, q := range queries {
		if k%every > 0 {
			continue
		}
		ask := func(e forgerylog.Engine) (answers []any) {
			for i := range 4 {
				f := fields[(3*k+i)%len(fields)]
				ranking, err := e.Top(t.Context(), q, f, 9)
				if err != nil {
					t.Fatalf("%+v: %v", q, err)
				}
				answers = append(answers, *ranking)
				if !q.Since.IsZero() {
					if ranking, err = e.Newcomers(t.Context(), q, f, 9); err != nil {
						t.Fatalf("%+v: %v", q, err)
					}
					answers = append(answers, *ranking)
				}
			}
			if len(q.Clients) > 0 {
				profiles, err := e.Profiles(t.Context(), q)
				if err != nil {
					t.Fatalf("%+v: %v", q, err)
				}
				answers = append(answers, fmt.Sprint(profiles))
			}
			for _, u := range forgerylog.Units {
				series, err := e.Timeline(t.Context(), q, u)
				if err != nil {
					t.Fatalf("%+v: %v", q, err)
				}
				answers = append(answers, *series)
			}
			for _, limit := range []int{0, 7} {
				var list []eventrow.Row
				if err := e.Events(t.Context(), q, limit, func(r *eventrow.Row) error { list = append(list, r.Clone()); return nil }); err != nil {
					t.Fatalf("%+v: %v", q, err)
				}
				answers = append(answers, list)
			}
			return answers
		}
		got, want := ask(store), ask(journals)
		for i := range got {
			if diff := cmp.Diff(want[i], got[i], cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%+v, answer %d (-journal +table):\n%.3000s", q, i, diff)
			}
		}
		if len(got[len(got)-1].([]eventrow.Row)) > 0 {
			nonzero++
		}
	}
	if nonzero < len(queries)/every*2/3 {
		t.Errorf("only %d of %d queries select anything", nonzero, len(queries))
	}
}

// TestDistributed sends the journals of two nameservers to two servers, and asks one of
// them about both.
func TestDistributed(t *testing.T) {
	t.Parallel()
	tcp := make([]netip.AddrPort, 2)
	shards := ""
	for i := range tcp {
		var err error
		if tcp[i], err = peers.FreePort(netip.MustParseAddr("127.0.0.1")); err != nil {
			t.Fatal(err)
		}
		shards += fmt.Sprintf("<shard><replica><host>127.0.0.1</host><port>%d</port></replica></shard>", tcp[i].Port())
	}
	statements, err := os.ReadFile("../../examples/clickhouse/distributed.sql")
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(5, 6))
	var dirs []string
	var first *clickhouse.DB
	var started sync.WaitGroup
	dbs := make([]*clickhouse.DB, 2)
	for i := range 2 {
		started.Go(func() {
			dbs[i] = server(t, fmt.Sprintf("<tcp_port>%d</tcp_port><remote_servers><nullspf>%s</nullspf></remote_servers>", tcp[i].Port(), shards))
		})
	}
	started.Wait()
	for i, db := range dbs {
		name := fmt.Sprintf("ns%d.example.net", i+1)
		dir := filepath.Join(t.TempDir(), "var")
		list := events(r, name, 1500, begin.Add(time.Duration(i)*4*time.Hour))
		for _, e := range list {
			if e.Kind == spftrack.KindExists {
				e.Kind = spftrack.KindExp // no attempt of two queries, which may go to both
			}
		}
		seal(t, dir, name, list)
		if _, err := Ship(t.Context(), db, dir, Options{}); err != nil {
			t.Fatal(err)
		}
		for _, sql := range strings.Split(withoutComments(string(statements)), ";\n") {
			if strings.TrimSpace(sql) == "" {
				continue
			}
			if err := db.Exec(t.Context(), sql); err != nil {
				t.Fatalf("%s: %v", sql, err)
			}
		}
		dirs = append(dirs, dir)
		if first == nil {
			first = db
		}
	}
	all := open(t, peerOf(first), "nullspf?table=all_events")
	compareAnswers(t, forgerylog.OpenStore(all, nil), forgerylog.Open(dirs, journal.ReadOptions{}), 15)
}

// withoutComments removes the lines of SQL that are comments.
func withoutComments(sql string) string {
	var b strings.Builder
	for line := range strings.Lines(sql) {
		if !strings.HasPrefix(line, "--") {
			b.WriteString(line)
		}
	}
	return b.String()
}
