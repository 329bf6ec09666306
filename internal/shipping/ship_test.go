package shipping

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"nullspf/internal/clickhouse"
	"nullspf/internal/eventrow"
	"nullspf/internal/forgerylog"
	"nullspf/internal/journal"
	"nullspf/internal/peers"
	"nullspf/spftrack"
)

// begin is the time of the first event of tests: soon a month ends.
var begin = time.Date(2026, 11, 30, 22, 0, 0, 0, time.UTC)

// shared is the ClickHouse of the tests that need none of their own.
var shared *peers.Server

var startShared = sync.OnceValue(func() error {
	at, err := peers.FreePort(netip.MustParseAddr("127.0.0.1"))
	if err == nil {
		shared, err = peers.Start(context.Background(), peers.Config{Kind: peers.ClickHouse, Address: at})
	}
	return err
})

func TestMain(m *testing.M) {
	code := m.Run()
	if shared != nil {
		_ = shared.Stop()
	}
	os.Exit(code)
}

// database makes a database with the table on the server that tests share.
func database(t *testing.T) (at netip.AddrPort, db *clickhouse.DB) {
	t.Helper()
	peers.Require(t, peers.ClickHouse.Programs()...)
	if err := startShared(); err != nil {
		t.Fatal(err)
	}
	return shared.Address, table(t, shared.Address, strings.ToLower(t.Name()))
}

// server starts a ClickHouse and makes a database with the table.
func server(t *testing.T, options string) *clickhouse.DB {
	t.Helper()
	at, err := peers.FreePort(netip.MustParseAddr("127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	peers.Run(t, peers.Config{Kind: peers.ClickHouse, Address: at, Options: options})
	return table(t, at, "nullspf")
}

// table makes a database with the table.
func table(t *testing.T, at netip.AddrPort, name string) *clickhouse.DB {
	t.Helper()
	db := open(t, at, "default")
	for _, sql := range []string{"CREATE DATABASE " + name, Schema(name + ".events")} {
		if err := db.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	return open(t, at, name)
}

func open(t *testing.T, at netip.AddrPort, path string) *clickhouse.DB {
	t.Helper()
	db, err := clickhouse.Parse("clickhouse://" + at.String() + "/" + path)
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// events makes n events of a server from a time on, 3 s apart on average.
func events(r *rand.Rand, server string, n int, from time.Time) []*spftrack.Event {
	domains := []string{"brand.example", "shop.example", "xn--bcher-kva.example"}
	locals := []string{"info", "no-reply", "j\\o e", "042", "mü", ""}
	helos := []string{"mail.bot.example", "[192.0.2.1]", "a\tb'c", "", "host-7"}
	var list []*spftrack.Event
	at := from
	for range n {
		at = at.Add(time.Duration(r.Int64N(int64(6 * time.Second))))
		e := &spftrack.Event{
			Time: at.Add(-time.Duration(r.IntN(5)) * time.Millisecond).UnixNano(), Server: server, Zone: "_spf.example.net",
			Resolver: netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 51, 100, byte(r.IntN(5))}), uint16(r.IntN(60000)+1024)), QType: 16,
		}
		e.Kind = []spftrack.Kind{spftrack.KindExists, spftrack.KindExp, spftrack.KindExp, spftrack.KindClassic, spftrack.KindSMTP, spftrack.KindMinimised, spftrack.KindDMARC, spftrack.KindRefusal}[r.IntN(8)]
		e.ClientIP = netip.AddrFrom4([4]byte{203, 0, 113, byte(r.IntN(40))})
		if r.IntN(4) == 0 {
			e.ClientIP = netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 5: byte(r.IntN(3)), 15: byte(r.IntN(9))})
		}
		e.SenderDomain = domains[r.IntN(len(domains))]
		e.Forged = e.SenderDomain
		if e.Kind != spftrack.KindExists {
			e.SenderLocal, e.HELO = locals[r.IntN(len(locals))], helos[r.IntN(len(helos))]
		}
		switch e.Kind {
		case spftrack.KindDMARC:
			e.Report = &spftrack.Report{Reporter: domains[r.IntN(2)], ID: "a b", Messages: uint32(r.IntN(9) + 1), Disposition: "reject", SPF: "fail", DKIM: "fail"}
			e.Resolver = netip.AddrPort{}
			list = append(list, e)
			continue
		case spftrack.KindRefusal:
			e.Session, e.Cause, e.Software = &spftrack.Session{Recipients: 1, RecipientDomain: "shop.example"}, "no-ptr", "postfix"
			e.Resolver = netip.AddrPort{}
			list = append(list, e)
			continue
		}
		if e.Kind == spftrack.KindSMTP {
			e.Forged, e.Session = "", &spftrack.Session{Recipients: 2, RecipientDomain: "shop.example", TLS: true, Duration: time.Second}
			e.Resolver = netip.AddrPortFrom(e.ClientIP, 4711)
		} else {
			e.Name = []byte("\x04n\xffm\x09\x07example\x00")
		}
		list = append(list, e)
	}
	return list
}

