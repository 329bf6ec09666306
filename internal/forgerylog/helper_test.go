package forgerylog

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"nullspf/internal/eventrow"
	"nullspf/internal/journal"
	"nullspf/spftrack"
)

var update = flag.Bool("update", false, "write the golden files anew")

const testZone = "_spf.example.net"

// testTime is the time of the first event of tests.
var testTime = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func testSettings(dir string) journal.Settings {
	return journal.Settings{
		Dir: dir, Server: "ns1.example.net", Logger: zerolog.Nop(), SegmentAge: time.Hour,
		Zones: []journal.Zone{{Name: testZone, Layouts: []spftrack.Layout{spftrack.Track, spftrack.Classic}}},
	}
}

// sealSoon makes segments of what was put, at once.
func sealSoon(s journal.Settings) journal.Settings {
	s.SegmentAge = 20 * time.Millisecond
	return s
}

// check is a check that a receiver made of a forged message.
type check struct {
	at             time.Duration
	ip             string
	local, helo    string
	domain         string
	resolver       string
	only           spftrack.Kind // KindExists or KindExp; 0: both queries
	tcp            bool
	subnet         string
	classic, extra string // classic: sender; extra: a name below the zone
}

// wire is the wire format of labels joined by dots; a label is bytes.
func wire(text string) []byte {
	var b []byte
	for label := range strings.SplitSeq(text, ".") {
		b = append(append(b, byte(len(label))), label...)
	}
	return append(b, 0)
}

// packets are the queries of a check.
func (c check) packets() []journal.Packet {
	if c.resolver == "" {
		c.resolver = "198.51.100.53"
	}
	ip := c.ip + ".in-addr"
	if addr := netip.MustParseAddr(c.ip); addr.Is6() {
		var nibbles []string
		for _, byte := range addr.AsSlice() {
			nibbles = append(nibbles, fmt.Sprintf("%x.%x", byte>>4, byte&15))
		}
		ip = strings.Join(nibbles, ".") + ".ip6"
	}
	p := journal.Packet{
		Time:     testTime.Add(c.at).UnixNano(),
		Resolver: netip.AddrPortFrom(netip.MustParseAddr(c.resolver), 5353),
	}
	if c.tcp {
		p.Transport, p.Verified = spftrack.TransportTCP, true
	}
	if c.subnet != "" {
		p.ECS = netip.MustParsePrefix(c.subnet)
	}
	query := func(qtype uint16, name string) journal.Packet {
		q := p
		q.Qtype, q.Name = qtype, wire(name+"."+testZone)
		p.Time += int64(10 * time.Millisecond)
		return q
	}
	switch {
	case c.extra != "":
		return []journal.Packet{query(spftrack.TypeA, c.extra)}
	case c.classic != "":
		return []journal.Packet{query(spftrack.TypeA, "CL."+c.ip+".FR."+c.classic+".HE."+c.helo)}
	}
	var list []journal.Packet
	if c.only != spftrack.KindExp {
		list = append(list, query(spftrack.TypeA, ip+".CL."+c.domain+".FD.1"))
	}
	if c.only != spftrack.KindExists {
		list = append(list, query(spftrack.TypeTXT, c.helo+".HE."+c.local+".LP."+ip+".CL."+c.domain+".FD.2"))
	}
	return list
}

// put stores packets, waiting for room.
func put(tb testing.TB, j *journal.Journal, packets ...journal.Packet) {
	tb.Helper()
	w := j.Worker(0)
	for i := range packets {
		for tries := 0; !w.Put(&packets[i]); tries++ {
			if tries > 10000 {
				tb.Fatal("the journal takes no events")
			}
			w.Commit()
			time.Sleep(time.Millisecond)
		}
	}
	w.Commit()
}

// write adds the queries of checks to the journal of a directory. With a short
// SegmentAge, it returns when all of them are sealed.
func write(tb testing.TB, s journal.Settings, checks ...check) {
	tb.Helper()
	var packets []journal.Packet
	for _, c := range checks {
		packets = append(packets, c.packets()...)
	}
	writePackets(tb, s, packets)
}

