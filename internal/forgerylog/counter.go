package forgerylog

import (
	"cmp"
	"slices"
	"strings"
)

// maxKeys is how many different values [Engine.Top] counts exactly, provided
// that they have no more than 128 MiB of text.
const maxKeys = 1 << 20

const maxKeyBytes = 128 << 20

// counter counts texts in bounded memory. While there is room it is exact. When
// it is full, the median of all counts is taken off each, and what is left with
// nothing is forgotten (the algorithm of Misra and Gries, many steps at once).
// Each true count then lies between the one held and missed more.
type counter struct {
	// index gives the place of a text in ranks. Its keys are not those that
	// were looked up: they belong to the caller.
	index map[string]int
	ranks []Rank
	// bytes is the length of all texts together.
	bytes             int
	maxKeys, maxBytes int
	// missed is the sum of what was taken off.
	missed uint64
	full   bool
}

func newCounter(maxKeys, maxBytes int) *counter {
	return &counter{index: make(map[string]int), maxKeys: maxKeys, maxBytes: maxBytes}
}

// add counts a text, which is copied when it is new.
func (c *counter) add(value string) {
	if i, found := c.index[value]; found {
		c.ranks[i].Count++
		return
	}
	if len(c.ranks) >= c.maxKeys || c.bytes+len(value) > c.maxBytes {
		c.purge()
	}
	value = strings.Clone(value)
	c.index[value] = len(c.ranks)
	c.ranks = append(c.ranks, Rank{value, 1})
	c.bytes += len(value)
}

// purge makes room: it forgets at least half of the texts.
func (c *counter) purge() {
	c.full = true
	if len(c.ranks) == 0 {
		return
	}
	counts := make([]uint64, len(c.ranks))
	for i := range c.ranks {
		counts[i] = c.ranks[i].Count
	}
	slices.Sort(counts)
	median := counts[len(counts)/2]
	c.missed += median
	c.ranks = slices.DeleteFunc(c.ranks, func(r Rank) bool { return r.Count <= median })
	c.bytes = 0
	clear(c.index)
	for i := range c.ranks {
		r := &c.ranks[i]
		r.Count -= median
		c.bytes += len(r.Value)
		c.index[r.Value] = i
	}
}

// top returns the n texts with the greatest counts, those of equal count in
// alphabetical order. Nothing can be counted after it.
func (c *counter) top(n int) []Rank {
	slices.SortFunc(c.ranks, func(a, b Rank) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Value, b.Value))
	})
	return c.ranks[:min(n, len(c.ranks))]
}
