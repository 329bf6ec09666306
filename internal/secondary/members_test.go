package secondary

import (
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
