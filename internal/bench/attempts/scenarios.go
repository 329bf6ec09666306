package main

import (
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// scenario makes messages for receivers whose resolvers run one software.
type scenario struct {
	name string
	make func(w *world, s *software) []message
	// lost is the share of answers that are lost.
	lost float64
	// within is how far attempts may be from the messages seen, in parts of
	// them.
	within float64
}

const messages = 300

func client(i int) netip.Addr { return netip.AddrFrom4([4]byte{203, 0, byte(i >> 8), byte(i)}) }

// fresh sends each message from a client of its own, to one receiver.
func fresh(change func(w *world, s *software, r *receiver), alter func(i int, m *message)) func(*world, *software) []message {
	return func(w *world, s *software) []message {
		r := &receiver{resolvers: []*resolver{w.resolver(s, 1, 53)}, fetches: true}
		if change != nil {
			change(w, s, r)
		}
		var list []message
		for i := range messages {
			m := message{at: time.Duration(i) * time.Second, to: r, client: client(i), sender: "info", domain: "shop.example", heloOfMail: "mail.example.org"}
			if alter != nil {
				alter(i, &m)
			}
			list = append(list, m)
		}
		return list
	}
}

var scenarios = []scenario{
	{name: "a new client each, exp= fetched", make: fresh(nil, nil), within: 5. / 300},
	{name: "exp= not fetched", make: fresh(func(_ *world, _ *software, r *receiver) { r.fetches = false }, nil), within: 5. / 300},
	{name: "exp= before exists:", make: fresh(func(_ *world, _ *software, r *receiver) { r.expFirst = true }, nil), within: 5. / 300},
	{name: "A and AAAA", make: fresh(func(_ *world, _ *software, r *receiver) { r.aaaa = true }, nil), within: 5. / 300},
	{name: "A and AAAA, no exp=", make: fresh(func(_ *world, _ *software, r *receiver) { r.aaaa, r.fetches = true, false }, nil), within: 5. / 300},
	{name: "HELO checked too, HELO = domain", make: fresh(func(_ *world, _ *software, r *receiver) { r.helo = true },
		func(_ int, m *message) { m.heloOfMail = m.domain }), within: 5. / 300},
	{name: "8 resolvers in one /24", make: fresh(func(w *world, s *software, r *receiver) {
		for i := range 7 {
			r.resolvers = append(r.resolvers, w.resolver(s, 1, 60+i))
		}
	}, nil), within: 5. / 300},
	{name: "4 resolvers in 4 networks", make: fresh(func(w *world, s *software, r *receiver) {
		for i := range 3 {
			r.resolvers = append(r.resolvers, w.resolver(s, 2+i, 53))
		}
	}, nil), within: 5. / 300},
	{name: "two clients at once, one domain", make: fresh(nil, func(i int, m *message) { m.at = time.Duration(i/2) * 2 * time.Second }), within: 5. / 300},
	{name: "1 % of answers lost", make: fresh(nil, nil), lost: 0.01, within: 0.03},
	{name: "one client to 300 receivers in 10 s, half fetch exp=", make: burst, within: 5. / 300},
	{name: "20 clients, a message every 6 s, 3 senders", make: steady(20, 25, 6*time.Second, 3), within: 0.05},
	{name: "one client, a message a second", make: steady(1, 300, time.Second, 1), within: 0.5},
}

// burst is one client that sends to many receivers at once.
func burst(w *world, s *software) []message {
	var list []message
	for i := range messages {
		r := &receiver{resolvers: []*resolver{w.resolver(s, i, 53)}, fetches: i%2 == 0}
		list = append(list, message{at: time.Duration(w.rand.IntN(10_000)) * time.Millisecond, to: r, client: client(1), sender: "info", domain: "shop.example", heloOfMail: "mail.example.org"})
	}
	return inOrder(list)
}

// steady is clients that send over and over to receivers of their own.
func steady(clients, each int, every time.Duration, senders int) func(*world, *software) []message {
	return func(w *world, s *software) []message {
		var list []message
		for c := range clients {
			r := &receiver{resolvers: []*resolver{w.resolver(s, c, 53)}, fetches: true}
			for i := range each {
				list = append(list, message{
					at: time.Duration(i)*every + time.Duration(c)*every/time.Duration(clients), to: r, client: client(c),
					sender: fmt.Sprint("s", i%senders), domain: "shop.example", heloOfMail: "mail.example.org",
				})
			}
		}
		return inOrder(list)
	}
}

func inOrder(list []message) []message {
	slices.SortStableFunc(list, func(a, b message) int { return int(a.at - b.at) })
	return list
}

// result is what became of the messages of a scenario.
type result struct {
	// sent messages, seen: those of which a query arrived, attempts counted.
	sent, seen, attempts int
	// merged are the clients of which messages were seen, but none counted.
	merged int
}

// play plays a scenario.
func (sc *scenario) play(s *software, journals, families int) (r result) {
	w := newWorld(1, journals, families)
	w.lost = sc.lost
	seen := make(map[string]bool)
	for _, m := range sc.make(w, s) {
		r.sent++
		if w.deliver(&m) {
			r.seen++
			seen[fmt.Sprint(m.client, " ", m.domain)] = true
		}
	}
	var of map[string]int
	r.attempts, of = w.attempts()
	for k := range seen {
		if of[k] == 0 {
			r.merged++
		}
	}
	return r
}

// error is how far the attempts are from the messages seen, in parts of them.
func (r *result) error() float64 { return float64(r.attempts-r.seen) / float64(max(r.seen, 1)) }
