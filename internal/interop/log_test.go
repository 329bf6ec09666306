package interop

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/miekg/dns"

	"nullspf/internal/journal"
	"nullspf/internal/peers"
	"nullspf/spftrack"
)

// readLog returns all events of the log, by the resolver that asked, in order
// of time, while nullspfd goes on. known is that of [journal.ReadOptions].
func (s *site) readLog(t *testing.T, known func(string) bool) map[netip.Addr][]spftrack.Event {
	t.Helper()

	v, err := journal.Snapshot(s.journal, journal.ReadOptions{
		Known: func(string) func(string) bool { return known },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	if n := len(v.Segments()); n > 0 {
		t.Fatalf("%d segments were sealed; the test took too long", n)
	}
	log := make(map[netip.Addr][]spftrack.Event)
	err = v.Tail(func(e *spftrack.Event) error {
		if e.Flags&spftrack.FlagUnparsed != 0 && e.Kind != spftrack.KindOther {
			return errors.New("an unparsed event has a kind")
		}
		copied := *e
		copied.Name = slices.Clone(e.Name)
		log[e.Resolver.Addr()] = append(log[e.Resolver.Addr()], copied)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, events := range log {
		slices.SortStableFunc(events, func(a, b spftrack.Event) int { return int(a.Time - b.Time) })
	}
	return log
}

// waitVisible waits until all that was asked so far stands in the log. A
// query that the writer has found need not have been the last one of its
// round, because there are several rings; one of the next round is.
func (s *site) waitVisible(t *testing.T) {
	t.Helper()
	for i := range 2 {
		name := fmt.Sprintf("last-%d.%s", i, tracking[0].zone)
		if _, err := peers.Query(t.Context(), s.track.Address, name, dns.TypeA, nil); err != nil {
			t.Fatal(err)
		}
		waitFor(t, "the log does not show "+name, func() bool {
			for _, e := range s.readLog(t, nil)[local(0, 1)] {
				if string(spftrack.AppendName(nil, e.Name)) == name {
					return true
				}
			}
			return false
		})
	}
}
