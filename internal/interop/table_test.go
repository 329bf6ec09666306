package interop

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"nullspf/internal/attempt"
	"nullspf/spftrack"
)

// table shows what was seen.
func table(journeys []*journey) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "implementation\tpath\tpolicy\tresults\tpackets for the first\tfor all %d\tattempts\twhat arrived\n", len(messages))
	versions := make(map[string]bool)
	for _, j := range journeys {
		for _, c := range j.cells {
			if c.verdicts == nil {
				continue
			}
			versions[j.version] = true
			first, attempts, kinds := c.count()
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%d\t%d\t%s\n", j.implementation.name, j.path.name, c.policy.name,
				c.results(), first, len(c.events), attempts, kinds)
		}
	}
	w.Flush()
	return b.String() + strings.Join(slices.Sorted(maps.Keys(versions)), ", ") + "\n"
}

// results lists the results with their numbers.
func (c *cell) results() string {
	counts := make(map[string]int)
	for _, v := range c.verdicts {
		counts[v.result]++
	}
	return list(counts)
}

// count counts the packets of the first message, and the attempts by what they
// tell.
func (c *cell) count() (first, attempts int, kinds string) {
	counts := make(map[string]int)
	for i := range c.events {
		e := &c.events[i]
		if e.Time <= c.first.UnixNano() {
			first++
		}
		if !attempt.Is(e) {
			continue
		}
		attempts++
		switch {
		case e.Kind == spftrack.KindExists:
			counts["client and domain"]++
		default:
			counts["all"]++
		}
	}
	return first, attempts, list(counts)
}

// list writes counts, ordered by name.
func list(counts map[string]int) string {
	var words []string
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		words = append(words, fmt.Sprintf("%s %d", name, counts[name]))
	}
	return strings.Join(words, ", ")
}
