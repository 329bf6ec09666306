package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"time"

	"nullspf/internal/eventrow"
	"nullspf/internal/evidence/tier"
	"nullspf/spftrack"
)

// size is how large a run is.
type size struct{ victims, days, forgers int }

// begin is when the first day begins.
var begin = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

// domainCount is how many domains are listed.
const domainCount = 50

func domain(i int) string { return fmt.Sprintf("d%d.example", i%domainCount) }

// listed knows the listed domains.
func listed(name string) (string, bool) {
	for name != "" {
		if n := 0; strings.HasSuffix(name, ".example") {
			if _, err := fmt.Sscanf(name, "d%d.example", &n); err == nil && name == domain(n) {
				return name, true
			}
		}
		_, name, _ = strings.Cut(name, ".")
	}
	return "", false
}

// world is what the tracking servers record.
type world struct {
	*tier.Gatherer
	random *rand.Rand
	// receivers are the honest ones.
	receivers []*receiver
	row       eventrow.Row
	builder   eventrow.Builder
	err       error
}

// trusted are the reporters that the operator trusts.
var trusted = []string{"big.example.com", "huge.example.com"}

func newWorld(seed uint64) (*world, error) {
	s := tier.DefaultSettings()
	s.Reporters = trusted
	rules, err := s.Rules(listed)
	if err != nil {
		return nil, err
	}
	w := &world{Gatherer: tier.NewGatherer(rules), random: rand.New(rand.NewPCG(seed, 1))}
	for i := range receiverCount {
		w.receivers = append(w.receivers, newReceiver(i))
	}
	return w, nil
}

// add records an event.
func (w *world) add(r eventrow.Row) {
	w.row = r
	if err := w.Add(&w.row); err != nil && w.err == nil {
		w.err = err
	}
}

// query records a query about a client.
func (w *world) query(at time.Time, client netip.Addr, domain string, resolver netip.Addr, verified bool) {
	w.add(eventrow.Row{
		TS: at.UnixNano(), Kind: "exists", ClientIP: client.String(), ForgedDomain: domain, SenderDomain: domain,
		Resolver: resolver.String(), SourceVerified: verified,
	})
}

// session records a session at the SMTP listener, whose client is really there.
func (w *world) session(at time.Time, client netip.Addr, senderDomain string) {
	w.add(eventrow.Row{TS: at.UnixNano(), Kind: "smtp", ClientIP: client.String(), SenderDomain: senderDomain, Resolver: client.String(), SourceVerified: true})
}

// report records a row of a DMARC report that was imported.
func (w *world) report(at time.Time, client netip.Addr, domain, reporter string) {
	w.add(eventrow.Row{TS: at.UnixNano(), Kind: "dmarc", ClientIP: client.String(), ForgedDomain: domain, Reporter: reporter, Messages: 1, SPF: "fail", DKIM: "fail"})
}

// mail has an honest receiver check a message, as its resolver asks.
func (w *world) mail(at time.Time, to *receiver, client netip.Addr, domain string) {
	w.query(at, client, domain, to.resolver, to.verified())
}

// result is how many addresses of an attack, or of forgers, are in the tiers to export.
type result struct{ corroborated, confirmed int }

// weigh counts the addresses of a set by tier.
func (w *world) weigh(of func(netip.Addr) bool) (r result, err error) {
	if w.err != nil {
		return r, w.err
	}
	err = w.Each(context.Background(), func(e *tier.Evidence) error {
		if !of(e.Subject.Addr()) || e.Unlistable != "" {
			return nil
		}
		if e.Tier >= tier.Corroborated {
			r.corroborated++
		}
		if e.Tier == tier.Confirmed {
			r.confirmed++
		}
		return nil
	})
	return r, err
}

// Addresses of the model; none of them is special, and no public resolver has one.
func address(first, i int) netip.Addr {
	return netip.AddrFrom4([4]byte{byte(first), byte(i >> 16), byte(i >> 8), byte(i)})
}

func victim(i int) netip.Addr { return address(50, i) }
func forger(i int) netip.Addr { return address(90, i) }
func attackerHost(net, i int) netip.Addr {
	return netip.AddrFrom4([4]byte{45, byte(net), byte(i >> 8), byte(i)})
}
func openResolver(net int) netip.Addr { return netip.AddrFrom4([4]byte{46, byte(net), 7, 53}) }

