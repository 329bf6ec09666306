package forgerylog

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"nullspf/internal/eventrow"
	"nullspf/internal/journal"
	"nullspf/spftrack"
)

// TestPortray holds portraits against the answers to single questions.
func TestPortray(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 5))
	dir := judged(t, rng, 1200, 4)
	e := open(dir)
	ctx := t.Context()
	e.Prepare(ctx)
	clients, err := e.Top(ctx, Query{Packets: true}, ByIP, 3)
	if err != nil {
		t.Fatal(err)
	}
	fields := []Field{ByDomain, ByResolver, BySender, ByHELO}
	seen := false
	for _, q := range judgedQueries(rng) {
		for _, c := range clients.Ranks {
			addr, err := netip.ParseAddr(c.Value)
			if err != nil {
				continue
			}
			q.Clients = []netip.Addr{addr}
			until := testTime.Add(48 * time.Hour)
			p, err := Portray(ctx, e, q, Sitting{Until: until, Per: Hour, Fields: fields, Ranks: 5, Newest: 7})
			if err != nil {
				t.Fatal(err)
			}
			equal := func(what string, got, want any, err error) {
				t.Helper()
				if err != nil || !reflect.DeepEqual(got, want) {
					t.Fatalf("%s of %+v: %v\n%+v, want\n%+v", what, q, err, got, want)
				}
			}
			profiles, err := e.Profiles(ctx, q)
			equal("profile", p.Profile, profiles[0], err)
			series, err := e.Timeline(ctx, q, Hour)
			equal("timeline", p.Series, series, err)
			if q.Since.IsZero() != (p.Before == nil) {
				t.Fatal(q.Since, p.Before)
			}
			if !q.Since.IsZero() {
				before := q
				if !q.Until.IsZero() {
					until = q.Until
				}
				before.Since, before.Until = q.Since.Add(-until.Sub(q.Since)), q.Since
				series, err = e.Timeline(ctx, before, Hour)
				equal("the period before", p.Before, series, err)
			}
			for i, by := range fields {
				ranking, err := e.Top(ctx, q, by, 5)
				equal(string(by), p.Rankings[i], ranking, err)
			}
			n := 0
			err = e.Events(ctx, q, 7, func(r *eventrow.Row) error {
				if n >= len(p.Newest) || p.Newest[n].TS != r.TS || p.Newest[n].ForgedDomain != r.ForgedDomain || p.Newest[n].HELO != r.HELO {
					return fmt.Errorf("event %d is not %+v", n, r)
				}
				n++
				return nil
			})
			if err != nil || n != len(p.Newest) {
				t.Fatalf("%v; %d of %d events of %+v", err, n, len(p.Newest), q)
			}
			seen = seen || n > 0 && p.Series.Total > 0
		}
	}
	if !seen {
		t.Error("nothing was there to portray")
	}
	if _, err := Portray(ctx, e, Query{}, Sitting{Per: Day}); err == nil {
		t.Error("a portrait of nobody")
	}
}

// TestPortraitIsBounded: a client that has too many senders is left to other questions.
func TestPortraitIsBounded(t *testing.T) {
	t.Parallel()
	d, err := newDraft(Query{Clients: []netip.Addr{netip.MustParseAddr("192.0.2.1")}}, Sitting{Per: Day, Fields: []Field{ByHELO}, Ranks: 1})
	if err != nil {
		t.Fatal(err)
	}
	for i := range maxPortrait {
		if err := d.add(&eventrow.Row{HELO: fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.add(&eventrow.Row{HELO: "one more"}); !errors.Is(err, ErrTooMuch) {
		t.Error(err)
	}
}

// TestPortraitOfFlood has more events that are not sealed than are kept between questions.
func TestPortraitOfFlood(t *testing.T) {
	t.Parallel()
	s := testSettings(t.TempDir())
	var list []journal.Packet
	for i := range maxUnsealed + 100 {
		list = append(list, journal.Packet{
			Time: testTime.Add(time.Duration(i) * time.Millisecond).UnixNano(), Qtype: spftrack.TypeA,
			Resolver: netip.MustParseAddrPort("198.51.100.1:53"), Name: wire(fmt.Sprintf("192.0.2.1.in-addr.CL.n%d.example.FD.1.%s", i%7, testZone)),
		})
	}
	writePackets(t, s, list)
	q := Query{Packets: true, Clients: []netip.Addr{netip.MustParseAddr("192.0.2.1")}}
	p, err := Portray(t.Context(), open(s.Dir), q, Sitting{Until: testTime.Add(time.Hour), Per: Hour, Ranks: 1, Newest: 1})
	if err != nil || p.Series.Total != uint64(len(list)) || p.Profile.Total != uint64(len(list)) {
		t.Errorf("%+v of %d events: %v", p, len(list), err)
	}
}
