package forgerylog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"nullspf/internal/eventrow"
	"nullspf/internal/journal"
	"nullspf/spftrack"
)

// live is a log that is followed.
type live struct {
	rows chan eventrow.Row
	stop func()
}

// followLive follows directories; what is there already is not shown.
func followLive(t *testing.T, e *Journals, q Query) *live {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	l := &live{rows: make(chan eventrow.Row, 1000)}
	ready, done := make(chan struct{}, 1000), make(chan error)
	go func() {
		done <- e.Follow(ctx, q, 0, func(rows []eventrow.Row) error {
			ready <- struct{}{}
			for i := range rows {
				l.rows <- rows[i].Clone()
			}
			return nil
		})
	}()
	<-ready
	l.stop = func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		close(l.rows)
	}
	return l
}

// next waits for an event.
func (l *live) next(t *testing.T, within time.Duration) eventrow.Row {
	t.Helper()
	select {
	case row := <-l.rows:
		return row
	case <-time.After(within):
		t.Fatalf("nothing is shown within %s", within)
		panic("unreachable")
	}
}

// twoJournals opens the journals of two servers.
func twoJournals(t *testing.T) (dirs []string, journals []*journal.Journal) {
	t.Helper()
	for i := range 2 {
		s := testSettings(t.TempDir())
		s.Server = fmt.Sprintf("ns%d.example.net", i+1)
		j, err := journal.Open(s)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { j.Close() })
		dirs, journals = append(dirs, s.Dir), append(journals, j)
	}
	return dirs, journals
}

// TestFollowJoins: a check that asks exists: of one nameserver and exp= of
// another seconds later is shown once, as one that asks one nameserver is; what no
// other query takes over is shown after the hold.
func TestFollowJoins(t *testing.T) {
	t.Parallel()
	dirs, journals := twoJournals(t)
	e := open(dirs...)
	e.liveHold = 4 * time.Second
	attempts, packets := followLive(t, e, Query{}), followLive(t, e, Query{Packets: true})

	asks := func(server int, only spftrack.Kind, ip string, at time.Duration) {
		put(t, journals[server], check{at: at, ip: ip, local: "info", helo: "h", domain: "shop.example", only: only}.packets()...)
	}
	asks(0, spftrack.KindExists, "192.0.2.1", 0)
	asks(1, spftrack.KindExists, "192.0.2.2", 0)
	time.Sleep(2500 * time.Millisecond)
	began := time.Now()
	asks(1, spftrack.KindExp, "192.0.2.1", 2500*time.Millisecond)
	if r := attempts.next(t, 2*time.Second); r.Kind != "exp" || r.ClientIP != "192.0.2.1" || r.SenderLocal != "info" || r.ServerID != "ns2.example.net" {
		t.Errorf("first %+v", r)
	}
	if r := attempts.next(t, 5*time.Second); r.Kind != "exists" || r.ClientIP != "192.0.2.2" || time.Since(began) < time.Second {
		t.Errorf("after %s %+v", time.Since(began), r)
	}
	var got []string
	for range 3 {
		r := packets.next(t, 2*time.Second)
		got = append(got, fmt.Sprint(r.ClientIP, " ", r.Kind, " ", r.Attempt, r.Flags))
	}
	slices.Sort(got)
	equal(t, "queries", got, []string{"192.0.2.1 exists falseretry", "192.0.2.1 exp trueexists", "192.0.2.2 exists true"})
	attempts.stop()
	packets.stop()
	for r := range attempts.rows {
		t.Errorf("also %+v", r)
	}
}

// TestFollowAsEvents: what is shown live of two journals is what later queries
// show, HELO checks, repeated queries and checks that began before included.
func TestFollowAsEvents(t *testing.T) {
	t.Parallel()
	dirs, journals := twoJournals(t)
	before := check{ip: "192.0.2.200", local: "before", helo: "h", domain: "shop.example"}
	put(t, journals[0], before.packets()...)
	waitFor(t, func() bool { return journals[0].Stats().Pending == 0 })
	e := open(dirs...)
	e.liveHold = 3 * time.Second // a busy machine may take a second to put all
	l := followLive(t, e, Query{Domain: ParseDomain("shop")})

	for i := range 60 {
		at := time.Duration(i+1) * 400 * time.Millisecond
		c := check{at: at, ip: fmt.Sprintf("192.0.2.%d", i%20+1), local: fmt.Sprint("u", i%3), helo: "h", domain: "shop.example", only: spftrack.KindExists}
		first, second := journals[i%2], journals[i/2%2]
		if i%5 == 0 {
			c.helo = c.domain
			helo := c
			helo.local, helo.only = "postmaster", 0
			put(t, second, helo.packets()...)
		}
		put(t, first, c.packets()...)
		if i%7 != 0 {
			c.only, c.at, c.resolver = spftrack.KindExp, at+50*time.Millisecond, "2001:db8:53::53"
			put(t, second, c.packets()...)
			if i%4 == 0 {
				put(t, first, c.packets()...)
			}
		}
	}
	// A receiver that asks for exp= first, of one nameserver.
	first := check{at: 25 * time.Second, ip: "192.0.2.201", local: "first", helo: "h", domain: "shop.example", only: spftrack.KindExp}
	put(t, journals[1], first.packets()...)
	first.only, first.at = spftrack.KindExists, first.at+20*time.Millisecond
	put(t, journals[1], first.packets()...)
	// The check that began before, again.
	before.at = 20 * time.Second
	put(t, journals[1], before.packets()...)
	want := func() (list []string) {
		for _, r := range eventsOf(t, e, Query{Domain: ParseDomain("shop")}, 0) {
			if r.SenderLocal != "before" {
				list = append(list, fmt.Sprint(r.ServerID, r.Seq, r.Kind, r.Flags))
			}
		}
		slices.Sort(list)
		return list
	}
	time.Sleep(e.liveHold + 2*time.Second)
	l.stop()
	var got []string
	for r := range l.rows {
		got = append(got, fmt.Sprint(r.ServerID, r.Seq, r.Kind, r.Flags))
	}
	slices.Sort(got)
	if len(got) < 30 {
		t.Errorf("only %d attempts", len(got))
	}
	equal(t, "live", got, want())
}
