package secondary

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"nullspf/internal/wire"
	"nullspf/internal/xfr"
)

func TestPublicSuffix(t *testing.T) {
	for text, want := range map[string]bool{
		".": true, "com": true, "co.uk": true, "lan": true, "in-addr.arpa": true, "arpa": true,
		"kawasaki.jp": true, "x.kawasaki.jp": true, "xn--p1ai": true,
		"example.com": false, "example.co.uk": false, "city.kawasaki.jp": false, "2.0.192.in-addr.arpa": false,
		"corp.lan": false, "github.io": false, "x.example.com": false, `a\.b.com`: false,
	} {
		if got := publicSuffix(mustName(t, text)); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}

func BenchmarkPublicSuffix(b *testing.B) {
	name := mustName(b, "example12345.co.uk")
	b.ReportAllocs()
	for b.Loop() {
		publicSuffix(name)
	}
}

// TestMembersGiveWay: a catalog zone takes nothing away from zones that are
// served otherwise, and no names that many share, unless the configuration
// allows it.
func TestMembersGiveWay(t *testing.T) {
	dirs := []string{t.TempDir(), t.TempDir()}
	synctest.Test(t, func(t *testing.T) {
		var log safeBuffer
		var p fakePrimary
		s, primaries := secondaryOf(t, &log, &p)
		defer stop(t, s)
		elsewhere := mustName(t, "parked.test")
		beside := func(name wire.Name) wire.Name {
			if name.Within(elsewhere) || elsewhere.Within(name) {
				return elsewhere
			}
			return ""
		}
		groups := []Group{
			{Catalogs: []wire.Name{mustName(t, "catalog.test")}, Zones: []wire.Name{mustName(t, "own.test")}},
			{Zones: []wire.Name{mustName(t, "named.test"), mustName(t, "deep.under.test")}},
		}
		for i := range groups {
			g := &groups[i]
			g.Primaries, g.Store, g.Limits, g.Transfers = primaries, dirs[i], xfr.DefaultLimits, 4
		}
		names := []string{"parked.test", "_dmarc.parked.test", "x.named.test", "under.test", ".", "test", "co.uk", "x.own.test", "free.test", "named.test"}
		var members []string
		for i, n := range names {
			dot := "."
			if n == "." {
				dot = ""
			}
			members = append(members, string(rune('a'+i))+"="+strings.TrimSuffix(n, "."))
			p.set(smallZone(t, n+dot, 1))
		}
		p.set(catalogZone(t, 1, "2", members...), smallZone(t, "own.test.", 1), smallZone(t, "deep.under.test.", 1))
		set := func() {
			prepared, err := Prepare(groups, beside)
			if err != nil {
				t.Fatal(err)
			}
			s.Configure(prepared)
			synctest.Wait()
		}
		check := func(want ...string) {
			t.Helper()
			var got []string
			for _, n := range names {
				if st, ok := s.ZoneStatus(mustName(t, n)); ok && st.Catalog != "" {
					got = append(got, n)
				}
			}
			if strings.Join(got, " ") != strings.Join(want, " ") {
				t.Errorf("members: %v, want %v\n%s", got, want, log.String())
			}
		}
		set()
		check("x.own.test", "free.test")
		for _, why := range []string{
			"parked.test of catalog.test: it is served already",
			"_dmarc.parked.test of catalog.test: it is below parked.test, which another directive serves",
			"x.named.test of catalog.test: it is below named.test, which",
			"under.test of catalog.test: it is above deep.under.test, which",
			". of catalog.test: it is a public suffix",
		} {
			if !strings.Contains(log.String(), why) {
				t.Errorf("not logged: %s\n%s", why, log.String())
			}
		}
		for _, n := range names {
			groups[0].Allow = append(groups[0].Allow, mustName(t, n))
		}
		set()
		check("_dmarc.parked.test", "x.named.test", "under.test", ".", "test", "co.uk", "x.own.test", "free.test")
		groups[0].Allow = nil
		set()
		check("x.own.test", "free.test")
	})
}

// TestCatalogsGiveWay: of two directives, one's catalog zones list no names above
// or below those that the other's list, unless it allows them; who is there first
// stays.
func TestCatalogsGiveWay(t *testing.T) {
	dirs := []string{t.TempDir(), t.TempDir()}
	synctest.Test(t, func(t *testing.T) {
		var log safeBuffer
		var p fakePrimary
		s, primaries := secondaryOf(t, &log, &p)
		defer stop(t, s)
		groups := []Group{
			{Catalogs: []wire.Name{mustName(t, "first.test"), mustName(t, "beside.test")}},
			{Catalogs: []wire.Name{mustName(t, "second.test")}},
		}
		for i := range groups {
			g := &groups[i]
			g.Primaries, g.Store, g.Limits, g.Transfers = primaries, dirs[i], xfr.DefaultLimits, 4
		}
		list := func(catalog string, serial uint32, members ...string) {
			text := fmt.Sprintf("@ 60 SOA . . %d 3600 600 86400 60\n@ 60 NS invalid.\nversion 60 TXT 2\n", serial)
			for i, m := range members {
				text += fmt.Sprintf("m%d.zones 60 PTR %s.\n", i, m)
				p.set(smallZone(t, m+".", 1))
			}
			p.set(textZone(t, catalog+".", text))
		}
		list("first.test", 1, "brand.example", "x.deep.example")
		list("beside.test", 1, "below.brand.example")
		list("second.test", 1, "_dmarc.brand.example", "deep.example", "free.example")
		set := func(n int, allow ...string) {
			t.Helper()
			groups[1].Allow = nil
			for _, name := range allow {
				groups[1].Allow = append(groups[1].Allow, mustName(t, name))
			}
			prepared, err := Prepare(groups[:n], nil)
			if err != nil {
				t.Fatal(err)
			}
			s.Configure(prepared)
			synctest.Wait()
		}
		check := func(want string) {
			t.Helper()
			var got []string
			for _, n := range []string{"brand.example", "below.brand.example", "_dmarc.brand.example", "x.deep.example", "deep.example", "free.example"} {
				if served(t, s, n) != 0 {
					got = append(got, n)
				}
			}
			if g := strings.Join(got, " "); g != want {
				t.Errorf("served: %s, want %s\n%s", g, want, log.String())
			}
		}
		set(1)
		check("brand.example below.brand.example x.deep.example")
		set(2)
		check("brand.example below.brand.example x.deep.example free.example")
		for _, why := range []string{
			"_dmarc.brand.example of second.test: it is below brand.example, which another directive serves",
			"deep.example of second.test: it is above x.deep.example, which another directive serves",
		} {
			if !strings.Contains(log.String(), why) {
				t.Errorf("not logged: %s\n%s", why, log.String())
			}
		}
		// Others keep what they have when a name is allowed, also later.
		for range 2 {
			set(2, "_dmarc.brand.example", "deep.example")
			check("brand.example below.brand.example _dmarc.brand.example x.deep.example deep.example free.example")
		}
		set(2)
		check("brand.example below.brand.example x.deep.example free.example")
		// The newcomer gives way, though its directive is the first one.
		list("first.test", 2, "brand.example", "x.deep.example", "x.free.example")
		s.Notified(mustName(t, "first.test"), testPrimary, nil, 2, true)
		synctest.Wait()
		if _, ok := s.ZoneStatus(mustName(t, "x.free.example")); ok {
			t.Error("x.free.example is served below a zone of another directive")
		}
		check("brand.example below.brand.example x.deep.example free.example")
	})
}
