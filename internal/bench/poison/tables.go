package main

import (
	"fmt"
	"io"
	"net/netip"
	"time"
)

// seen says how a forger is seen by honest receivers.
type seen struct {
	// receivers is how many get mail of it each day it is active, days how many these are.
	receivers, days int
	// least is the share that must be corroborated, in percent.
	least int
}

var forgers = []seen{
	{2, 1, 0}, {5, 1, 0}, {10, 1, 60}, {30, 1, 95}, {2, 7, 30}, {5, 7, 90}, {2, 30, 90}, {5, 30, 95},
}

// knocking is the share of forgers that also send mail, in the name of a listed domain, to the
// SMTP listener: one in so many.
const knocking = 3

// tables writes the tables, and says what is not as it should be.
func tables(out io.Writer, s size) (problems []string, err error) {
	fmt.Fprintln(out, "| attack | what it takes | innocent addresses | corroborated | confirmed |")
	fmt.Fprintln(out, "|---|---|---|---|---|")
	for i := range attacks {
		a := &attacks[i]
		n, r, err := a.play(s)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", a.name, err)
		}
		fmt.Fprintf(out, "| %s | %s | %d | %d | %d |\n", a.name, a.takes, n, r.corroborated, r.confirmed)
		for _, t := range []struct {
			name    string
			got     int
			reaches bool
		}{{"corroborated", r.corroborated, a.corroborated}, {"confirmed", r.confirmed, a.confirmed}} {
			if (t.got > 0) != t.reaches {
				problems = append(problems, fmt.Sprintf("%s: %d of %d innocent addresses are %s", a.name, t.got, n, t.name))
			}
		}
	}
	w, err := steady()
	if err != nil {
		return nil, err
	}
	if w != (result{2, 1}) {
		problems = append(problems, fmt.Sprintf("of two forgers seen by 5 verified receivers, one of which knocks: %+v", w))
	}
	fmt.Fprintln(out)
	fmt.Fprintln(out, "| receivers a day that see a forger | days | forgers | corroborated | confirmed, when a third of them sends mail to the listener |")
	fmt.Fprintln(out, "|---|---|---|---|---|")
	for _, f := range forgers {
		if f.days > s.days {
			continue
		}
		r, err := f.play(s)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(out, "| %d | %d | %d | %d %% | %d %% |\n", f.receivers, f.days, s.forgers, 100*r.corroborated/s.forgers, 100*r.confirmed/s.forgers)
		if 100*r.corroborated/s.forgers < f.least {
			problems = append(problems, fmt.Sprintf("of %d forgers seen by %d receivers on %d days, %d are corroborated", s.forgers, f.receivers, f.days, r.corroborated))
		}
	}
	return problems, nil
}

// play has honest receivers see forgers, each of which forges a few domains.
func (f seen) play(s size) (r result, err error) {
	w, err := newWorld(2)
	if err != nil {
		return r, err
	}
	defer w.Close()
	w.honestDays(size{days: 2})
	for i := range s.forgers {
		first := w.random.IntN(domainCount)
		for day := range f.days {
			for _, to := range w.some(f.receivers) {
				w.mail(w.anyTime(day), to, forger(i), domain(first+w.random.IntN(5)))
			}
			if i%knocking == 0 {
				w.session(w.anyTime(day), forger(i), domain(first))
			}
		}
	}
	return w.weigh(func(a netip.Addr) bool { return isForger(a) && a.Less(forger(1<<20)) })
}

// steady has two forgers, seen by 5 receivers with verified resolvers of their own about 2
// domains in 2 hours; the first also knocks.
func steady() (r result, err error) {
	w, err := newWorld(3)
	if err != nil {
		return r, err
	}
	defer w.Close()
	for i := range 2 {
		n := 0
		for _, to := range w.receivers {
			if to.software != bind || n == 5 {
				continue
			}
			to.asked = 2
			w.mail(begin.Add(time.Duration(n%2)*time.Hour), to, forger(i), domain(n%2))
			n++
		}
	}
	w.session(begin.Add(3*time.Hour), forger(0), domain(1))
	return w.weigh(isForger)
}
