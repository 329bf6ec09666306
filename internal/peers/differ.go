package peers

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Rule is a way in which the answer of another server may differ from ours. It
// explains a known share of the answers; a fault may hide where it explains
// more.
type Rule struct {
	// Name says what differs, Reason why that is right.
	Name, Reason string
	// Most is the largest share of each server's answers, in percent. A server
	// that is not there never differs so.
	Most map[Kind]float64
}

// Differences counts how the answers of another server differ from ours.
type Differences struct {
	Kind               Kind
	asked, differ, odd int
	by                 map[*Rule]int
}

// Add counts an answer with the rules that explain how it differs; explained
// is false when something is left.
func (d *Differences) Add(rules []*Rule, explained bool) {
	if d.by == nil {
		d.by = make(map[*Rule]int)
	}
	d.asked++
	for _, r := range rules {
		d.by[r]++
	}
	if len(rules) > 0 {
		d.differ++
	}
	if !explained {
		d.odd++
	}
}

// Check fails a test when an answer is not explained, or rules explain more
// than their share. Most is the largest share of the answers that differ, in
// percent.
func (d *Differences) Check(t TB, most float64) {
	t.Helper()
	if d.odd > 0 {
		t.Errorf("%s: %d of %d answers are not explained", d.Kind, d.odd, d.asked)
	}
	var table strings.Builder
	share := func(n int, most float64, name, reason string) {
		percent := 100 * float64(n) / float64(d.asked)
		fmt.Fprintf(&table, "\n%7d  %6.3f %%, at most %6.3f %%  %s", n, percent, most, name)
		if percent > most {
			t.Errorf("%s: %.3f %% of the answers are explained only so, more than %.3f %%: %s: %s", d.Kind, percent, most, name, reason)
		}
	}
	byName := func(a, b *Rule) int { return cmp.Compare(a.Name, b.Name) }
	for _, r := range slices.SortedFunc(maps.Keys(d.by), byName) {
		share(d.by[r], r.Most[d.Kind], r.Name, r.Reason)
	}
	share(d.differ, most, "all that differs", "the rules above")
	t.Logf("%s, %d answers%s", d.Kind, d.asked, table.String())
}
