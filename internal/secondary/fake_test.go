package secondary

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/rs/zerolog"

	"nullspf/internal/serial"
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
	// outside is the number of records that are not in a zone.
	outside int
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

// wholes returns the zones that were asked for without a version at hand.
func (p *fakePrimary) wholes() []wire.Name {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.whole)
}

func (p *fakePrimary) Refresh(_ context.Context, w xfr.Want) (xfr.Got, error) {
	zone, have := w.Zone, w.Have
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
	fault := func(r xfr.Reason, text string) (xfr.Got, error) {
		return xfr.Got{}, &xfr.TransferError{Zone: zone, Reason: r, Err: errors.New(text)}
	}
	switch {
	case down:
		return fault(xfr.ReasonConnect, "connection refused")
	case z == nil:
		return fault(xfr.ReasonRefused, "REFUSED")
	case have != nil && z.Serial() == have.Serial():
		return xfr.Got{Zone: have}, nil
	case have != nil && !w.Any && !serial.Greater(z.Serial(), have.Serial()):
		return fault(xfr.ReasonBackwards, "older")
	}
	return xfr.Got{Zone: z, Outside: p.outside, Example: "x.other. TXT"}, nil
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
	configureBeside(t, s, g, nil)
}

// configureBeside serves one group beside zones that are served otherwise.
func configureBeside(t testing.TB, s *Engine, g Group, beside Beside) {
	t.Helper()
	if g.Transfers == 0 {
		g.Transfers = 4
	}
	if g.Limits == (xfr.Limits{}) {
		g.Limits = xfr.DefaultLimits
	}
	p, err := Prepare([]Group{g}, beside)
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