func writePackets(tb testing.TB, s journal.Settings, packets []journal.Packet) {
	tb.Helper()
	j, err := journal.Open(s)
	if err != nil {
		tb.Fatal(err)
	}
	defer j.Close()
	put(tb, j, packets...)
	waitFor(tb, func() bool { return j.Stats().Pending == 0 })
	if s.SegmentAge < time.Second {
		waitFor(tb, func() bool {
			st := j.Stats()
			return st.SegmentEvents == st.NextSeq-1
		})
	}
	if err := j.Close(); err != nil {
		tb.Fatal(err)
	}
}

func waitFor(tb testing.TB, done func() bool) {
	tb.Helper()
	for range 2000 {
		if done() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	tb.Fatal("waited for 10 s in vain")
}

// open is Open with nothing known, which keeps what it parsed.
func open(dirs ...string) *Journals {
	return Open(dirs, journal.ReadOptions{Parsed: new(journal.Parsed)})
}

// events asks for events and returns copies.
func eventsOf(tb testing.TB, e Engine, q Query, limit int) []eventrow.Row {
	tb.Helper()
	var rows []eventrow.Row
	err := e.Events(context.Background(), q, limit, func(r *eventrow.Row) error {
		rows = append(rows, r.Clone())
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	return rows
}

// seqs are the sequence numbers of events.
func seqs(rows []eventrow.Row) []int64 {
	list := []int64{}
	for i := range rows {
		list = append(list, rows[i].Seq)
	}
	return list
}

// golden compares a text with a file in testdata.
func golden(t *testing.T, file, got string) {
	t.Helper()
	path := filepath.Join("testdata", file)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// incomplete returns the problems of an error that is an Incomplete.
func incomplete(t *testing.T, err error) []error {
	t.Helper()
	var i *Incomplete
	if !errors.As(err, &i) {
		t.Fatalf("error %v, want an Incomplete", err)
	}
	return i.Problems
}

// tenChecks are checks of all kinds, a minute apart.
func tenChecks() []check {
	list := []check{
		{ip: "192.0.2.7", local: "info", domain: "shop.example", helo: "mail.example.org"},
		{ip: "192.0.2.8", local: "info", domain: "shop.example", helo: "mail.example.org", resolver: "198.51.100.54", tcp: true},
		{ip: "192.0.2.7", local: "ceo", domain: "bank.example", helo: "[192.0.2.7]", subnet: "203.0.113.0/24"},
		{ip: "2001:db8::1", local: "sales", domain: "shop.example", helo: "win-abc123", resolver: "2001:db8:53::1"},
		{ip: "2001:db8:1::1", domain: "shop.example", only: spftrack.KindExists},
		{ip: "203.0.113.9", classic: "user@old.example", helo: "relay.example.com"},
		{ip: "203.0.113.9", classic: "boss@old.example", helo: "relay.example.com"},
		{ip: "203.0.113.9", extra: "in-addr.CL.shop.example.FD.1"},
		{ip: "203.0.113.9", extra: "fd.zz.1"},
		{ip: "192.0.2.7", local: "info", domain: "www.shop.example", helo: "mail.example.org"},
	}
	for i := range list {
		list[i].at = time.Duration(i) * time.Minute
	}
	return list
}

// eachEngine runs a test over the same events sealed, not sealed, and half of
// them sealed.
func eachEngine(t *testing.T, checks []check, test func(t *testing.T, e *Journals)) {
	for _, name := range []string{"sealed", "unsealed", "mixed"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := testSettings(t.TempDir())
			switch name {
			case "sealed":
				write(t, sealSoon(s), checks...)
			case "unsealed":
				write(t, s, checks...)
			case "mixed":
				half := len(checks) / 2
				write(t, sealSoon(s), checks[:half]...)
				write(t, s, checks[half:]...)
			}
			test(t, open(s.Dir))
		})
	}
}

func equal[T comparable](t *testing.T, what string, got, want []T) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}
