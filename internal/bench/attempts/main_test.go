package main

import "testing"

// TestScenarios holds the rules to the bounds of each scenario, behind each
// resolver: above all, 300 messages are 295 to 305 attempts, whether their
// queries come to one nameserver or two, over one address family or two, and
// no client is counted as another.
func TestScenarios(t *testing.T) {
	for i := range scenarios {
		sc := &scenarios[i]
		for _, s := range softwares {
			for _, n := range setups {
				r := sc.play(s, n.journals, n.families)
				if problem := sc.problem(&r); problem != "" {
					t.Errorf("%s, %s, %d nameservers, %d families: %s: %+v", sc.name, s.name, n.journals, n.families, problem, r)
				}
			}
		}
	}
}
