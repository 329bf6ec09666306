package secondary

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"nullspf/internal/wire"
	"nullspf/internal/xfr"
)

func TestNotify(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		p := fakePrimary{delay: time.Second}
		p.set(smallZone(t, "a.test.", 1))
		var log safeBuffer
		s, primaries := secondaryOf(t, &log, &p)
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
			{"another address", "a.test", netip.AddrPortFrom(from.Addr().Next(), 53), key, dns.RcodeSuccess},
			{"no key", "a.test", from, nil, dns.RcodeSuccess},
			{"another key", "a.test", from, other, dns.RcodeSuccess},
			{"another address, no key", "a.test", netip.AddrPortFrom(from.Addr().Next(), 53), nil, dns.RcodeRefused},
			{"another address, another key", "a.test", netip.AddrPortFrom(from.Addr().Next(), 53), other, dns.RcodeRefused},
			{"another zone", "b.test", from, key, dns.RcodeNotAuth},
		} {
			if got := s.Notified(mustName(t, test.zone), test.from, test.key, 1, true); got != test.want {
				t.Errorf("%s: %s, want %s", test.why, dns.RcodeToString[got], dns.RcodeToString[test.want])
			}
		}
		for _, want := range []string{
			`"zone":"a.test","client":"192.0.2.54:53","reason":"no primary of the zone has this address, and the message is not signed"`,
			`"zone":"a.test","client":"192.0.2.54:53","reason":"no primary of the zone has this address or signs with the key other"`,
			`"zone":"b.test","client":"192.0.2.53:53","reason":"this server is not a secondary of the zone"`,
		} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("not logged: %s\n%s", want, log.String())
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

func TestRetransfer(t *testing.T) {
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
		if err := s.Retransfer(mustName(t, "b.test")); !errors.Is(err, errNotSecondary) {
			t.Error(err)
		}
	})
}

// TestNotifyHint: what anybody may have sent with the address of a primary makes
// the primary be asked, but not often, and no zone wait longer than otherwise.
func TestNotifyHint(t *testing.T) {
	const zones = 1000
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		var p fakePrimary
		var log safeBuffer
		s, primaries := secondaryOf(t, &log, &p)
		defer stop(t, s)
		primaries[0].Key = &xfr.Key{Name: mustName(t, "k"), Algorithm: "\x0bhmac-sha256\x00"}
		g := Group{Primaries: primaries, Store: dir}
		for i := range zones {
			name := fmt.Sprintf("z%d.test.", i)
			p.set(smallZone(t, name, 1))
			g.Zones = append(g.Zones, mustName(t, name))
		}
		configure(t, s, g)
		time.Sleep(time.Minute)
		hint := func(zone wire.Name, serial uint32) {
			if rcode := s.Notified(zone, primaries[0].Addr, nil, serial, true); rcode != dns.RcodeSuccess {
				t.Errorf("%s", dns.RcodeToString[rcode])
			}
		}
		// The zones of PowerDNS, all of which have changed.
		for i, zone := range g.Zones {
			p.set(smallZone(t, fmt.Sprintf("z%d.test.", i), 2))
			hint(zone, 2)
		}
		time.Sleep(zones*hintEvery + time.Second)
		synctest.Wait()
		for _, zone := range g.Zones {
			if z, _ := s.ZoneStatus(zone); z.Zone.Serial() != 2 {
				t.Fatalf("%s has serial %d", zone, z.Zone.Serial())
			}
		}
		// A flood for one zone, with a serial number that the primary has not.
		asked := p.count()
		for range 6000 {
			hint(g.Zones[0], 99)
			time.Sleep(10 * time.Millisecond)
		}
		if n := p.count() - asked; n < 5 || n > 7 {
			t.Errorf("asked %d times in a minute because of 6000 messages, want one every %v", n, hintPause)
		}
		// A flood for all.
		asked = p.count()
		for range 60 {
			for _, zone := range g.Zones {
				hint(zone, 99)
			}
			time.Sleep(time.Second)
		}
		if n := p.count() - asked; n > 61*int(time.Second/hintEvery) {
			t.Errorf("asked %d times in a minute", n)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if st := s.Status(); st.Zones[ZoneServed] != zones {
			t.Errorf("%+v", st)
		}
		// Refusals do not flood the log.
		before := strings.Count(log.String(), "\n")
		for range 10_000 {
			s.Notified(g.Zones[0], netip.MustParseAddrPort("203.0.113.1:53"), nil, 3, true)
		}
		time.Sleep(2 * logWindow)
		if n := strings.Count(log.String(), "\n") - before; n > logMost+1 || !strings.Contains(log.String(), "further NOTIFY messages were refused") {
			t.Errorf("%d lines for 10,000 messages that are refused", n)
		}
	})
}
