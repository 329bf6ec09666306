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
)

// TestFollow sees attempts within 2 s, in two directories, while segments are
// made.
func TestFollow(t *testing.T) {
	t.Parallel()
	var journals []*journal.Journal
	var dirs []string
	for i := range 2 {
		s := testSettings(t.TempDir())
		s.Server = fmt.Sprintf("ns%d.example.net", i+1)
		write(t, s, tenChecks()...)
		j, err := journal.Open(sealSoon(s))
		if err != nil {
			t.Fatal(err)
		}
		defer j.Close()
		journals = append(journals, j)
		dirs = append(dirs, s.Dir)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	type seen struct {
		eventrow.Row
		at time.Time
	}
	events := make(chan seen, 1000)
	ready := make(chan struct{})
	done := make(chan error)
	go func() {
		first := true
		done <- open(dirs...).Follow(ctx, Query{Domain: ParseDomain("shop")}, 4, func(rows []eventrow.Row) error {
			for i := range rows {
				events <- seen{rows[i].Clone(), time.Now()}
			}
			if first {
				close(ready)
			}
			first = false
			return nil
		})
	}()
	<-ready
	var got []string
	for range 4 {
		e := <-events
		got = append(got, fmt.Sprintf("%c/%d", e.ServerID[2], e.Seq))
	}
	equal(t, "the newest", got, []string{"1/4", "1/8", "1/9", "1/15"})
	for round := range 3 {
		put1 := time.Now()
		c := check{at: time.Hour + time.Duration(round)*2*time.Minute, ip: "192.0.2.99", local: fmt.Sprint("n", round), helo: "a", domain: "shop.example"}
		put(t, journals[round%2], c.packets()...)
		c.domain = "bank.example"
		put(t, journals[round%2], c.packets()...)
		select {
		case e := <-events:
			if d := e.at.Sub(put1); d > 2*time.Second {
				t.Errorf("round %d: seen after %s", round, d)
			}
			if e.SenderLocal != c.local || e.Kind != "exp" || e.ForgedDomain != "shop.example" {
				t.Errorf("round %d: %+v", round, e.Row)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("round %d: nothing is seen", round)
		}
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if len(events) > 0 {
		t.Errorf("%d further events, such as %+v", len(events), <-events)
	}
}

// TestFollowMany gets every event once, in order, through sealing and
// compaction.
func TestFollowMany(t *testing.T) {
	t.Parallel()
	s := sealSoon(testSettings(t.TempDir()))
	s.SegmentSize = 64 << 10
	j, err := journal.Open(s)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	const n = 20_000
	var got []int64
	stop := errors.New("stop")
	done := make(chan error)
	started := make(chan struct{})
	go func() {
		begun := false
		done <- open(s.Dir).Follow(t.Context(), Query{Packets: true}, 0, func(rows []eventrow.Row) error {
			if !begun {
				close(started)
			}
			begun = true
			got = append(got, seqs(rows)...)
			if len(got) >= n {
				return stop
			}
			return nil
		})
	}()
	<-started
	for i := range n / 2 {
		put(t, j, check{at: time.Duration(i) * time.Second, ip: "192.0.2.1", local: "a", helo: "a", domain: fmt.Sprintf("n%d.example", i)}.packets()...)
	}
	select {
	case err := <-done:
		if err != stop {
			t.Fatal(err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("not all events came")
	}
	if len(got) != n || got[0] != 1 || got[n-1] != n || !slices.IsSorted(got) {
		t.Errorf("%d events", len(got))
	}
}

func TestFollowRefusals(t *testing.T) {
	t.Parallel()
	dir := testJournal(t, tenChecks()...)
	for _, n := range []int{-1, maxLimit + 1} {
		if err := open(dir).Follow(t.Context(), Query{}, n, nil); err == nil {
			t.Errorf("%d newest events", n)
		}
	}
	if err := open().Follow(t.Context(), Query{}, 1, nil); err == nil {
		t.Error("followed nothing")
	}
}
