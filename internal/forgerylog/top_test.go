package forgerylog

import (
	"maps"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// testPlaces are places of the addresses of the tests.
type testPlaces struct{}

func (testPlaces) AS(addr netip.Addr) (string, error) {
	switch {
	case !addr.Is4():
		return "", nil
	case addr.As4()[0] == 192:
		return "AS64500  Tele\u00e1 \\ Net\n", nil
	}
	return "AS64501", nil
}

func (testPlaces) Country(addr netip.Addr) (string, error) {
	if addr.Is4() && addr.As4()[0] == 192 {
		return "DE", nil
	}
	return "", nil
}

func TestTop(t *testing.T) {
	t.Parallel()
	eachEngine(t, tenChecks(), func(t *testing.T, e *Journals) {
		e.places = testPlaces{}
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
			{"domain,ip", 2, []Rank{{"old.example\t203.0.113.9", 2}, {"bank.example\t192.0.2.7", 1}}, 0, 7},
			{"ip,helo", 1, []Rank{{"192.0.2.7\tmail.example.org", 2}}, 1, 5},
			{ByAS, 2, []Rank{{`AS64500 Tele\195\161 \\ Net`, 4}, {"AS64501", 2}}, 2, 2},
			{"country,as", 1, []Rank{{"DE\tAS64500 Tele\\195\\161 \\\\ Net", 4}}, 4, 1},
		} {
			r, err := e.Top(t.Context(), Query{}, c.by, c.n)
			if err != nil {
				t.Fatal(err)
			}
			equal(t, string(c.by), r.Ranks, c.want)
			if r.Total != 8 || r.Unknown != c.unknown || r.Distinct != c.distinct {
				t.Errorf("%s: %+v", c.by, r)
			}
		}
		for _, by := range []Field{"port", "", "ip,", "ip,ip", "ip,net,helo", "net,port"} {
			if _, err := e.Top(t.Context(), Query{}, by, 1); err == nil {
				t.Errorf("counted by %q", by)
			}
		}
		e.places = nil
		if _, err := e.Top(t.Context(), Query{}, "ip,as", 1); err == nil || !strings.Contains(err.Error(), "geoip.as") {
			t.Error(err)
		}
		if _, err := e.Top(t.Context(), Query{}, ByIP, 0); err == nil {
			t.Error("the first 0 are returned")
		}
	})
}

// TestSelectByPlace: systems and countries select, too; a number stands for a system.
func TestSelectByPlace(t *testing.T) {
	t.Parallel()
	eachEngine(t, tenChecks(), func(t *testing.T, e *Journals) {
		if _, err := e.Top(t.Context(), Query{AS: "AS64500"}, ByIP, 1); err == nil || !strings.Contains(err.Error(), "geoip.as") {
			t.Error(err)
		}
		e.places = testPlaces{}
		for _, c := range []struct {
			q    Query
			want uint64
		}{
			{Query{AS: "AS64500"}, 4}, {Query{AS: `AS64500 Tele\195\161 \\ Net`}, 4}, {Query{AS: "AS6450"}, 0}, {Query{AS: "AS64501"}, 2},
			{Query{Country: "DE"}, 4}, {Query{Country: "DE", AS: "AS64501"}, 0}, {Query{Country: "FR"}, 0}, {Query{AS: "AS64500", Clients: []netip.Addr{netip.MustParseAddr("192.0.2.7")}}, 3},
		} {
			s, err := e.Timeline(t.Context(), c.q, Hour)
			if err != nil || s.Total != c.want {
				t.Errorf("%+v: %+v, %v, want %d", c.q, s, err, c.want)
			}
		}
	})
	if err := refusePlaces(Query{Country: "DE"}); err == nil {
		t.Error("a store knows places")
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
