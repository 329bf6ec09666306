package attempt

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"nullspf/spftrack"
)

const testZone = "_spf.example.net"

// testTime is the time of the first event of tests.
var testTime = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// query is an event of a test, as the parser would make it.
type query struct {
	at       time.Duration
	kind     spftrack.Kind
	ip       string
	helo     string // or the local part, a space, and HELO
	resolver string
	qtype    uint16
}

func (q *query) event(seq int) spftrack.Event {
	e := spftrack.Event{
		Seq: uint64(seq), Time: testTime.UnixNano() + int64(q.at), Zone: testZone, QType: q.qtype,
		Resolver: netip.AddrPortFrom(netip.MustParseAddr(q.resolver), uint16(seq)),
	}
	e.Kind, e.ClientIP, e.HELO = q.kind, netip.MustParseAddr(q.ip), q.helo
	e.Forged, e.SenderDomain = "shop.example", "shop.example"
	e.SenderLocal, e.HELO, _ = strings.Cut(q.helo, " ")
	if e.HELO == "" {
		e.SenderLocal, e.HELO = "user", q.helo
	}
	if q.kind == spftrack.KindExists {
		e.SenderLocal = ""
	}
	return e
}

// mark runs events through a fold, one by one and all at once, and returns their flags; those
// that cannot be attempts have FlagRetry.
func mark(t testing.TB, events []spftrack.Event) []spftrack.Flags {
	t.Helper()
	one := markBy(t, slices.Clone(events), func(f *Fold, events []spftrack.Event) error {
		for i := range events {
			if err := f.Push(&events[i]); err != nil {
				return err
			}
		}
		return nil
	})
	all := markBy(t, slices.Clone(events), (*Fold).PushAll)
	if !slices.Equal(one, all) {
		t.Errorf("one by one: %v, all at once: %v", one, all)
	}
	return one
}

func markBy(t testing.TB, events []spftrack.Event, push func(*Fold, []spftrack.Event) error) []spftrack.Flags {
	t.Helper()
	var attempts []spftrack.Flags
	f := New(Default, func(e *spftrack.Event) error {
		if e.Seq != uint64(len(attempts)+1) {
			t.Fatalf("event %d comes out as number %d", e.Seq, len(attempts)+1)
		}
		if !Asks(e.Kind) {
			e.Flags |= spftrack.FlagRetry
		}
		attempts = append(attempts, e.Flags)
		return nil
	})
	if err := push(f, events); err != nil {
		t.Fatal(err)
	}
	if err := f.Flush(); err != nil {
		t.Fatal(err)
	}
	return attempts
}

