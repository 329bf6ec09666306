package loadtest

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"nullspf/internal/eventrow"
	"nullspf/internal/journal"
	"nullspf/spftrack"
)

// stored is what a journal holds of a ledger.
type stored struct {
	events uint64
	// first and last are the sequence numbers of the first and the last event.
	first, last int64
	// has tells of each stream which numbers are there.
	has [][]bool
}

// row is the part of an event that is compared.
type row struct {
	Seq                                     int64
	Name, Server, Zone, Resolver, Transport string
	Port, Qtype                             int32
}

// read reads a whole journal, which a daemon may be writing. It fails the test
// unless all is there once, with rising numbers, and was asked just so.
func (l *ledger) read(t *testing.T, dir string) *stored {
	t.Helper()
	view, err := journal.Snapshot(dir, journal.ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer view.Close()
	r := &reader{ledger: l, t: t, stored: &stored{has: make([][]bool, len(l.streams))}}
	for i, s := range l.streams {
		r.has[i] = make([]bool, len(s.sentAt))
	}
	if len(view.Unreadable) > 0 {
		t.Errorf("files that cannot be read: %v", view.Unreadable)
	}
	if view.Manifest.Expired > 0 {
		t.Errorf("%d events were removed", view.Manifest.Expired)
	}
	for _, s := range view.Segments() {
		if err := s.Load(); err != nil {
			t.Fatal(err)
		}
		for _, group := range s.RowGroups() {
			if err := r.group(group); err != nil {
				t.Fatal(err)
			}
		}
	}
	err = view.Tail(func(e *spftrack.Event) error {
		r.event(&row{
			Seq: int64(e.Seq), Name: string(spftrack.AppendName(nil, e.Name)), Server: e.Server, Zone: e.Zone,
			Resolver: e.Resolver.Addr().String(), Port: int32(e.Resolver.Port()),
			Transport: e.Transport.String(), Qtype: int32(e.QType),
		})
		return nil
	})
	if damages := (journal.Damages)(nil); l.torn && errors.As(err, &damages) {
		t.Logf("named: %v", err)
	} else if err != nil {
		t.Fatal(err)
	}
	if r.failures > 5 {
		t.Errorf("%d events are wrong", r.failures)
	}
	return r.stored
}

// reader compares events with a ledger.
type reader struct {
	*ledger
	*stored
	t        *testing.T
	failures int
}

func (r *reader) group(group parquet.RowGroup) error {
	reader := parquet.NewGenericRowGroupReader[eventrow.Row](group)
	defer reader.Close()
	rows := make([]eventrow.Row, 1024)
	for {
		n, err := reader.Read(rows)
		for i := range rows[:n] {
			e := &rows[i]
			r.event(&row{
				Seq: e.Seq, Name: e.Name(), Server: e.ServerID, Zone: e.Zone, Resolver: e.Resolver, Port: e.ResolverPort,
				Transport: e.Transport, Qtype: e.Qtype,
			})
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (r *reader) event(e *row) {
	r.events++
	problem := ""
	if e.Seq <= r.last {
		problem = "its number does not follow the one before"
	}
	if r.last = e.Seq; r.first == 0 {
		r.first = e.Seq
	}
	if s := r.find(e.Name); s == nil {
		problem = "no such name was asked for"
	} else if number, ok := s.number(e.Name); !ok {
		problem = "no such name was asked for"
	} else {
		at := netip.AddrPortFrom(s.local.Addr(), uint16(e.Port))
		switch {
		case r.has[s.id][number]:
			problem = "it is there twice"
		case e.Zone != trackingZone || e.Server != "ns1.example.net" || e.Qtype != int32(s.qtype) ||
			e.Transport != s.transport.String() || e.Resolver != s.local.Addr().String() || at != s.local:
			problem = "it was asked otherwise"
		}
		r.has[s.id][number] = true
	}
	if problem == "" {
		return
	}
	if r.failures++; r.failures <= 5 {
		r.t.Errorf("%s: %+v", problem, *e)
	}
}

// missing counts the queries of streams that were answered before a time, in
// ns since epoch, and are not there. oldest is how much earlier the first of
// them was answered.
func (r *stored) missing(streams []*stream, before int64) (n int, oldest time.Duration) {
	for _, s := range streams {
		for number := range s.sent.Load() {
			if at := s.answeredAt[number].Load(); at != 0 && at < before && !r.has[s.id][number] {
				n++
				oldest = max(oldest, time.Duration(before-at))
			}
		}
	}
	return n, oldest
}

// holes counts the sequence numbers without event between the first and the
// last one. Only another run leaves some unused.
func (r *stored) holes() uint64 {
	if r.events == 0 {
		return 0
	}
	return uint64(r.last-r.first) + 1 - r.events
}

// vanished counts what was there and is not any more.
func (s *stored) vanished(later *stored) (n int) {
	for i := range s.has {
		for number, had := range s.has[i] {
			if had && !later.has[i][number] {
				n++
			}
		}
	}
	return n
}

// sinceEpoch turns a time into ns since epoch.
func sinceEpoch(at time.Time) int64 { return int64(at.Sub(epoch)) }

// checkDir fails the test unless a journal is without fault.
func checkDir(t *testing.T, dir string) {
	t.Helper()
	report, err := journal.CheckDir(context.Background(), dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range report.Problems {
		t.Errorf("journal: %s", p)
	}
	for _, n := range report.Notes {
		t.Logf("journal: %s", n)
	}
}
