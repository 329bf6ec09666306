package tally

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
)

// TestCounter counts random texts of several workers, with room for all of them and
// with room for few, beside other sorted counts.
func TestCounter(t *testing.T) {
	t.Parallel()
	for seed := range uint64(6) {
		rng := rand.New(rand.NewPCG(seed, 1))
		budget := 1 << 30
		if seed%2 == 0 {
			// A table has a piece of a megabyte at least.
			budget = 1<<20 + 100_000
		}
		counters := []*Counter{NewCounter(budget), NewCounter(budget), NewCounter(budget)}
		truth := make(map[string]uint64)
		for range 40_000 {
			text := fmt.Sprint(int(rng.ExpFloat64() * 200))
			switch rng.IntN(4) {
			case 0:
				text = fmt.Sprintf("%0*d", rng.IntN(300), rng.IntN(100_000))
			case 1:
				text = fmt.Sprint("rare", rng.IntN(100_000))
			}
			n := uint64(1 + rng.IntN(3))
			buf := []byte(text)
			c := counters[rng.IntN(3)]
			if err := c.Add(view(buf), n); err != nil {
				t.Fatal(err)
			}
			if slots := 16 * len(c.table.slots); slots > budget-1<<20 {
				t.Fatalf("%d bytes of slots", slots)
			}
			// The counter must not keep memory of others.
			clear(buf)
			truth[text] += n
		}
		spilled := len(counters[0].runs) > 0
		if spilled != (seed%2 == 0) {
			t.Errorf("seed %d: %d runs", seed, len(counters[0].runs))
		}
		var others []Run
		if seed%3 == 0 {
			other := NewTable()
			for _, text := range []string{"", "0", "rare", "zz"} {
				other.Add(text, 7)
				truth[text] += 7
			}
			run, err := other.sorted(nil)
			if err != nil {
				t.Fatal(err)
			}
			others = append(others, run)
		}
		ranks := Ranks{Most: 50}
		held := make(map[string]uint64)
		var mu sync.Mutex
		workers := 1 + int(seed%4)
		err := Total(nil, counters, others, workers, func(worker int, text string, n uint64) error {
			mu.Lock()
			defer mu.Unlock()
			if held[text] > 0 || worker >= workers {
				return fmt.Errorf("%q comes twice, or from worker %d", text, worker)
			}
			held[string([]byte(text))] = n
			ranks.Add(text, n)
			return nil
		})
		if err != nil || !maps.Equal(held, truth) {
			t.Fatalf("seed %d: %d texts, want %d: %v", seed, len(held), len(truth), err)
		}
		var want []Rank
		for text, n := range truth {
			want = append(want, Rank{text, n})
		}
		slices.SortFunc(want, func(a, b Rank) int { return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.Text, b.Text)) })
		if got := ranks.List(); !slices.Equal(got, want[:50]) {
			t.Errorf("seed %d: %v, want %v", seed, got, want[:50])
		}
		for _, c := range counters {
			c.Close()
		}
	}
}

// TestNotWanted ends what takes long when nobody waits for the answer any more: to sort a full table, to write
// it, and to add up.
func TestNotWanted(t *testing.T) {
	t.Parallel()
	gone := errors.New("gone")
	// after is wanted until it was asked n times.
	after := func(n int) func() error {
		return func() error {
			if n--; n < 0 {
				return gone
			}
			return nil
		}
	}
	fill := func(c *Counter) error {
		for i := range 40_000 {
			if err := c.Add(fmt.Sprint("text number ", i*7919%40_000), 1); err != nil {
				return err
			}
		}
		return nil
	}
	const small = 1<<20 + 300_000
	for _, asked := range []int{0, 1, 20} {
		c := NewCounter(small)
		defer c.Close()
		c.Wanted = after(asked)
		if err := fill(c); err != gone || len(c.runs) > 0 {
			t.Errorf("asked %d times: %d runs, %v", asked, len(c.runs), err)
		}
	}
	for _, budget := range []int{1 << 30, small} {
		for _, asked := range []int{0, 3} {
			counters := []*Counter{NewCounter(budget), NewCounter(budget)}
			for _, c := range counters {
				defer c.Close()
				if err := fill(c); err != nil {
					t.Fatal(err)
				}
			}
			yielded := 0
			err := Total(after(asked), counters, nil, 1, func(int, string, uint64) error {
				yielded++
				return nil
			})
			if err != gone || yielded > 20_000 {
				t.Errorf("%d bytes, asked %d times: %d of 40000 texts, %v", budget, asked, yielded, err)
			}
		}
	}
}

// TestRanksFew asks for more than there are.
func TestRanksFew(t *testing.T) {
	t.Parallel()
	r := Ranks{Most: 10}
	for i, text := range []string{"b", "c", "a"} {
		r.Add(text, uint64(i/2))
	}
	if got := r.List(); !slices.Equal(got, []Rank{{"a", 1}, {"b", 0}, {"c", 0}}) {
		t.Errorf("%v", got)
	}
	if got := (&Ranks{Most: 1}).List(); len(got) != 0 {
		t.Errorf("%v", got)
	}
}
