package main

import (
	"fmt"
	"net/netip"
	"time"

	"nullspf/spftrack"
)

// attack is a way to have innocent addresses listed.
type attack struct {
	name string
	// takes says what the attacker needs.
	takes string
	// all: it claims all victims, not a thousandth; most bounds them when not 0.
	all  bool
	most int
	// corroborated and confirmed are the tiers that it reaches, which the documents say.
	corroborated, confirmed bool
	// run records the attack on n victims. Honest traffic has been recorded.
	run func(w *world, n int) error
}

// ask has hosts of the attacker ask about all victims from some resolvers, about 2 domains in
// 2 hours, over and over.
func ask(w *world, n int, verified bool, resolvers ...netip.Addr) {
	for i := range n {
		for k, r := range resolvers {
			for hour := range 2 {
				w.query(begin.Add(time.Duration(hour)*time.Hour+time.Duration(i)*time.Millisecond), victim(i), domain(i+k+hour), r, verified)
			}
		}
	}
}

func hosts(networks int) (list []netip.Addr) {
	for i := range networks {
		list = append(list, attackerHost(i, 1))
	}
	return list
}

func askThree(w *world, n int) { ask(w, n, true, hosts(3)...) }

// each calls f for each victim with a time near the queries.
func each(n int, f func(at time.Time, v netip.Addr, i int)) {
	for i := range n {
		f(begin.Add(90*time.Minute), victim(i), i)
	}
}