func TestAttempts(t *testing.T) {
	const (
		ip1, ip2 = "192.0.2.1", "2001:db8::1"
		r1, r2   = "198.51.100.1", "192.0.2.53"
		r6       = "2001:db8::53" // of the same resolver as r1
		near     = "198.51.100.2" // in the same farm as r1
		d        = "shop.example"
		exists   = spftrack.KindExists
		exp      = spftrack.KindExp
		classic  = spftrack.KindClassic
		s        = time.Second
	)
	for _, c := range []struct {
		name string
		in   []query
		want string // one character a query: + for an attempt, b for one by both queries, h for a check of HELO
	}{
		{"one check", []query{{0, exists, ip1, "", r1, 1}, {s, exp, ip1, "h", r1, 16}}, "-b"},
		{"exists: alone", []query{{0, exists, ip1, "", r1, 1}}, "+"},
		{"exp= alone", []query{{0, exp, ip1, "h", r1, 16}}, "+"},
		{"exp= first", []query{{0, exp, ip1, "h", r1, 16}, {s, exists, ip1, "", r1, 1}}, "b-"},
		{"AAAA twin", []query{{0, exists, ip1, "", r1, 1}, {0, exists, ip1, "", r1, 28}, {s, exp, ip1, "h", r1, 16}}, "--b"},
		{"retries", []query{{0, exists, ip1, "", r1, 1}, {s, exists, ip1, "", r1, 1}, {2 * s, exp, ip1, "h", r1, 16},
			{3 * s, exp, ip1, "h", r1, 16}, {29 * s, exp, ip1, "h", r1, 16}}, "--b--"},
		{"minimised", []query{{0, spftrack.KindMinimised, ip1, "", r1, 2}, {0, exists, ip1, "", r1, 1}}, "-+"},
		{"other query", []query{{0, spftrack.KindOther, ip1, "", r1, 6}}, "-"},
		{"SMTP sessions", []query{{0, spftrack.KindSMTP, ip1, "", r1, 0}, {1, spftrack.KindSMTP, ip1, "", r1, 0}}, "--"},
		{"two senders, exists: cached", []query{{0, exists, ip1, "", r1, 1}, {s, exp, ip1, "h", r1, 16}, {s, exp, ip1, "g", r1, 16}}, "-b+"},
		{"two clients", []query{{0, exists, ip1, "", r1, 1}, {0, exists, ip2, "", r1, 1}, {s, exp, ip2, "h", r1, 16}}, "+-b"},
		{"two resolvers", []query{{0, exists, ip1, "", r1, 1}, {0, exists, ip1, "", r2, 1}}, "++"},
		{"half a minute later", []query{{0, exp, ip1, "h", r1, 16}, {30 * s, exp, ip1, "h", r1, 16}, {31 * s, exp, ip1, "h", r1, 16}}, "+-+"},
		{"refreshed by BIND", []query{{0, exists, ip1, "", r1, 1}, {0, exp, ip1, "h", r1, 16}, {58 * s, exp, ip1, "h", r1, 16}, {60 * s, exists, ip1, "", r1, 1}}, "-bb-"},
		{"two families", []query{{0, exists, ip1, "", r1, 1}, {s, exp, ip1, "h", r6, 16}}, "-b"},
		{"two families, exp= first", []query{{0, exp, ip1, "h", r6, 16}, {s, exists, ip1, "", r1, 1}}, "b-"},
		{"two families, exp= too late", []query{{0, exists, ip1, "", r1, 1}, {11 * s, exp, ip1, "h", r6, 16}}, "++"},
		{"two families, AAAA twin", []query{{0, exists, ip1, "", r1, 1}, {0, exists, ip1, "", r6, 28}}, "+-"},
		{"two families, AAAA twin first", []query{{0, exists, ip1, "", r6, 28}, {0, exists, ip1, "", r1, 1}}, "-+"},
		{"two families, AAAA twin, exp=", []query{{0, exists, ip1, "", r1, 1}, {0, exists, ip1, "", r6, 28}, {s, exp, ip1, "h", r6, 16}}, "--b"},
		{"two families, next sender", []query{{0, exists, ip1, "", r1, 1}, {s, exp, ip1, "h", r6, 16}, {2 * s, exp, ip1, "g", r6, 16},
			{3 * s, exp, ip1, "f", r1, 16}}, "-b++"},
		{"farm", []query{{0, exists, ip1, "", r1, 1}, {s, exp, ip1, "h", near, 16}, {s, exp, ip1, "h", r1, 16}, {s, exists, ip1, "", near, 1}}, "-b--"},
		// One receiver that fetches exp= and one that does not, whose resolvers
		// have one address each.
		{"two receivers", []query{{0, exists, ip1, "", r1, 1}, {0, exists, ip1, "", r2, 1}, {s, exp, ip1, "h", r1, 16}}, "-+b"},
		{"two receivers, next sender", []query{{0, exists, ip1, "", r1, 1}, {s, exp, ip1, "h", r1, 16}, {s, exists, ip1, "", r2, 1}, {2 * s, exp, ip1, "g", r1, 16}}, "-b++"},
		{"two receivers, the other's exists: taken", []query{{0, exists, ip1, "", r1, 1}, {0, exists, ip1, "", r2, 1}, {s, exp, ip1, "h", r6, 16}, {s, exp, ip1, "h", r2, 16}}, "--bb"},
		{"two receivers, exp= of both", []query{{0, exists, ip1, "", r1, 1}, {0, exists, ip1, "", r2, 1}, {s, exp, ip1, "h", r2, 16}, {s, exp, ip1, "h", r1, 16}}, "--bb"},
		{"two receivers, the first exists: taken long ago", []query{{0, exists, ip1, "", r1, 1}, {s, exp, ip1, "h", r6, 16}, {62 * s, exp, ip1, "g", r1, 16},
			{63 * s, exists, ip1, "", r2, 1}}, "-bb-"},
		{"two clients, two families", []query{{0, exists, ip1, "", r1, 1}, {s, exp, ip2, "h", r6, 16}}, "++"},
		{"HELO checked first", []query{{0, exists, ip1, "", r1, 1}, {0, exp, ip1, "postmaster " + d, r1, 16}, {s, exp, ip1, "user " + d, r1, 16}}, "-hb"},
		{"HELO checked last", []query{{0, exists, ip1, "", r1, 1}, {0, exp, ip1, "user " + d, r1, 16}, {s, exp, ip1, "postmaster " + d, r1, 16}}, "-bh"},
		{"HELO checked alone", []query{{0, exists, ip1, "", r1, 1}, {0, exp, ip1, "postmaster " + d, r1, 16}}, "-b"},
		{"a bounce much earlier", []query{{0, exp, ip1, "postmaster " + d, r1, 16}, {11 * s, exp, ip1, "user " + d, r1, 16}}, "++"},
		{"a bounce with another HELO", []query{{0, exp, ip1, "postmaster h", r1, 16}, {s, exp, ip1, "user " + d, r1, 16}}, "++"},
		{"HELO checked, two families", []query{{0, exp, ip1, "postmaster " + d, r1, 16}, {s, exp, ip1, "user " + d, r6, 16}, {2 * s, exp, ip1, "user " + d, r2, 16}}, "h++"},
		{"HELO checked elsewhere", []query{{0, exp, ip1, "postmaster " + d, r1, 16}, {3 * s, exp, ip1, "user " + d, r2, 16}}, "++"},
		{"HELO checked, classic", []query{{0, classic, ip1, "postmaster " + d, r1, 1}, {s, classic, ip1, "user " + d, r1, 1}}, "h+"},
		{"clock back", []query{{0, exp, ip1, "h", r1, 16}, {-3600 * s, exp, ip1, "h", r1, 16}, {-3599 * s, exp, ip1, "h", r1, 16}}, "++-"},
		{"exp= late", []query{{0, exists, ip1, "", r1, 1}, {20 * s, exp, ip1, "h", r1, 16}, {90 * s, exp, ip1, "g", r1, 16}}, "+++"},
		{"next sender, exists: cached", []query{{0, exists, ip1, "", r1, 1}, {15 * s, exists, ip2, "", r1, 1}, {20 * s, exp, ip1, "h", r1, 16}}, "+++"},
		{"classic", []query{{0, classic, ip1, "h", r1, 1}, {0, classic, ip1, "h", r1, 28}, {s, classic, ip1, "g", r1, 1}}, "+-+"},
	} {
		var events []spftrack.Event
		for i := range c.in {
			events = append(events, c.in[i].event(i+1))
		}
		got := ""
		for _, flags := range mark(t, events) {
			got += map[spftrack.Flags]string{0: "+", spftrack.FlagRetry: "-", spftrack.FlagRetry | spftrack.FlagHELOCheck: "h", spftrack.FlagExists: "b"}[flags]
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestMemoryIsBounded(t *testing.T) {
	n := 0
	f := New(Default, func(*spftrack.Event) error { n++; return nil })
	for i := range maxWaiting + 1000 {
		q := query{0, spftrack.KindExists, "192.0.2.1", "", "198.51.100.1", 1}
		e := q.event(i + 1)
		e.Forged = fmt.Sprint(i)
		if err := f.Push(&e); err != nil {
			t.Fatal(err)
		}
	}
	if n != 1000 || f.n != maxWaiting {
		t.Errorf("%d came out, %d wait", n, f.n)
	}
	r := recent[int]{span: Default.Attempt}
	for i := range 3*maxRecent + 5 {
		r.put(uint64(i), i, 0)
	}
	if r.young.n > maxRecent || r.old.n > maxRecent {
		t.Errorf("%d and %d are remembered", r.young.n, r.old.n)
	}
	if v, ok := r.get(3 * maxRecent); !ok || v != 3*maxRecent {
		t.Error("the latest is forgotten")
	}
}
