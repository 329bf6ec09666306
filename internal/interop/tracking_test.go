package interop

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"nullspf/internal/attempt"
	"nullspf/internal/peers"
	"nullspf/spftrack"
)

// journey is an implementation on a path.
type journey struct {
	*implementation
	*path
	resolver netip.AddrPort
	version  string
	habits   habits
	cells    []*cell
}

// cell is a journey with one policy.
type cell struct {
	policy *policy
	domain string
	// verdicts are those on the messages, in order; nil where the
	// implementation is not there.
	verdicts []verdict
	// first is when the first message had been checked.
	first time.Time
	// events are those of the tracking zone, in order of time.
	events []spftrack.Event
}

// newJourneys combines implementations, paths and policies. Each combination
// forges a domain of its own, all of one length in a policy.
func newJourneys(t *testing.T) (journeys []*journey, domains map[*policy][]string) {
	t.Helper()
	domains = make(map[*policy][]string)
	for i, im := range implementations {
		for j := range paths {
			w := &journey{implementation: im, path: &paths[j], resolver: paths[j].address(t, i, j)}
			for _, p := range policies {
				c := &cell{policy: p, domain: fmt.Sprintf("%s-%d%d.%s", p.name, i, j, parent)}
				w.cells = append(w.cells, c)
				domains[p] = append(domains[p], c.domain)
			}
			journeys = append(journeys, w)
		}
	}
	return journeys, domains
}

func (w *journey) String() string { return w.implementation.name + "/" + w.path.name }

// TestTracking has each implementation check forged messages on each path
// with each policy, and looks at results and log.
func TestTracking(t *testing.T) {
	journeys, domains := newJourneys(t)
	s := newSite(t, domains)
	for _, w := range journeys {
		w.open(t, s, w.resolver)
	}
	t.Run("checks", func(t *testing.T) {
		for _, w := range journeys {
			t.Run(w.String(), func(t *testing.T) {
				t.Parallel()
				w.version, w.habits = w.setup(t)
				for _, c := range w.cells {
					w.forge(t, s, c)
				}
			})
		}
	})
	if t.Failed() {
		return
	}
	s.waitVisible(t)
	for _, known := range []struct {
		name string
		is   func(string) bool
	}{
		{"unknown domains", nil},
		{"known domains", func(domain string) bool {
			for _, list := range domains {
				if slices.Contains(list, domain) {
					return true
				}
			}
			return false
		}},
	} {
		t.Run(known.name, func(t *testing.T) {
			log := s.readLog(t, known.is)
			for _, w := range journeys {
				for _, c := range w.cells {
					t.Run(fmt.Sprintf("%s/%s", w, c.policy.name), func(t *testing.T) { w.compare(t, c, log[w.resolver.Addr()], known.is != nil) })
				}
			}
		})
	}
	t.Log("\n" + table(journeys))
	t.Run("answers", func(t *testing.T) { testAnswers(t, s, journeys) })
	t.Run("validation", func(t *testing.T) { testValidation(t, journeys) })
}

// forge has all messages checked with one policy.
func (w *journey) forge(t *testing.T, s *site, c *cell) {
	t.Helper()
	var envelopes []envelope
	for i := range messages {
		envelopes = append(envelopes, messages[i].envelope(c.domain))
	}
	verdicts := w.check(t, s, w.resolver, envelopes[:1])
	c.first = time.Now()
	verdicts = append(verdicts, w.check(t, s, w.resolver, envelopes[1:])...)
	if len(verdicts) != len(messages) {
		t.Fatalf("%d verdicts on %d messages", len(verdicts), len(messages))
	}
	c.verdicts = verdicts
}

// compare compares verdicts and the events of a resolver with what is known of
// the implementation.
func (w *journey) compare(t *testing.T, c *cell, events []spftrack.Event, known bool) {
	if c.verdicts == nil {
		peers.Lack(t, "%s: not checked", w)
	}
	c.events = slices.DeleteFunc(slices.Clone(events), func(e spftrack.Event) bool {
		return e.Zone != c.policy.zone
	})
	queries := 0
	var want []string
	for i := range messages {
		m := &messages[i]
		arriving, tooLong := w.habits.arriving(t, c.policy, m, c.domain)
		w.compareVerdict(t, m, c.verdicts[i], c.domain, arriving, tooLong)
		for kind := range arriving {
			queries++
			if kind == spftrack.KindExists {
				queries += w.habits.askedTypes - 1
			}
		}
		if a := w.habits.attempt(t, c.policy, m, c.domain, known); a != nil {
			want = append(want, a.String())
		}
	}
	var got []string
	for i := range c.events {
		e := &c.events[i]
		a := attemptOf(e)
		switch {
		case attempt.Is(e):
			got = append(got, a.String())
		case e.Kind != spftrack.KindMinimised && e.Flags&spftrack.FlagRetry == 0:
			t.Errorf("this is not a query of a check: %v", a)
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("attempts (-want +got):\n%s", diff)
	}
	w.comparePackets(t, c, queries)
}

// compareVerdict compares the outcome of a check.
func (w *journey) compareVerdict(t *testing.T, m *message, got verdict, domain string, arriving map[spftrack.Kind]spftrack.Query, tooLong bool) {
	t.Helper()
	want := "fail"
	if tooLong {
		want = w.habits.tooLong
	}
	if got.result != want {
		t.Errorf("%s: result %q, want %q", m.name, got.result, want)
	}
	if m.upper {
		domain = strings.ToUpper(domain)
	}
	_, fetched := arriving[spftrack.KindExp]
	if explained := got.explanation == "Mail from "+domain+" is forged"; explained != fetched {
		t.Errorf("%s: explanation %q; fetched: %v", m.name, got.explanation, fetched)
	}
}

// mostMinimised is how many parts of a name a resolver asks for before it asks
// for the whole (RFC 9156 section 2.3, MAX_MINIMISE_COUNT).
const mostMinimised = 10

// comparePackets compares the names and types of the events with the queries
// that the implementation asks, and looks at their case. A slow server may be
// asked twice.
func (w *journey) comparePackets(t *testing.T, c *cell, queries int) {
	t.Helper()
	distinct := make(map[string]bool)
	mixed := false
	for i := range c.events {
		e := &c.events[i]
		distinct[fmt.Sprint(attemptOf(e).name, e.QType)] = true
		// Nobody but a resolver changes the zone's name.
		mixed = mixed || !strings.HasSuffix(string(spftrack.AppendName(nil, e.Name)), e.Zone)
	}
	if n := len(distinct); !w.minimises && n != queries || n < queries || n > queries*(1+mostMinimised) {
		t.Errorf("%d names were asked for; the implementation asks for %d", n, queries)
	}
	if len(c.events) > 0 && mixed != w.mixesCase {
		t.Errorf("names in mixed case: %v, want %v", mixed, w.mixesCase)
	}
}
