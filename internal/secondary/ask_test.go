package secondary

import (
	"errors"
	"net/netip"
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
		if err := s.Retransfer(mustName(t, "b.test")); !errors.Is(err, ErrNotSecondary) {
			t.Error(err)
		}
	})
}
