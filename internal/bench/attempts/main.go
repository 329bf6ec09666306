// Attempts measures how well the rules of internal/attempt count messages. It
// plays receivers behind models of Unbound, BIND, Knot Resolver and PowerDNS Recursor, where
// it is known which query belongs to which message:
//
//	go run ./internal/bench/attempts
//
// It prints a table in Markdown: messages sent, those of which a query got past
// the resolver's cache, and attempts counted, with one nameserver or two, over one
// address family or two, and ends with 1 when a scenario is out of its bounds.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Println("| scenario | resolver | sent | seen | attempts: 1 server, 1 family | 2 servers | 2 families | both |")
	fmt.Println("|---|---|---|---|---|---|---|---|")
	failed := false
	for i := range scenarios {
		sc := &scenarios[i]
		for _, s := range softwares {
			var results []result
			for _, n := range setups {
				results = append(results, sc.play(s, n.journals, n.families))
			}
			fmt.Printf("| %s | %s | %d | %d ", sc.name, s.name, results[0].sent, results[0].seen)
			for _, r := range results {
				note := ""
				if problem := sc.problem(&r); problem != "" {
					failed, note = true, " ("+problem+")"
				}
				fmt.Printf("| %d, %+.1f %%%s ", r.attempts, 100*r.error(), note)
			}
			fmt.Println("|")
		}
	}
	if failed {
		os.Exit(1)
	}
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
