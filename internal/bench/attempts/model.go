package main

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"nullspf/internal/attempt"
	"nullspf/spftrack"
)

// The model knows what each resolver does between receiver and nameservers, as
// measured: which of its addresses and of the nameservers it takes for a query,
// and how long it keeps an answer. The queries of QNAME minimisation are left out,
// because no rule looks at them.

// ttl is that of the tracking zone's answers.
const ttl = 60 * time.Second

// software is a resolver's.
type software struct {
	name string
	// wanders: it takes another server and address family for each query;
	// else it stays with the fastest.
	wanders bool
	// early is how long before its end a cached TXT record is fetched again
	// when somebody asks for it; earlyNODATA that of NODATA.
	early, earlyNODATA time.Duration
	// together: all NODATA answers of a zone end with the first one's SOA
	// record.
	together bool
}

var softwares = []*software{
	{name: "Unbound", wanders: true, together: true},
	{name: "BIND", early: 2 * time.Second},
	{name: "Knot", wanders: true, early: 5600 * time.Millisecond, earlyNODATA: 5600 * time.Millisecond},
	{name: "PowerDNS"},
}

// resolver is a resolver with its cache.
type resolver struct {
	*software
	v4, v6 netip.Addr
	// cached are the times of expiry by name, soa that of the zone's SOA record.
	cached map[string]time.Duration
	soa    time.Duration
}

func (w *world) resolver(s *software, net, host int) *resolver {
	return &resolver{
		software: s,
		v4:       netip.AddrFrom4([4]byte{198, 18 + byte(net>>8), byte(net), byte(host)}),
		v6:       netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, byte(net >> 8), byte(net), 15: byte(host)}),
		cached:   make(map[string]time.Duration),
	}
}

// receiver is a mail server that checks SPF.
type receiver struct {
	resolvers []*resolver
	// fetches exp=; expFirst: before exists:. aaaa: asks exists: for AAAA too.
	// helo: checks HELO before MAIL FROM.
	fetches, expFirst, aaaa, helo bool
}

// message is a forged message on its way to a receiver.
type message struct {
	at                         time.Duration
	to                         *receiver
	client                     netip.Addr
	sender, domain, heloOfMail string
}

// world is what all messages share.
type world struct {
	rand *rand.Rand
	// journals is the number of nameservers, each with its own, families that
	// of address families that both they and the resolvers have.
	journals, families int
	// lost is the share of answers that are lost, so that the resolver asks again.
	lost   float64
	events [][]spftrack.Event
}

func newWorld(seed uint64, journals, families int) *world {
	return &world{
		rand: rand.New(rand.NewPCG(seed, 2026)), journals: journals, families: families,
		events: make([][]spftrack.Event, journals),
	}
}

// deliver has a receiver check a message. seen: at least one query arrived.
func (w *world) deliver(m *message) (seen bool) {
	now := m.at
	ask := func(kind spftrack.Kind, qtype uint16, local string) {
		r := m.to.resolvers[w.rand.IntN(len(m.to.resolvers))]
		var e spftrack.Event
		e.Kind, e.QType, e.ClientIP, e.Forged, e.SenderDomain = kind, qtype, m.client, m.domain, m.domain
		if kind == spftrack.KindExp {
			e.SenderLocal, e.HELO = local, m.heloOfMail
		}
		seen = w.query(r, &e, now) || seen
		now += time.Duration(2+w.rand.IntN(80)) * time.Millisecond
	}
	check := func(local string) {
		if m.to.fetches && m.to.expFirst {
			ask(spftrack.KindExp, spftrack.TypeTXT, local)
		}
		ask(spftrack.KindExists, spftrack.TypeA, "")
		if m.to.aaaa {
			ask(spftrack.KindExists, spftrack.TypeAAAA, "")
		}
		if m.to.fetches && !m.to.expFirst {
			ask(spftrack.KindExp, spftrack.TypeTXT, local)
		}
	}
	if m.to.helo && m.heloOfMail == m.domain {
		check("postmaster")
		now += time.Duration(w.rand.IntN(1000)) * time.Millisecond
	}
	check(m.sender)
	return seen
}

// query asks the nameservers unless the answer is cached; true when it asks.
func (w *world) query(r *resolver, e *spftrack.Event, now time.Duration) bool {
	key := fmt.Sprint(e.Kind, e.QType, e.ClientIP, e.Forged, e.SenderLocal, e.HELO)
	early := r.earlyNODATA
	if e.Kind == spftrack.KindExp {
		early = r.early
	}
	if ends, ok := r.cached[key]; ok && now < ends-early {
		return false
	}
	keep := ttl
	if e.Kind == spftrack.KindExists && r.together {
		if r.soa <= now {
			r.soa = now + ttl
		}
		keep = r.soa - now
	}
	r.cached[key] = now + keep
	for {
		w.record(r, e, now)
		if w.rand.Float64() >= w.lost {
			return true
		}
		now += time.Duration(400+w.rand.IntN(400)) * time.Millisecond
	}
}

func (w *world) record(r *resolver, e *spftrack.Event, now time.Duration) {
	server, family := 0, 0
	if r.wanders || w.rand.IntN(100) == 0 {
		server, family = w.rand.IntN(w.journals), w.rand.IntN(w.families)
	}
	addr := r.v4
	if family == 1 {
		addr = r.v6
	}
	got := *e
	got.Zone, got.Resolver = "_spf.example.net", netip.AddrPortFrom(addr, 5353)
	got.Time = int64(now) + int64(w.rand.IntN(int(10*time.Millisecond)))
	w.events[server] = append(w.events[server], got)
}

// attempts counts the attempts of all journals together, and those of each client,
// domain and sender, of which an exists: query tells none.
func (w *world) attempts() (n int, of map[string]int) {
	all := slices.Concat(w.events...)
	slices.SortStableFunc(all, func(a, b spftrack.Event) int { return int(a.Time - b.Time) })
	of = make(map[string]int)
	fold := attempt.New(attempt.Default, func(e *spftrack.Event) error {
		if attempt.Is(e) {
			n++
			of[fmt.Sprint(e.ClientIP, " ", e.Forged)]++
		}
		return nil
	})
	for i := range all {
		all[i].Seq = uint64(i + 1)
		_ = fold.Push(&all[i])
	}
	_ = fold.Flush()
	return n, of
}
