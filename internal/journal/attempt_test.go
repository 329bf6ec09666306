package journal

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"nullspf/spftrack"
)

// question is an event of a test, as the parser would make it.
type question struct {
	at       time.Duration
	kind     spftrack.Kind
	ip       string
	helo     string
	resolver string
	qtype    uint16
}

func (q *question) event(seq int) spftrack.Event {
	e := spftrack.Event{
		Seq: uint64(seq), Time: testTime.UnixNano() + int64(q.at), Zone: testZone, QType: q.qtype,
		Resolver: netip.AddrPortFrom(netip.MustParseAddr(q.resolver), uint16(seq)),
	}
	e.Kind, e.ClientIP, e.HELO = q.kind, netip.MustParseAddr(q.ip), q.helo
	e.Forged, e.SenderDomain = "shop.example", "shop.example"
	return e
}

// mark runs events through a window and returns which are attempts.
func mark(t testing.TB, events []spftrack.Event) []bool {
	t.Helper()
	var attempts []bool
	w := newWindow(newMarker(), pairSpan, func(e *spftrack.Event) error {
		if e.Seq != uint64(len(attempts)+1) {
			t.Fatalf("event %d comes out as number %d", e.Seq, len(attempts)+1)
		}
		attempts = append(attempts, Attempt(e))
		return nil
	})
	for i := range events {
		if err := w.push(&events[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.flush(); err != nil {
		t.Fatal(err)
	}
	return attempts
}

func TestAttempts(t *testing.T) {
	const (
		ip1, ip2 = "192.0.2.1", "2001:db8::1"
		r1, r2   = "198.51.100.1", "198.51.100.2"
		exists   = spftrack.KindExists
		exp      = spftrack.KindExp
		classic  = spftrack.KindClassic
		s        = time.Second
	)
	for _, c := range []struct {
		name string
		in   []question
		want string // one character a question: + for an attempt
	}{
		{"one check", []question{{0, exists, ip1, "", r1, 1}, {s, exp, ip1, "h", r1, 16}}, "-+"},
		{"exists: alone", []question{{0, exists, ip1, "", r1, 1}}, "+"},
		{"exp= alone", []question{{0, exp, ip1, "h", r1, 16}}, "+"},
		{"exp= first", []question{{0, exp, ip1, "h", r1, 16}, {s, exists, ip1, "", r1, 1}}, "+-"},
		{"AAAA twin", []question{{0, exists, ip1, "", r1, 1}, {0, exists, ip1, "", r1, 28}, {s, exp, ip1, "h", r1, 16}}, "--+"},
		{"retries", []question{{0, exists, ip1, "", r1, 1}, {s, exists, ip1, "", r1, 1}, {2 * s, exp, ip1, "h", r1, 16},
			{3 * s, exp, ip1, "h", r1, 16}, {59 * s, exp, ip1, "h", r1, 16}}, "--+--"},
		{"minimised", []question{{0, spftrack.KindMinimised, ip1, "", r1, 2}, {0, exists, ip1, "", r1, 1}}, "-+"},
		{"other question", []question{{0, spftrack.KindOther, ip1, "", r1, 6}}, "-"},
		{"two senders, exists: cached", []question{{0, exists, ip1, "", r1, 1}, {s, exp, ip1, "h", r1, 16}, {s, exp, ip1, "g", r1, 16}}, "-++"},
		{"two clients", []question{{0, exists, ip1, "", r1, 1}, {0, exists, ip2, "", r1, 1}, {s, exp, ip2, "h", r1, 16}}, "+-+"},
		{"two resolvers", []question{{0, exists, ip1, "", r1, 1}, {0, exists, ip1, "", r2, 1}}, "++"},
		{"a minute later", []question{{0, exp, ip1, "h", r1, 16}, {60 * s, exp, ip1, "h", r1, 16}, {61 * s, exp, ip1, "h", r1, 16}}, "+-+"},
		{"clock back", []question{{0, exp, ip1, "h", r1, 16}, {-3600 * s, exp, ip1, "h", r1, 16}, {-3599 * s, exp, ip1, "h", r1, 16}}, "++-"},
		{"exp= late", []question{{0, exists, ip1, "", r1, 1}, {20 * s, exp, ip1, "h", r1, 16}, {90 * s, exp, ip1, "g", r1, 16}}, "-++"},
		{"exp= after the window", []question{{0, exists, ip1, "", r1, 1}, {15 * s, exists, ip2, "", r1, 1}, {20 * s, exp, ip1, "h", r1, 16}}, "++-"},
		{"classic", []question{{0, classic, ip1, "h", r1, 1}, {0, classic, ip1, "h", r1, 28}, {s, classic, ip1, "g", r1, 1}}, "+-+"},
	} {
		var events []spftrack.Event
		for i := range c.in {
			events = append(events, c.in[i].event(i+1))
		}
		got := ""
		for _, a := range mark(t, events) {
			got += map[bool]string{true: "+", false: "-"}[a]
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// randomChecks makes the packets of checks with retries, twins and losses.
func randomChecks(t testing.TB, n int) []*Packet {
	rng := rand.New(rand.NewPCG(5, 6))
	var packets []*Packet
	now := testTime.UnixNano()
	add := func(name string, qtype uint16, resolver byte) {
		for range 1 + rng.IntN(8)/6 {
			now += int64(rng.IntN(int(200 * time.Millisecond)))
			packets = append(packets, &Packet{
				Time: now, Qtype: qtype, Name: wire(t, name),
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
// it is the end, an exists: question at the end may wait for its exp= question.
func compareMarks(t *testing.T, dir string, want []bool, end bool) {
	t.Helper()
	events := readAll(t, dir)
	if len(events) != len(want) {
		t.Fatalf("%d events, want %d", len(events), len(want))
	}
	newest := events[len(events)-1].Time
	for i := range events {
		waits := !end && events[i].Kind == spftrack.KindExists && within(newest, events[i].Time, pairSpan)
		if got := Attempt(&events[i]); got != want[i] && !waits {
			t.Fatalf("event %d: attempt %v, want %v: %+v", i+1, got, want[i], events[i])
		}
	}
}

func TestWindowIsBounded(t *testing.T) {
	n := 0
	w := newWindow(newMarker(), pairSpan, func(*spftrack.Event) error { n++; return nil })
	for i := range maxWindow + 1000 {
		q := question{0, spftrack.KindExists, "192.0.2.1", "", "198.51.100.1", 1}
		e := q.event(i + 1)
		e.Forged = fmt.Sprint(i)
		if err := w.push(&e); err != nil {
			t.Fatal(err)
		}
	}
	if n != 1000 || w.n != maxWindow {
		t.Errorf("%d came out, %d wait", n, w.n)
	}
	var r recent[int]
	for i := range 3*maxRecent + 5 {
		r.put(uint64(i), i, 0)
	}
	if len(r.young) > maxRecent || len(r.old) > maxRecent {
		t.Errorf("%d and %d are remembered", len(r.young), len(r.old))
	}
	if v, ok := r.get(3 * maxRecent); !ok || v != 3*maxRecent {
		t.Error("the latest is forgotten")
	}
}
