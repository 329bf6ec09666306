package secondary

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"
	"github.com/rs/zerolog"

	"nullspf/internal/wire"
	"nullspf/internal/xfr"
	"nullspf/internal/zonestore"
)

// mustName returns a name.
func mustName(t testing.TB, text string) wire.Name {
	t.Helper()
	n, err := wire.ParseName(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// textZone makes a zone of a text without origin.
func textZone(t testing.TB, origin, text string) *zonestore.Zone {
	t.Helper()
	b := zonestore.NewBuilder(mustName(t, origin))
	p := dns.NewZoneParser(strings.NewReader(text), origin, "")
	for rr, ok := p.Next(); ok; rr, ok = p.Next() {
		r, err := wire.FromRR(rr)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Add(r); err != nil {
			t.Fatal(err)
		}
	}
	if p.Err() != nil {
		t.Fatal(p.Err())
	}
	z, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// smallZone has a refresh time of an hour, retry of 10 minutes, expire of a day.
func smallZone(t testing.TB, origin string, serial uint32) *zonestore.Zone {
	return textZone(t, origin, fmt.Sprintf("@ 60 SOA ns1 h %d 3600 600 86400 60\n@ 60 NS ns1\nns1 60 A 192.0.2.1\n", serial))
}

// catalogZone lists zones as label=zone.
func catalogZone(t testing.TB, serial uint32, version string, members ...string) *zonestore.Zone {
	text := fmt.Sprintf("@ 60 SOA . . %d 3600 600 86400 60\n@ 60 NS invalid.\nversion 60 TXT %q\n", serial, version)
	for _, m := range members {
		label, zone, _ := strings.Cut(m, "=")
		text += label + ".zones 60 PTR " + zone + ".\n"
	}
	return textZone(t, "catalog.test.", text)
}

// fakePrimary is a primary in memory.
type fakePrimary struct {
	mu    sync.Mutex
	zones map[wire.Name]*zonestore.Zone
	down  bool
	// asked are the zones in the order in which they were asked for, whole those
	// without a version at hand.
	asked, whole []wire.Name
	most, now    int
	delay        time.Duration
}

func (p *fakePrimary) set(zones ...*zonestore.Zone) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.zones == nil {
		p.zones = make(map[wire.Name]*zonestore.Zone)
	}
	for _, z := range zones {
		p.zones[z.Name()] = z
	}
}

func (p *fakePrimary) setDown(down bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = down
}

func (p *fakePrimary) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.asked)
}

func (p *fakePrimary) Refresh(_ context.Context, zone wire.Name, have *zonestore.Zone) (*zonestore.Zone, error) {
	p.mu.Lock()
	p.asked = append(p.asked, zone)
	if have == nil {
		p.whole = append(p.whole, zone)
	}
	p.now++
	p.most = max(p.most, p.now)
	z, down, delay := p.zones[zone], p.down, p.delay
	p.mu.Unlock()
	time.Sleep(delay)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now--
	switch {
	case down:
		return nil, &xfr.TransferError{Zone: zone, Reason: xfr.ReasonConnect, Err: errors.New("connection refused")}
	case z == nil:
		return nil, &xfr.TransferError{Zone: zone, Reason: xfr.ReasonRefused, Err: errors.New("REFUSED")}
	case have != nil && z.Serial() == have.Serial():
		return have, nil
	}
	return z, nil
}

func (p *fakePrimary) Close() {}

var testPrimary = netip.MustParseAddrPort("192.0.2.53:53")

// safeBuffer is a log that is read while it is written.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer.
func (s *safeBuffer) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(b)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// secondaryOf starts a secondary of primaries in memory.
func secondaryOf(t testing.TB, log *safeBuffer, primaries ...*fakePrimary) (*Engine, []xfr.Primary) {
	var list []xfr.Primary
	by := make(map[netip.AddrPort]*fakePrimary)
	addr := testPrimary.Addr()
	for _, p := range primaries {
		at := netip.AddrPortFrom(addr, 53)
		by[at] = p
		list = append(list, xfr.Primary{Addr: at})
		addr = addr.Next()
	}
	logger := zerolog.Nop()
	if log != nil {
		logger = zerolog.New(log)
	}
	s := New(Options{
		Logger:  logger,
		Connect: func(p xfr.Primary, _ xfr.Limits, _ int) Refresher { return by[p.Addr] },
	})
	return s, list
}

