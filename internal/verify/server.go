package verify

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/miekg/dns"
)

// server is one of the servers, with the state of each zone at it. Its workers
// share the zones of the set, at the pace of this server.
type server struct {
	run     *run
	address netip.AddrPort
	share   int
	next    atomic.Int64 // index of the next zone to query

	// By index of the set's entries.
	states  []state
	serials []uint32 // valid when served

	silence  silence
	findings atomic.Int64
	queries  atomic.Uint64
}

// state is the state of a zone at a server.
type state uint8

const (
	stateUnknown state = iota // not queried, or no answer
	stateAnswered
	stateServed // and there is a serial number
)

func newServer(r *run, address netip.AddrPort, share int) *server {
	n := len(r.set.Entries)
	return &server{run: r, address: address, share: share, states: make([]state, n), serials: make([]uint32, n)}
}

// start starts the workers. Each sends all queries about one zone at once,
// so that the server's share of queries is divided among them.
func (s *server) start(ctx context.Context, wg *sync.WaitGroup, fail func(error)) {
	workers := min((s.share+len(asked)-1)/len(asked), max(len(s.states), 1))
	s.silence.limit = max(minSilence, 2*workers)
	for w := range workers {
		window := s.share / workers
		if w < s.share%workers {
			window++
		}
		wg.Go(func() {
			if err := s.work(ctx, window); err != nil {
				fail(err)
			}
		})
	}
}

// work sends queries about zones until none is left. The error is one of the
// plan or of a name.
func (s *server) work(ctx context.Context, window int) error {
	c := &client{server: s.address, timeout: s.run.Timeout, retries: s.run.Retries, window: window, sent: &s.queries}
	if err := c.dial(ctx); err != nil {
		s.silence.giveUp(err)
		return nil
	}
	defer c.close()
	for ctx.Err() == nil && !s.silence.over.Load() {
		i := int(s.next.Add(1)) - 1
		if i >= len(s.states) {
			return nil
		}
		e := &s.run.set.Entries[i]
		items, err := s.run.plan.of(e)
		if err != nil {
			return err
		}
		answers, err := c.ask(ctx, e.Name, items)
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return nil
		}
		s.judge(i, items, answers)
		s.run.step()
	}
	return nil
}

func (s *server) report(f Finding) {
	f.Server = s.address.String()
	s.findings.Add(1)
	s.run.report(f)
}

// judge compares the answers about a zone with the plan. Without an answer about
// the SOA, which is the first, the zone counts as unanswered.
func (s *server) judge(i int, items []item, answers []query) {
	zone := s.run.set.Entries[i].Name
	if !slices.ContainsFunc(answers, func(q query) bool { return q.msg != nil }) {
		s.silence.silent(i, answers[0].err)
		return
	}
	for _, z := range s.silence.heard() {
		s.reportSilence(z)
	}
	if answers[0].msg == nil {
		s.reportSilence(silentZone{i, answers[0].err})
		return
	}
	s.states[i] = stateAnswered
	soa, fault := s.soa(zone, &answers[0])
	if fault != "" {
		s.report(Finding{Zone: zone, Name: zone, Check: CheckServed, Reason: fault})
		return
	}
	s.states[i], s.serials[i] = stateServed, soa.Serial
	for n := 1; n < len(items); n++ {
		if f, ok := s.compare(zone, &items[n], &answers[n]); !ok {
			s.report(f)
		}
	}
}

// soa returns the SOA record of a zone, or what is wrong about the answer.
func (s *server) soa(zone string, a *query) (*dns.SOA, string) {
	if fault := a.refusal(); fault != "" {
		return nil, fault
	}
	for _, rr := range a.msg.Answer {
		if soa, ok := rr.(*dns.SOA); ok && sameName(soa.Hdr.Name, zone) && soa.Hdr.Class == dns.ClassINET && soa.Hdr.Rdlength > 0 {
			return soa, ""
		}
	}
	return nil, "the answer has no SOA record of the zone"
}

// compare compares an RRset with the planned one.
func (s *server) compare(zone string, it *item, a *query) (Finding, bool) {
	owner := it.below + zone
	want := s.run.plan.wanted(it, zone)
	f := Finding{Zone: zone, Name: owner, Check: it.check, Want: it.show(want)}
	if f.Reason = a.refusal(); f.Reason != "" {
		return f, false
	}
	var have []string
	for _, rr := range a.msg.Answer {
		h := rr.Header()
		if h.Class == dns.ClassINET && sameName(h.Name, owner) && (h.Rrtype == it.rrtype || h.Rrtype == dns.TypeCNAME) {
			have = append(have, rdata(rr))
		}
	}
	have = it.relevant(have)
	slices.Sort(have)
	f.Have = shorten(it.show(have))
	switch {
	case slices.Equal(want, have):
		return f, true
	case len(have) == 0:
		f.Reason = "the record is missing"
	case it.check == CheckSPF && len(have) > 1:
		f.Reason = fmt.Sprintf("%d SPF records: every SPF check results in permerror (RFC 7208 section 4.5)", len(have))
	default:
		f.Reason = "the records are not as planned"
	}
	return f, false
}

// sameName compares a name from the network with one without final dot.
func sameName(fqdn, name string) bool {
	n, ok := strings.CutSuffix(fqdn, ".")
	return ok && strings.EqualFold(n, name)
}

// finish reports the zones without an answer.
func (s *server) finish(ctx context.Context) {
	if ctx.Err() != nil {
		return
	}
	all := len(s.states)
	q := &s.silence
	if n := s.answered(); q.over.Load() || n == 0 && all > 0 {
		s.report(Finding{Check: CheckAnswer, Reason: fmt.Sprintf("%s; %d of %d zones were not checked", q.reason(), all-n, all)})
		return
	}
	for _, z := range q.heard() {
		s.reportSilence(z)
	}
}

func (s *server) reportSilence(z silentZone) {
	name := s.run.set.Entries[z.index].Name
	s.report(Finding{Zone: name, Name: name, Check: CheckServed, Reason: z.err.Error()})
}

// answered counts the zones for which the server has answered.
func (s *server) answered() int {
	n := 0
	for _, st := range s.states {
		if st != stateUnknown {
			n++
		}
	}
	return n
}
