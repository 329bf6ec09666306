package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"nullspf/internal/eventrow"
	"nullspf/internal/wire"
	"nullspf/spftrack"
)

const testZone = "_spf.example.net"

var testZones = []Zone{{Name: testZone, Layouts: []spftrack.Layout{spftrack.Track}}}

// testSettings are those of a journal in a temporary directory.
func testSettings(t testing.TB) Settings {
	return Settings{Dir: t.TempDir(), Server: "ns1.example.net", Zones: testZones, Logger: zerolog.Nop()}
}

func mustOpen(t testing.TB, s Settings) *Journal {
	t.Helper()
	j, err := Open(s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	return j
}

func mustClose(t testing.TB, j *Journal) {
	t.Helper()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}

// packed is wire.PackName for names that are right.
func packed(t testing.TB, name string) []byte {
	t.Helper()
	w, err := wire.PackName(name)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// testTime is the time of the first event of tests.
var testTime = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// idPacket makes the packet of event id, which can be told from its domain.
func idPacket(id int) *Packet {
	p := &Packet{}
	var b []byte
	fillPacket(p, &b, id)
	return p
}

func fillPacket(p *Packet, b *[]byte, id int) {
	label := strconv.Itoa(id)
	*b = append((*b)[:0], "\x03192\x010\x012\x017\x07in-addr\x02CL"...)
	*b = append(append(*b, byte(len(label)+1), 'n'), label...)
	*b = append(*b, "\x07example\x02FD\x011\x04_spf\x07example\x03net\x00"...)
	*p = Packet{
		Time:     testTime.UnixNano() + int64(id)*1000,
		Resolver: netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 51, 100, byte(id)}), uint16(1024+id%60000)),
		Qtype:    spftrack.TypeA,
		Name:     *b,
	}
}

// idLabel is what of the name of idPacket stands in a wal file as it is.
func idLabel(id int) []byte {
	label := "n" + strconv.Itoa(id)
	return append([]byte{byte(len(label))}, label...)
}

// idOf is the id of an event made of idPacket.
func idOf(t testing.TB, e *spftrack.Event) int {
	t.Helper()
	id, err := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(e.Forged, "n"), ".example"))
	if err != nil {
		t.Fatalf("event %d is none of the test: %+v", e.Seq, e)
	}
	return id
}

// putAll puts the events from first to last by worker 0, waiting for room.
func putAll(t testing.TB, j *Journal, first, last int) {
	t.Helper()
	var p Packet
	var b []byte
	w := j.Worker(0)
	for id := first; id <= last; id++ {
		fillPacket(&p, &b, id)
		for !w.Put(&p) {
			time.Sleep(time.Millisecond)
		}
	}
	w.Commit()
}

// readAll returns all events of a directory, sealed and not.
func readAll(t testing.TB, dir string) []spftrack.Event {
	t.Helper()
	events, err := tryReadAll(dir)
	if err != nil {
		t.Fatal(err)
	}
	return events
}