// configure serves one group.
func configure(t testing.TB, s *Engine, g Group) {
	t.Helper()
	if g.Transfers == 0 {
		g.Transfers = 4
	}
	p, err := Prepare([]Group{g})
	if err != nil {
		t.Fatal(err)
	}
	s.Configure(p)
}

func stop(t testing.TB, s *Engine) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// served returns the serial number that is served, 0 for none.
func served(t testing.TB, s *Engine, zone string) uint32 {
	t.Helper()
	slot := s.Table().Slot(mustName(t, zone))
	if slot == nil || slot.Zone() == nil {
		return 0
	}
	return slot.Zone().Serial()
}

func TestSecondaryRefresh(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		var p fakePrimary
		p.set(smallZone(t, "a.test.", 1))
		s, primaries := secondaryOf(t, nil, &p)
		defer stop(t, s)
		configure(t, s, Group{Zones: []wire.Name{mustName(t, "a.test")}, Primaries: primaries, Store: dir})
		synctest.Wait()
		if got := served(t, s, "a.test"); got != 1 {
			t.Fatalf("serial %d, want 1", got)
		}
		p.set(smallZone(t, "a.test.", 2))
		time.Sleep(44 * time.Minute)
		synctest.Wait()
		if got := served(t, s, "a.test"); got != 1 {
			t.Errorf("refreshed before 75 %% of the time")
		}
		time.Sleep(17 * time.Minute)
		synctest.Wait()
		if got := served(t, s, "a.test"); got != 2 {
			t.Errorf("serial %d after the refresh time, want 2", got)
		}
	})
}

func TestSecondaryExpires(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		var p fakePrimary
		p.set(smallZone(t, "a.test.", 7))
		s, primaries := secondaryOf(t, nil, &p)
		g := Group{Zones: []wire.Name{mustName(t, "a.test")}, Primaries: primaries, Store: dir}
		configure(t, s, g)
		synctest.Wait()
		p.setDown(true)
		time.Sleep(20 * time.Hour)
		synctest.Wait()
		if z, _ := s.ZoneStatus(mustName(t, "a.test")); z.State != ZoneFailing || served(t, s, "a.test") != 7 {
			t.Errorf("after 20 hours: %v, serial %d", z.State, served(t, s, "a.test"))
		}
		stop(t, s)

		// A restart does not give it another day.
		s, _ = secondaryOf(t, nil, &p)
		configure(t, s, g)
		synctest.Wait()
		if served(t, s, "a.test") != 7 {
			t.Error("not served from disk after a restart")
		}
		time.Sleep(4*time.Hour + time.Minute)
		synctest.Wait()
		if z, _ := s.ZoneStatus(mustName(t, "a.test")); z.State != ZoneExpired || served(t, s, "a.test") != 0 {
			t.Errorf("after a day: %v, serial %d", z.State, served(t, s, "a.test"))
		}
		if s.Version(mustName(t, "a.test")) != nil {
			t.Error("an expired zone can be transferred")
		}
		p.setDown(false)
		time.Sleep(11 * time.Minute)
		synctest.Wait()
		if served(t, s, "a.test") != 7 {
			t.Error("not served again with the same serial number")
		}
		stop(t, s)
	})
}

func TestSecondaryStartsExpired(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		st, err := openStore(dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := st.save(smallZone(t, "a.test.", 3), time.Now().Add(-25*time.Hour)); err != nil {
			t.Fatal(err)
		}
		p := fakePrimary{down: true}
		p.set(smallZone(t, "a.test.", 3))
		s, primaries := secondaryOf(t, nil, &p)
		defer stop(t, s)
		configure(t, s, Group{Zones: []wire.Name{mustName(t, "a.test")}, Primaries: primaries, Store: dir})
		synctest.Wait()
		if served(t, s, "a.test") != 0 {
			t.Error("an expired zone is served")
		}
		p.setDown(false)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if served(t, s, "a.test") != 3 || len(p.whole) != 0 {
			t.Errorf("serial %d, %d whole transfers", served(t, s, "a.test"), len(p.whole))
		}
	})
}