var attacks = []attack{
	{name: "spoofed UDP, 4,096 sources in 256 networks", takes: "a machine that may spoof", all: true, run: func(w *world, n int) error {
		// Each victim is claimed by many sources; a few queries each are as good as all.
		for i := range n {
			for k := range 6 {
				source := (i*7 + k) % 4096
				w.query(begin.Add(time.Duration(k%3)*time.Hour), victim(i), domain(i+k), attackerHost(source%256, source/256), false)
			}
		}
		return nil
	}},
	{name: "TCP from 200 hosts of 1 network", takes: "a server", run: func(w *world, n int) error {
		var list []netip.Addr
		for i := range 200 {
			list = append(list, attackerHost(1, i+1))
		}
		ask(w, n, true, list...)
		return nil
	}},
	{name: "TCP from 1,000 hosts in 2 networks, and 3 public resolvers", takes: "1,000 servers at 2 hosters", run: func(w *world, n int) error {
		ask(w, n, true, publicResolvers...)
		for i := range n {
			for k := range 40 {
				at := begin.Add(time.Duration(k%3) * time.Hour)
				w.query(at, victim(i), domain(k), attackerHost(k%2, w.random.IntN(500)), true)
			}
			w.session(begin.Add(time.Hour), attackerHost(i%2, i/2%500), domain(i))
		}
		return nil
	}},
	{name: "TCP from 3 networks, 1 domain", takes: "3 servers", run: func(w *world, n int) error {
		for i := range n {
			for k, r := range hosts(3) {
				w.query(begin.Add(time.Duration(k)*time.Hour), victim(i), "www."[:k%2*4]+domain(7), r, true)
			}
		}
		return nil
	}},
	{name: "TCP from 3 networks, 2 domains, 1 hour", takes: "3 servers", run: func(w *world, n int) error {
		for i := range n {
			for k, r := range hosts(3) {
				w.query(begin.Add(time.Duration(k)*time.Minute), victim(i), domain(k), r, true)
			}
		}
		return nil
	}},
	{name: "mail whose names are chosen to be read as the victim's, to 40 receivers", takes: "a host that sends mail", most: 20, run: func(w *world, n int) error {
		for _, layout := range layouts {
			known := func(d string) bool { l, ok := listed(d); return ok && l == d }
			p := spftrack.NewParser("_spf.example.net", []spftrack.Layout{layout}, known)
			for i := range n {
				for k, r := range w.some(40) {
					if err := w.crafted(p, layout, begin.Add(time.Duration(k)*time.Hour), r, victim(i), attackerHost(1, 1), k); err != nil {
						return err
					}
				}
			}
		}
		return nil
	}},
	{name: "TCP from 3 networks", takes: "3 servers", corroborated: true, run: func(w *world, n int) error {
		askThree(w, n)
		return nil
	}},
	{name: "open resolvers in 3 networks, which are verified", takes: "a list of open resolvers", corroborated: true, run: func(w *world, n int) error {
		ask(w, n, true, openResolver(1), openResolver(2), openResolver(3))
		return nil
	}},
	{name: "an SPF record of the attacker that names the victim, mail to 40 receivers", takes: "a domain and a host that sends mail", corroborated: true, run: func(w *world, n int) error {
		for i := range n {
			for k, r := range w.some(40) {
				w.mail(begin.Add(time.Duration(k%2)*time.Hour), r, victim(i), domain(k))
			}
		}
		return nil
	}},
	{name: "3 networks, and the victim is made to send bounces and to check senders at the listener", takes: "3 servers and some mail", corroborated: true, run: func(w *world, n int) error {
		askThree(w, n)
		each(n, func(at time.Time, v netip.Addr, _ int) { w.session(at, v, "") })
		return nil
	}},
	{name: "3 networks, and the victim is made to send mail of its own to the listener, by a form", takes: "3 servers and a form", corroborated: true, run: func(w *world, n int) error {
		askThree(w, n)
		each(n, func(at time.Time, v netip.Addr, i int) { w.session(at, v, fmt.Sprintf("victim%d.example.org", i)) })
		return nil
	}},
	{name: "3 networks, and forged reports of 50 reporters that nobody trusts", takes: "3 servers and 50 mails", corroborated: true, run: func(w *world, n int) error {
		askThree(w, n)
		each(n, func(at time.Time, v netip.Addr, _ int) {
			for k := range 50 {
				w.report(at, v, domain(k), fmt.Sprintf("reporter%d.example.org", k))
			}
		})
		return nil
	}},
	{name: "3 networks, and forged reports of 1 trusted reporter", takes: "3 servers and a mail that passes DMARC in its name", corroborated: true, run: func(w *world, n int) error {
		askThree(w, n)
		each(n, func(at time.Time, v netip.Addr, i int) { w.report(at, v, domain(i), trusted[0]) })
		return nil
	}},
	{name: "3 networks, and forged reports of 2 trusted reporters", takes: "3 servers and mail that passes DMARC in the names of both, or a mailbox that does not check", corroborated: true, confirmed: true, run: func(w *world, n int) error {
		askThree(w, n)
		each(n, func(at time.Time, v netip.Addr, i int) {
			for _, reporter := range trusted {
				w.report(at, v, domain(i), reporter)
			}
		})
		return nil
	}},
	{name: "3 networks, and a victim that forwards mail to the listener with its sender", takes: "3 servers, and an account at such a forwarder", corroborated: true, confirmed: true, run: func(w *world, n int) error {
		askThree(w, n)
		each(n, func(at time.Time, v netip.Addr, i int) { w.session(at, v, domain(i)) })
		return nil
	}},
	{name: "no attack: the victim forwards 5 forged messages a day with their senders, each to another receiver, 7 days", takes: "nothing", corroborated: true, run: func(w *world, n int) error {
		each(n, func(at time.Time, v netip.Addr, i int) {
			for day := range 7 {
				for k, r := range w.some(5) {
					w.mail(w.anyTime(day), r, v, domain(i+k))
				}
			}
		})
		return nil
	}},
}

// play runs an attack among honest traffic.
func (a *attack) play(s size) (victims int, r result, err error) {
	w, err := newWorld(1)
	if err != nil {
		return 0, r, err
	}
	defer w.Close()
	w.honestDays(s)
	victims = s.victims / 1000
	if a.all {
		victims = s.victims
	}
	if a.most > 0 {
		victims = min(victims, a.most)
	}
	if err := a.run(w, victims); err != nil {
		return 0, r, err
	}
	r, err = w.weigh(isVictim)
	return victims, r, err
}