func isVictim(a netip.Addr) bool { return a.As4()[0] == 50 }
func isForger(a netip.Addr) bool { return a.As4()[0] == 90 }

// publicResolvers are three that anybody may use.
var publicResolvers = []netip.Addr{netip.MustParseAddr("8.8.8.8"), netip.MustParseAddr("1.1.1.1"), netip.MustParseAddr("9.9.9.9")}

// receiverCount is how many honest receivers there are.
const receiverCount = 400

// receiver is an honest receiver of mail, with the resolver that it uses.
type receiver struct {
	resolver netip.Addr
	software software
	asked    int
}

type software uint8

// Of a hundred receivers, 40 have BIND, 37 other resolvers that are not verified, 3 ask over
// TCP, and 20 use public resolvers. This is an assumption.
const (
	bind software = iota
	other
	overTCP
	public
)

func newReceiver(i int) *receiver {
	r := &receiver{resolver: netip.AddrFrom4([4]byte{20 + byte(i>>8), byte(i), 7, 53})}
	switch n := i % 100; {
	case n < 40:
		r.software = bind
	case n < 77:
		r.software = other
	case n < 80:
		r.software = overTCP
	default:
		r.software, r.resolver = public, publicResolvers[i%len(publicResolvers)]
	}
	return r
}

// verified reports whether the next query is: those of BIND are from the third on, when it
// has a cookie.
func (r *receiver) verified() bool {
	r.asked++
	switch r.software {
	case bind:
		return r.asked > 2
	case overTCP, public:
		return true
	}
	return false
}

// some returns n different receivers.
func (w *world) some(n int) []*receiver {
	for i := range n {
		k := i + w.random.IntN(len(w.receivers)-i)
		w.receivers[i], w.receivers[k] = w.receivers[k], w.receivers[i]
	}
	return w.receivers[:n]
}

// anyTime is a time of a day.
func (w *world) anyTime(day int) time.Time {
	return begin.AddDate(0, 0, day).Add(time.Duration(w.random.Int64N(int64(24 * time.Hour))))
}

// honestDays are days on which forgers send mail, and nobody attacks: it gives resolvers
// their cookies.
func (w *world) honestDays(s size) {
	for day := range s.days {
		for range 200 {
			client, about := forger(1<<20+w.random.IntN(1000)), w.random.IntN(domainCount)
			for _, r := range w.some(3) {
				w.mail(w.anyTime(day), r, client, domain(about))
			}
		}
	}
}

// crafted records a query as an honest resolver sends it about a message of a forger who
// has chosen names so that another address would be read.
func (w *world) crafted(p *spftrack.Parser, layout spftrack.Layout, at time.Time, to *receiver, wanted, client netip.Addr, about int) error {
	trap := wanted.String() + ".in-addr.CL." + domain(about)
	checks := []spftrack.Check{
		{IP: client, Sender: "a@" + trap, HELO: "h." + trap + ".FD.1"},
		{IP: client, Sender: "x.LP." + trap + ".FD.2@" + domain(about), HELO: "CL." + wanted.String() + ".FR.a@" + domain(about) + ".HE.x"},
		{IP: client, Sender: strings.Repeat("a", 60) + "@" + strings.Repeat(strings.Repeat("b", 60)+".", 2) + trap, HELO: trap},
	}
	for _, c := range checks {
		queries, err := spftrack.Queries(layout, spftrack.Settings{Zone: "_spf.example.net"}, c)
		if err != nil {
			return err
		}
		for _, q := range queries[1:] {
			name, err := q.Wire()
			if err != nil {
				continue
			}
			e := spftrack.Event{Time: at.UnixNano(), Zone: "_spf.example.net", Parsed: p.Parse(name, q.Type), Resolver: netip.AddrPortFrom(to.resolver, 5353), SourceVerified: true}
			w.builder.Reset()
			w.builder.Fill(&w.row, &e)
			w.add(w.row)
		}
	}
	return nil
}

var layouts = slices.Clone(spftrack.Layouts[1:])