func TestSecondaryNotify(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		p := fakePrimary{delay: time.Second}
		p.set(smallZone(t, "a.test.", 1))
		s, primaries := secondaryOf(t, nil, &p)
		defer stop(t, s)
		key := &xfr.Key{Name: mustName(t, "k"), Algorithm: "\x0bhmac-sha256\x00"}
		primaries[0].Key = key
		configure(t, s, Group{Zones: []wire.Name{mustName(t, "a.test")}, Primaries: primaries, Store: dir})
		time.Sleep(2 * time.Second)
		a, from := mustName(t, "a.test"), primaries[0].Addr
		other := &xfr.Key{Name: mustName(t, "other"), Algorithm: key.Algorithm}
		for _, test := range []struct {
			why  string
			zone string
			from netip.AddrPort
			key  *xfr.Key
			want int
		}{
			{"another port", "a.test", netip.AddrPortFrom(from.Addr(), 4444), key, dns.RcodeSuccess},
			{"mapped address", "a.test", netip.AddrPortFrom(netip.AddrFrom16(from.Addr().As16()), 53), key, dns.RcodeSuccess},
			{"another address", "a.test", netip.AddrPortFrom(from.Addr().Next(), 53), key, dns.RcodeRefused},
			{"no key", "a.test", from, nil, dns.RcodeRefused},
			{"another key", "a.test", from, other, dns.RcodeRefused},
			{"another zone", "b.test", from, key, dns.RcodeNotAuth},
		} {
			if got := s.Notified(mustName(t, test.zone), test.from, test.key, 1, true); got != test.want {
				t.Errorf("%s: %s, want %s", test.why, dns.RcodeToString[got], dns.RcodeToString[test.want])
			}
		}
		time.Sleep(10 * time.Second)
		if p.count() != 1 {
			t.Errorf("asked %d times; serial numbers that are not newer need nothing", p.count())
		}
		// During a transfer, one more check.
		p.set(smallZone(t, "a.test.", 2))
		s.Notified(a, from, key, 2, true)
		synctest.Wait()
		p.set(smallZone(t, "a.test.", 3))
		s.Notified(a, from, key, 3, true)
		s.Notified(a, from, key, 3, true)
		time.Sleep(10 * time.Second)
		if p.count() != 3 || served(t, s, "a.test") != 3 {
			t.Errorf("asked %d times, serial %d", p.count(), served(t, s, "a.test"))
		}
	})
}

func TestSecondaryPrimaries(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		var one, two fakePrimary
		two.set(smallZone(t, "a.test.", 1))
		s, primaries := secondaryOf(t, nil, &one, &two)
		defer stop(t, s)
		configure(t, s, Group{Zones: []wire.Name{mustName(t, "a.test")}, Primaries: primaries, Store: dir})
		synctest.Wait()
		if served(t, s, "a.test") != 1 || one.count() != 1 {
			t.Fatalf("the second primary was not asked")
		}
		time.Sleep(time.Hour)
		if one.count() != 1 || two.count() != 2 {
			t.Errorf("asked %d and %d times; the one that answered last goes first", one.count(), two.count())
		}
	})
}

func TestSecondaryUnreachable(t *testing.T) {
	const zones = 5000
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		var log safeBuffer
		p := fakePrimary{down: true}
		s, primaries := secondaryOf(t, &log, &p)
		defer stop(t, s)
		g := Group{Primaries: primaries, Store: dir}
		for i := range zones {
			name := fmt.Sprintf("z%d.test.", i)
			p.set(smallZone(t, name, 1))
			g.Zones = append(g.Zones, mustName(t, name))
		}
		configure(t, s, g)
		time.Sleep(10 * time.Minute)
		if p.count() > 200 {
			t.Errorf("a primary that is down was asked %d times in 10 minutes", p.count())
		}
		if lines := strings.Count(log.String(), "\n"); lines > 60 {
			t.Errorf("%d lines in the log", lines)
		}
		p.setDown(false)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if got := s.Status().Zones[ZoneServed]; got < zones-200 {
			t.Errorf("%d zones are served two minutes after the primary's return", got)
		}
		time.Sleep(time.Hour)
		if got := s.Status().Zones[ZoneServed]; got != zones {
			t.Errorf("%d zones are served an hour after the primary's return", got)
		}
		if p.most > 4 {
			t.Errorf("%d transfers at a time", p.most)
		}
	})
}

