package forgerylog

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"nullspf/spftrack"
)

func TestTop(t *testing.T) {
	t.Parallel()
	eachEngine(t, tenChecks(), func(t *testing.T, e *Journals) {
		for _, c := range []struct {
			by       Field
			n        int
			want     []Rank
			unknown  uint64
			distinct uint64
		}{
			{ByIP, 3, []Rank{{"192.0.2.7", 3}, {"203.0.113.9", 2}, {"192.0.2.8", 1}}, 0, 5},
			{ByNet, 9, []Rank{{"192.0.2.0/24", 4}, {"203.0.113.0/24", 2}, {"2001:db8:1::/48", 1}, {"2001:db8::/48", 1}}, 0, 4},
			{BySender, 2, []Rank{{"info@shop.example", 2}, {"boss@old.example", 1}}, 1, 6},
			{ByHELO, 2, []Rank{{"mail.example.org", 3}, {"relay.example.com", 2}}, 1, 4},
			{ByDomain, 2, []Rank{{"shop.example", 4}, {"old.example", 2}}, 0, 4},
			{ByResolver, 1, []Rank{{"198.51.100.53", 6}}, 0, 3},
		} {
			r, err := e.Top(t.Context(), Query{}, c.by, c.n)
			if err != nil {
				t.Fatal(err)
			}
			equal(t, string(c.by), r.Ranks, c.want)
			if r.Total != 8 || r.Unknown != c.unknown || r.Distinct != c.distinct || !r.Exact || r.Inexact() != "" {
				t.Errorf("%s: %+v", c.by, r)
			}
		}
		if _, err := e.Top(t.Context(), Query{}, "port", 1); err == nil {
			t.Error("counted by port")
		}
		if _, err := e.Top(t.Context(), Query{}, ByIP, 0); err == nil {
			t.Error("the first 0 are returned")
		}
	})
}

// TestTopBound counts more values than there is room for.
func TestTopBound(t *testing.T) {
	t.Parallel()
	s := testSettings(t.TempDir())
	var checks []check
	for i := range 300 {
		ip := fmt.Sprintf("192.0.2.%d", i%200)
		if i%3 == 0 {
			ip = "203.0.113.7"
		}
		checks = append(checks, check{at: time.Duration(i) * 2 * time.Minute, ip: ip, domain: "shop.example", only: spftrack.KindExists})
	}
	write(t, sealSoon(s), checks...)
	e := open(s.Dir)
	exact, err := e.Top(t.Context(), Query{}, ByIP, 1000)
	if err != nil || !exact.Exact || exact.Ranks[0] != (Rank{"203.0.113.7", 100}) {
		t.Fatalf("%+v, %v", exact, err)
	}
	e.keys = len(exact.Ranks)
	if r, err := e.Top(t.Context(), Query{}, ByIP, 1); err != nil || !r.Exact {
		t.Errorf("with room for all: %+v, %v", r, err)
	}
	e.keys = 20
	r, err := e.Top(t.Context(), Query{}, ByIP, 1)
	if err != nil || r.Exact || r.Distinct != 0 || r.Missed == 0 || r.Total != 300 {
		t.Fatalf("%+v, %v", r, err)
	}
	if k := r.Ranks[0]; k.Value != "203.0.113.7" || k.Count > 100 || k.Count+r.Missed < 100 {
		t.Errorf("%+v", r)
	}
	for _, f := range Formats {
		var b strings.Builder
		if err := WriteRanking(&b, f, r, false); err != nil {
			t.Fatal(err)
		}
		want := map[Format]string{Table: "true counts may be higher by up to", JSON: `"exact": false`, CSV: "count,ip"}[f]
		if !strings.Contains(b.String(), want) {
			t.Errorf("%s does not say %q:\n%s", f, want, b.String())
		}
	}
}

// TestCounter holds counts against the bounds that the counter promises.
func TestCounter(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 1))
		c := newCounter(100, 1000)
		truth := make(map[string]uint64)
		total := uint64(0)
		for range 20000 {
			value := fmt.Sprint(int(rng.ExpFloat64() * 200))
			if rng.IntN(4) == 0 {
				value = fmt.Sprint("rare", rng.IntN(100000))
			}
			buf := []byte(value)
			c.add(view(buf))
			// The counter must not keep memory of others.
			clear(buf)
			truth[value]++
			total++
		}
		if !c.full || len(c.ranks) > 100 || c.bytes > 1000 || len(c.index) != len(c.ranks) {
			t.Fatalf("%d values of %d bytes", len(c.ranks), c.bytes)
		}
		if c.missed > total/50 {
			t.Errorf("missed %d of %d", c.missed, total)
		}
		held := make(map[string]uint64)
		for _, r := range c.top(1000) {
			held[r.Value] = r.Count
		}
		for value, n := range truth {
			if h := held[value]; h > n || h+c.missed < n {
				t.Errorf("%s: %d held, %d missed, but there are %d", value, h, c.missed, n)
			}
		}
	}
	c := newCounter(2, 1000)
	for _, v := range []string{"a", "b", "a", "b", "a"} {
		c.add(v)
	}
	if c.full || c.missed > 0 || !slices.Equal(c.top(5), []Rank{{"a", 3}, {"b", 2}}) {
		t.Errorf("%+v", c)
	}
}

func TestTimeline(t *testing.T) {
	t.Parallel()
	checks := tenChecks()
	checks = append(checks, check{at: 26 * time.Hour, ip: "192.0.2.7", local: "a", domain: "shop.example", helo: "a"})
	eachEngine(t, checks, func(t *testing.T, e *Journals) {
		for unit, want := range map[Unit]map[string]uint64{
			Minute: {
				"2026-11-20T12:00": 1, "2026-11-20T12:01": 1, "2026-11-20T12:02": 1, "2026-11-20T12:03": 1, "2026-11-20T12:04": 1,
				"2026-11-20T12:05": 1, "2026-11-20T12:06": 1, "2026-11-20T12:09": 1, "2026-11-21T14:00": 1,
			},
			Hour: {"2026-11-20T12:00": 8, "2026-11-21T14:00": 1},
			Day:  {"2026-11-20T00:00": 8, "2026-11-21T00:00": 1},
		} {
			s, err := e.Timeline(t.Context(), Query{}, unit)
			if err != nil {
				t.Fatal(err)
			}
			got := make(map[string]uint64)
			for _, b := range s.Buckets {
				got[formatTime(b.Start, "2006-01-02T15:04")] = b.Count
			}
			if !maps.Equal(got, want) || s.Total != 9 {
				t.Errorf("%s: %v, want %v", unit, got, want)
			}
		}
	})
}

func TestFloor(t *testing.T) {
	for _, c := range []struct{ t, unit, want int64 }{
		{0, 60, 0}, {59, 60, 0}, {60, 60, 60}, {-1, 60, -60}, {-60, 60, -60}, {-61, 60, -120},
	} {
		if got := floor(c.t, c.unit); got != c.want {
			t.Errorf("floor(%d, %d) = %d, want %d", c.t, c.unit, got, c.want)
		}
	}
}