func tryReadAll(dir string) ([]spftrack.Event, error) {
	v, err := Snapshot(dir, ReadOptions{})
	if err != nil {
		return nil, err
	}
	defer v.Close()
	var events []spftrack.Event
	for _, s := range v.Segments() {
		err := s.rows(0, func(rows []eventrow.Row) error {
			for i := range rows {
				var e spftrack.Event
				rows[i].Event(&e)
				events = append(events, e)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	err = v.Tail(func(e *spftrack.Event) error {
		events = append(events, *e)
		return nil
	})
	return events, err
}

// checkIDs fails unless the events are those from first to last, each once and
// in the order of their sequence numbers.
func checkIDs(t testing.TB, events []spftrack.Event, first, last int) {
	t.Helper()
	if len(events) != last-first+1 {
		t.Errorf("%d events, want %d", len(events), last-first+1)
	}
	seq := uint64(0)
	for i := range events {
		if events[i].Seq <= seq {
			t.Fatalf("sequence number %d follows %d", events[i].Seq, seq)
		}
		seq = events[i].Seq
		if id := idOf(t, &events[i]); id != first+i {
			t.Fatalf("event %d (seq %d) is %d, want %d", i, seq, id, first+i)
		}
	}
}

func checkClean(t testing.TB, dir string) *Report {
	t.Helper()
	r, err := CheckDir(context.Background(), dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range r.Problems {
		t.Errorf("check: %s", p)
	}
	return r
}

// waitUntil waits for a condition.
func waitUntil(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !condition(); {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

func TestStoreAndRead(t *testing.T) {
	t.Parallel()
	s := testSettings(t)
	j := mustOpen(t, s)
	putAll(t, j, 1, 1000)
	waitUntil(t, "all is stored", func() bool { return j.Stats().Stored == 1000 })
	checkIDs(t, readAll(t, s.Dir), 1, 1000)
	mustClose(t, j)
	checkIDs(t, readAll(t, s.Dir), 1, 1000)
	st := j.Stats()
	if st.Accepted != 1000 || st.Stored != 1000 || st.Pending != 0 || st.Lost.total() != 0 || st.NextSeq != 1001 {
		t.Errorf("stats: %+v", st)
	}
	if r := checkClean(t, s.Dir); r.Unsealed != 1000 || len(r.Notes) > 0 || len(r.Gaps) > 0 {
		t.Errorf("report: %+v", r)
	}

	j = mustOpen(t, s)
	putAll(t, j, 1001, 1500)
	mustClose(t, j)
	events := readAll(t, s.Dir)
	checkIDs(t, events, 1, 1500)
	if last := events[len(events)-1].Seq; last != 1500 {
		t.Errorf("after closing in order, numbers leave a gap: last is %d", last)
	}
	checkClean(t, s.Dir)
}

func TestFieldsSurvive(t *testing.T) {
	t.Parallel()
	packets := []Packet{
		{
			Time: 1, Resolver: netip.MustParseAddrPort("192.0.2.53:53"), Qtype: spftrack.TypeTXT, Verified: true,
			Transport: spftrack.TransportTCP, ECS: netip.MustParsePrefix("203.0.113.0/24"),
			Name: packed(t, `Mail.example.ORG.HE.a\032b\.c\\d.LP.192.0.2.7.in-addr.CL.shop.example.FD.2._spf.example.net`),
		},
		{
			Time: -5, Resolver: netip.MustParseAddrPort("[2001:db8::53]:65535"), Qtype: spftrack.TypeTXT,
			ECS:  netip.MustParsePrefix("2001:db8:1::/48"),
			Name: packed(t, `\[192\.0\.2\.1\].HE.\000\255\027\032.LP.192.0.2.8.in-addr.CL.shop.example.FD.2._spf.example.net`),
		},
		{
			Time: 1 << 62, Resolver: netip.MustParseAddrPort("[::ffff:192.0.2.54]:0"), Qtype: 65535, Zone: 1,
			Name: packed(t, "anything._spf.example.net"),
		},
		{Name: []byte{0}},
		{Name: nil},
		{Name: bytes.Repeat([]byte{63}, 255)},
		{Name: packed(t, "1.2.3.in-addr.CL.x.example.FD.1._spf.example.net"), Qtype: spftrack.TypeNS},
	}
	s := testSettings(t)
	s.SegmentAge = 100 * time.Millisecond
	j := mustOpen(t, s)
	for i := range packets {
		if !j.Put(&packets[i]) {
			t.Fatal("lost")
		}
	}
	waitUntil(t, "all is stored", func() bool { return j.Stats().Stored == uint64(len(packets)) })
	tail := readAll(t, s.Dir)
	waitUntil(t, "all is sealed", func() bool { return j.Stats().Sealed == uint64(len(packets)) })
	sealed := readAll(t, s.Dir)
	if len(tail) != len(packets) || len(sealed) != len(packets) {
		t.Fatalf("%d and %d events, want %d", len(tail), len(sealed), len(packets))
	}
	parser := spftrack.NewParser(testZone, []spftrack.Layout{spftrack.Track}, nil)
	for i := range packets {
		p := &packets[i]
		want := spftrack.Event{
			Seq: uint64(i + 1), Time: p.Time, Server: s.Server, Zone: testZone, Parsed: parser.Parse(p.Name, p.Qtype),
			Resolver:  netip.AddrPortFrom(p.Resolver.Addr().Unmap(), p.Resolver.Port()),
			Transport: p.Transport, QType: p.Qtype, ClientSubnet: p.ECS, SourceVerified: p.Verified, Name: p.Name,
		}
		if p.Zone == 1 {
			want.Zone, want.Parsed = "", spftrack.Parsed{Flags: spftrack.FlagUnparsed}
		}
		if !p.Resolver.IsValid() {
			want.Resolver = netip.MustParseAddrPort("[::]:0")
		}
		got := []spftrack.Event{tail[i], sealed[i]}
		// What is not a name is kept as escaped bytes only.
		if len(p.Name) == 255 {
			got[1].Name = p.Name
		}
		for k := range got {
			if a, b := fmt.Sprintf("%+v", got[k]), fmt.Sprintf("%+v", want); a != b && !(len(p.Name) == 0) {
				t.Errorf("packet %d (%d):\n got %s\nwant %s", i, k, a, b)
			}
		}
	}
	checkClean(t, s.Dir)
}

func TestTwoDaemons(t *testing.T) {
	s := testSettings(t)
	j := mustOpen(t, s)
	if _, err := Open(s); !errors.Is(err, errLocked) || !strings.Contains(err.Error(), s.Dir) {
		t.Errorf("second Open: %v", err)
	}
	mustClose(t, j)
	mustClose(t, mustOpen(t, s))
}

func TestSettingsRefused(t *testing.T) {
	for _, c := range []struct {
		change func(*Settings)
		want   string
	}{
		{func(s *Settings) { s.Dir = "" }, "no directory"},
		{func(s *Settings) { s.Server = "a\tb" }, "server"},
		{func(s *Settings) { s.Zones = []Zone{{}} }, "zone"},
		{func(s *Settings) { s.Zones = []Zone{{Name: "x", Layouts: []spftrack.Layout{"odd"}}} }, "odd"},
		{func(s *Settings) { s.RingBytes = 1 }, "ring"},
		{func(s *Settings) { s.Workers = 5000 }, "workers"},
		{func(s *Settings) { s.SegmentSize = 1 }, "segment size"},
		{func(s *Settings) { s.Retain = -1 }, "negative"},
		{func(s *Settings) { s.Sync = 7 }, "sync mode"},
	} {
		s := testSettings(t)
		c.change(&s)
		if _, err := Open(s); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("want an error with %q, got %v", c.want, err)
		}
	}
}

func TestSnapshotOfNothing(t *testing.T) {
	if _, err := Snapshot(t.TempDir(), ReadOptions{}); err == nil || !strings.Contains(err.Error(), "no journal") {
		t.Errorf("got %v", err)
	}
}

// onlyWAL returns the path of the one wal file of a directory.
func onlyWAL(t testing.TB, dir string) string {
	t.Helper()
	names, err := listWALs(dir)
	if err != nil || len(names) != 1 {
		t.Fatalf("%d wal files, %v", len(names), err)
	}
	return filepath.Join(dir, walDir, names[0].String())
}

func TestPutDoesNotAllocate(t *testing.T) {
	j := mustOpen(t, testSettings(t))
	w := j.Worker(0)
	p := idPacket(1)
	p.ECS = netip.MustParsePrefix("2001:db8::/48")
	if n := testing.AllocsPerRun(10000, func() { w.Put(p); w.Commit() }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	long := &Packet{Name: make([]byte, 256)}
	if w.Put(long) || j.Stats().Lost[LostInvalid] != 1 {
		t.Error("a name that is too long was taken")
	}
}