// seal adds events to the journal of a directory as a segment, or one a day.
func seal(t *testing.T, dir, server string, list []*spftrack.Event) {
	t.Helper()
	c, err := journal.Append(dir)
	if err != nil {
		c, err = journal.Create(dir, server)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		e.Seq = c.Next()
		if err := c.Add(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Close(nil); err != nil {
		t.Fatal(err)
	}
}

// rows reads all events of an engine.
func rows(t *testing.T, e forgerylog.Engine) (list []eventrow.Row) {
	t.Helper()
	err := e.Events(t.Context(), forgerylog.Query{Packets: true}, 0, func(r *eventrow.Row) error {
		list = append(list, r.Clone())
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// same compares all events of a table with those of a journal.
func same(t *testing.T, db *clickhouse.DB, dir string) {
	t.Helper()
	got, want := rows(t, forgerylog.OpenStore(db, nil)), rows(t, forgerylog.Open([]string{dir}, journal.ReadOptions{}))
	if len(got) != len(want) {
		t.Fatalf("the table has %d events, the journal %d", len(got), len(want))
	}
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("event %d of the table is\n%+v, that of the journal\n%+v", i, got[i], want[i])
		}
	}
}

// TestShip sends segments of two months, again, and what came and was joined since.
func TestShip(t *testing.T) {
	t.Parallel()
	_, db := database(t)
	dir := filepath.Join(t.TempDir(), "var")
	r := rand.New(rand.NewPCG(1, 2))
	const name = "ns1.example.net"
	ship := func(sent, there uint64) {
		t.Helper()
		got, err := Ship(t.Context(), db, dir, Options{})
		if err != nil || got.Sent != sent || got.There != there || len(got.Unreadable) > 0 {
			t.Fatalf("%+v, %v; want %d sent, %d there", got, err, sent, there)
		}
		same(t, db, dir)
	}
	seal(t, dir, name, events(r, name, 4000, begin)) // until after midnight
	ship(4000, 0)
	ship(0, 4000)
	for i := range 4 {
		seal(t, dir, name, events(r, name, 500, begin.Add(time.Duration(5+i)*time.Hour)))
		if i == 1 {
			ship(1000, 4000)
		}
	}
	seal(t, dir, name, events(r, name, 10, begin.Add(72*time.Hour)))
	before := segments(t, dir)
	if _, err := journal.CompactDir(t.Context(), dir, journal.CompactOptions{}); err != nil {
		t.Fatal(err)
	}
	if after := segments(t, dir); after >= before {
		t.Fatalf("%d segments were not joined: %d", before, after)
	}
	ship(1010, 5000)
	ship(0, 6010)

	late, err := Ship(t.Context(), db, dir, Options{Since: begin.Add(50 * time.Hour)})
	if err != nil || late.There != 10 {
		t.Errorf("since later: %+v, %v", late, err)
	}
	other := filepath.Join(t.TempDir(), "var")
	seal(t, other, name, events(r, name, 300, begin))
	if _, err := Ship(t.Context(), db, other, Options{}); !errors.As(err, new(*contradiction)) {
		t.Errorf("events of another server with the same name: %v", err)
	}
	same(t, db, dir)
	if err := open(t, peerOf(db), "elsewhere").Exec(t.Context(), "SELECT 1"); err == nil {
		t.Error("a database that is not there answers")
	}
	_, err = Ship(t.Context(), open(t, peerOf(db), "default"), dir, Options{Wait: noWait})
	if err == nil || !strings.Contains(err.Error(), "examples/clickhouse/events.sql") {
		t.Errorf("without table: %v", err)
	}
}

// peerOf is the address of the server of a database.
func peerOf(db *clickhouse.DB) netip.AddrPort {
	host, _, _ := strings.Cut(strings.TrimPrefix(db.String(), "http://"), "/")
	return netip.MustParseAddrPort(host)
}

func segments(t *testing.T, dir string) int {
	t.Helper()
	v, err := journal.Snapshot(dir, journal.ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	return len(v.Segments())
}

func noWait(context.Context, int, error) error { return nil }

// TestShipOnce sends through a proxy that breaks connections off in every way, while
// the server is killed now and then: in the end each event is there once.
func TestShipOnce(t *testing.T) {
	t.Parallel()
	at, err := peers.FreePort(netip.MustParseAddr("127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	peers.Require(t, peers.ClickHouse.Programs()...)
	dir := t.TempDir()
	start := func() *peers.Server {
		s, err := peers.Start(t.Context(), peers.Config{Kind: peers.ClickHouse, Address: at, Dir: filepath.Join(dir, "ch")})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := start()
	t.Cleanup(func() { _ = s.Stop() })
	table(t, at, "nullspf")
	const seed = 7
	r := rand.New(rand.NewPCG(seed, 2))
	p := newBreaker(t, at, rand.New(rand.NewPCG(seed, 3)))
	through := open(t, p.at, "nullspf")
	journalDir := filepath.Join(dir, "var")
	const name = "ns1.example.net"
	failures, faults := 0, 0
	for round := range 6 {
		seal(t, journalDir, name, events(r, name, 200+r.IntN(2000), begin.Add(time.Duration(round)*2*time.Hour)))
		if round%4 == 3 {
			if _, err := journal.CompactDir(t.Context(), journalDir, journal.CompactOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		killed := make(chan struct{})
		go func() {
			defer close(killed)
			if round%4 == 2 {
				time.Sleep(time.Duration(r.IntN(200)) * time.Millisecond)
				process, err := os.FindProcess(s.PID())
				if err == nil {
					_ = process.Kill()
				}
				_ = s.Stop()
				s = start()
			}
		}()
		_, err := Ship(t.Context(), through, journalDir, Options{Wait: func(_ context.Context, try int, err error) error {
			faults++
			if round%3 == 1 && try == 2 {
				return errors.New("gave up") // as if it were killed
			}
			time.Sleep(20 * time.Millisecond)
			return nil
		}})
		if err != nil {
			failures++
		}
		<-killed
	}
	p.calm()
	if _, err := Ship(t.Context(), open(t, at, "nullspf"), journalDir, Options{}); err != nil {
		t.Fatal(err)
	}
	db := open(t, at, "nullspf")
	same(t, db, journalDir)
	t.Logf("%d faults, of which %d ended a run", faults, failures)
	if faults < 5 || failures == 0 {
		t.Errorf("%d faults, %d of which ended a run", faults, failures)
	}
	p.late.Wait() // requests that came late, after the last run
	same(t, db, journalDir)
	left := ""
	err = db.Query(t.Context(), "SELECT name FROM system.tables WHERE database = 'nullspf' AND name != 'events'", func(r *clickhouse.Reader) error {
		left += r.Text() + " "
		return nil
	})
	if err != nil || left != "" {
		t.Errorf("what is left: %q, %v", left, err)
	}
}

// TestLateAttach: a request to add a segment that comes when its client has given it up,
// and has sent the segment again, adds nothing.
func TestLateAttach(t *testing.T) {
	t.Parallel()
	at, db := database(t)
	to := &url.URL{Scheme: "http", Host: at.String()}
	direct := httputil.NewSingleHostReverseProxy(to)
	late := make(chan error, 1)
	var held atomic.Bool
	release := make(chan struct{})
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil && strings.HasPrefix(string(body), "ALTER TABLE events ATTACH") && held.CompareAndSwap(false, true) {
			address := to.String() + "/?" + r.URL.RawQuery
			go func() {
				<-release
				answer, err := http.Post(address, "", bytes.NewReader(body))
				if err == nil && answer.StatusCode == http.StatusOK {
					err = errors.New("the server took it")
				}
				late <- err
			}()
			panic(http.ErrAbortHandler)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		direct.ServeHTTP(w, r)
	}))
	defer proxy.Close()
	dir := filepath.Join(t.TempDir(), "var")
	const name = "ns1.example.net"
	seal(t, dir, name, events(rand.New(rand.NewPCG(8, 8)), name, 500, begin))
	through := open(t, netip.MustParseAddrPort(strings.TrimPrefix(proxy.URL, "http://")), db.Name)
	if r, err := Ship(t.Context(), through, dir, Options{Wait: noWait}); err != nil || r.Sent != 500 || !held.Load() {
		t.Fatalf("%+v, %v", r, err)
	}
	close(release)
	if err := <-late; err != nil {
		t.Error(err)
	}
	same(t, db, dir)
}

var update = flag.Bool("update", false, "write the statement into examples/clickhouse/events.sql")

// TestSchema: the example has the statement of Schema.
func TestSchema(t *testing.T) {
	const path = "../../examples/clickhouse/events.sql"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const first = "CREATE DATABASE IF NOT EXISTS nullspf;\n"
	head, _, _ := strings.Cut(string(text), first)
	want := head + first + Schema("nullspf.events") + ";\n"
	switch {
	case *update:
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	case want != string(text):
		t.Errorf("%s is not that of the columns; go test ./internal/shipping -run TestSchema -update", path)
	}
}
