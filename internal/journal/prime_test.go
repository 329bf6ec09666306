package journal

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"nullspf/internal/attempt"
	"nullspf/spftrack"
)

// randomChecks makes the packets of checks with retries, twins and losses.
func randomChecks(t testing.TB, n int) []*Packet {
	rng := rand.New(rand.NewPCG(5, 6))
	var packets []*Packet
	now := testTime.UnixNano()
	add := func(name string, qtype uint16, resolver byte) {
		for range 1 + rng.IntN(8)/6 {
			now += int64(rng.IntN(int(200 * time.Millisecond)))
			packets = append(packets, &Packet{
				Time: now, Qtype: qtype, Name: packed(t, name),
				Resolver: netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 51, 100, resolver}), 53),
			})
		}
	}
	for len(packets) < n {
		rest := fmt.Sprintf("192.0.2.%d.in-addr.CL.d%d.example.FD.", rng.IntN(3), rng.IntN(3))
		resolver := byte(rng.IntN(2))
		add(rest+"1."+testZone, spftrack.TypeA, resolver)
		if rng.IntN(3) == 0 {
			add(rest+"1."+testZone, spftrack.TypeAAAA, resolver)
		}
		if rng.IntN(4) > 0 {
			add(fmt.Sprintf("h%d.HE.a.LP.%s2.%s", rng.IntN(2), rest, testZone), spftrack.TypeTXT, resolver)
		}
	}
	return packets
}

// mark folds events and returns which are attempts.
func mark(t testing.TB, events []spftrack.Event) []bool {
	t.Helper()
	var attempts []bool
	f := attempt.New(attempt.Default, func(e *spftrack.Event) error {
		attempts = append(attempts, attempt.Is(e))
		return nil
	})
	for i := range events {
		if err := f.Push(&events[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Flush(); err != nil {
		t.Fatal(err)
	}
	return attempts
}

// TestMarksDoNotDependOnSealing stores the same events with many restarts,
// sealing in between, and compares the marks with those of one pass.
func TestMarksDoNotDependOnSealing(t *testing.T) {
	t.Parallel()
	packets := randomChecks(t, 3000)
	parser := spftrack.NewParser(testZone, []spftrack.Layout{spftrack.Track}, nil)
	var events []spftrack.Event
	for i, p := range packets {
		events = append(events, spftrack.Event{Seq: uint64(i + 1), Time: p.Time, Zone: testZone, Resolver: p.Resolver, Parsed: parser.Parse(p.Name, p.Qtype)})
	}
	want := mark(t, events)

	s := testSettings(t)
	s.SegmentSize = minSegmentSize
	for i := 0; i < len(packets); {
		j := mustOpen(t, s)
		for range 750 {
			if i == len(packets) {
				break
			}
			j.Put(packets[i])
			i++
			if i%100 == 0 {
				waitUntil(t, "all is stored", func() bool { return j.Stats().Pending == 0 })
			}
		}
		waitUntil(t, "all closed files are sealed", func() bool {
			return len(j.wals.sealable()) <= 1 && j.Stats().Pending == 0
		})
		compareMarks(t, s.Dir, want[:i], i == len(packets))
		mustClose(t, j)
	}
	compareMarks(t, s.Dir, want, true)
	m, err := loadManifest(s.Dir)
	if err != nil || len(m.Segments) == 0 {
		t.Errorf("%d segments, %v", len(m.Segments), err)
	}
}

// compareMarks compares the marks of stored events with those expected. Unless
// it is the end, an exists: query at the end may wait for its exp= query.
func compareMarks(t *testing.T, dir string, want []bool, end bool) {
	t.Helper()
	events := readAll(t, dir)
	if len(events) != len(want) {
		t.Fatalf("%d events, want %d", len(events), len(want))
	}
	newest := events[len(events)-1].Time
	for i := range events {
		waits := !end && events[i].Kind == spftrack.KindExists && attempt.Within(newest, events[i].Time, attempt.Default.Hold)
		if got := attempt.Is(&events[i]); got != want[i] && !waits {
			t.Fatalf("event %d: attempt %v, want %v: %+v", i+1, got, want[i], events[i])
		}
	}
}
