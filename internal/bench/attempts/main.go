// Attempts measures how well the rules of internal/attempt count messages. It
// plays receivers behind models of Unbound, BIND, Knot Resolver and PowerDNS Recursor, where
// it is known which query belongs to which message:
//
//	go run ./internal/bench/attempts
//
// It prints a table in Markdown, with a row for each scenario and ranges over the four
// resolvers: messages sent, those of which a query got past the resolver's cache, and
// attempts counted, with one nameserver or two and over one address family or
// two. It ends with 1 when a scenario is out of its bounds.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Println("| scenario | sent | seen | attempts: 1 nameserver, 1 family | 2, 1 | 1, 2 | 2, 2 | furthest off |")
	fmt.Println("|---|---|---|---|---|---|---|---|")
	failed := false
	for i := range scenarios {
		sc := &scenarios[i]
		var seen span
		var furthest float64
		attempts := make([]span, len(setups))
		sent := 0
		for _, s := range softwares {
			for k, n := range setups {
				r := sc.play(s, n.journals, n.families)
				sent = r.sent
				seen.add(r.seen)
				attempts[k].add(r.attempts)
				if e := r.error(); max(e, -e) > max(furthest, -furthest) {
					furthest = e
				}
				if problem := sc.problem(&r); problem != "" {
					failed = true
					fmt.Fprintf(os.Stderr, "%s, %s, %+v: %s: %+v\n", sc.name, s.name, n, problem, r)
				}
			}
		}
		fmt.Printf("| %s | %d | %v |", sc.name, sent, seen)
		for _, a := range attempts {
			fmt.Printf(" %v |", a)
		}
		fmt.Printf(" %+.1f %% |\n", 100*furthest)
	}
	if failed {
		os.Exit(1)
	}
}

// span is the range of some numbers.
type span struct{ least, most int }

func (s *span) add(n int) {
	if *s == (span{}) {
		*s = span{n, n}
	}
	s.least, s.most = min(s.least, n), max(s.most, n)
}

func (s span) String() string {
	if s.least == s.most {
		return fmt.Sprint(s.least)
	}
	return fmt.Sprintf("%d to %d", s.least, s.most)
}

// setups are numbers of nameservers and of address families.
var setups = []struct{ journals, families int }{{1, 1}, {2, 1}, {1, 2}, {2, 2}}

// problem says what is wrong with a result, "" when it is within its bounds.
func (sc *scenario) problem(r *result) string {
	switch e := r.error(); {
	case r.merged > 0:
		return fmt.Sprintf("%d clients merged with others", r.merged)
	case e > sc.within || -e > sc.within:
		return "out of bounds"
	}
	return ""
}