func TestSecondaryRetransfer(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		var p fakePrimary
		p.set(smallZone(t, "a.test.", 9))
		s, primaries := secondaryOf(t, nil, &p)
		defer stop(t, s)
		configure(t, s, Group{Zones: []wire.Name{mustName(t, "a.test")}, Primaries: primaries, Store: dir})
		synctest.Wait()
		p.set(smallZone(t, "a.test.", 4)) // smaller
		if err := s.Retransfer(mustName(t, "a.test")); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if served(t, s, "a.test") != 4 {
			t.Errorf("serial %d", served(t, s, "a.test"))
		}
		if err := s.Retransfer(mustName(t, "b.test")); !errors.Is(err, ErrNotSecondary) {
			t.Error(err)
		}
	})
}

func TestSecondaryFullDisk(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	synctest.Test(t, func(t *testing.T) {
		var p fakePrimary
		p.set(smallZone(t, "a.test.", 1))
		s, primaries := secondaryOf(t, nil, &p)
		defer stop(t, s)
		configure(t, s, Group{Zones: []wire.Name{mustName(t, "a.test")}, Primaries: primaries, Store: dir})
		synctest.Wait()
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		p.set(smallZone(t, "a.test.", 2))
		s.Notified(mustName(t, "a.test"), primaries[0].Addr, nil, 0, false)
		synctest.Wait()
		if st := s.Status(); served(t, s, "a.test") != 2 || st.Unsaved != 1 || st.StoreErrors == 0 {
			t.Errorf("serial %d, %+v", served(t, s, "a.test"), st)
		}
		if err := os.Mkdir(dir, 0o750); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * upkeep)
		synctest.Wait()
		st, err := openStore(dir)
		if err != nil {
			t.Fatal(err)
		}
		if z, _, err := st.load(mustName(t, "a.test")); err != nil || z == nil || z.Serial() != 2 || s.Status().Unsaved != 0 {
			t.Errorf("not written later: %v", err)
		}
	})
}

func TestSecondaryReconfigure(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		var p fakePrimary
		p.set(smallZone(t, "a.test.", 1), smallZone(t, "b.test.", 1), smallZone(t, "c.test.", 1))
		s, primaries := secondaryOf(t, nil, &p)
		defer stop(t, s)
		a, b, c := mustName(t, "a.test"), mustName(t, "b.test"), mustName(t, "c.test")
		g := Group{Zones: []wire.Name{a, b}, Primaries: primaries, Store: dir}
		configure(t, s, g)
		synctest.Wait()
		slot := s.Table().Slot(a)
		g.Zones = []wire.Name{a, c}
		g.Transfers = 7
		configure(t, s, g)
		synctest.Wait()
		if s.Table().Slot(a) != slot || served(t, s, "a.test") != 1 || served(t, s, "c.test") != 1 || s.Table().Slot(b) != nil {
			t.Error("zones that stay, come and go are not")
		}
		if p.count() != 3 {
			t.Errorf("asked %d times; a zone that stays needs nothing", p.count())
		}
		if _, err := os.Stat(filepath.Join(dir, "b.test.zone")); !os.IsNotExist(err) {
			t.Errorf("the file of a zone that went: %v", err)
		}
		// It is still watched.
		p.set(smallZone(t, "a.test.", 2))
		time.Sleep(time.Hour)
		synctest.Wait()
		if served(t, s, "a.test") != 2 {
			t.Error("not refreshed after a reload")
		}
	})
}
