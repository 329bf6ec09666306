package attempt

import (
	"math/rand/v2"
	"testing"
)

// TestTable does the same to a table and to a map, with keys that lie close
// together and those with a meaning of their own.
func TestTable(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 2))
	var table table[int]
	want := make(map[uint64]int)
	for i := range 300_000 {
		key := 1 + rng.Uint64N(1<<(4+i/20_000))
		if rng.IntN(2) == 0 {
			key |= 1 << 40
		}
		switch rng.IntN(4) {
		case 0, 1:
			table.put(key, i)
			want[key] = i
		case 2:
			table.drop(gone)
			table.drop(key)
			delete(want, key)
		}
		got, ok := table.get(key)
		if v, there := want[key]; ok != there || got != v || table.n != len(want) {
			t.Fatalf("step %d, key %d: %d, %v, want %d, %v; %d keys, want %d", i, key, got, ok, v, there, table.n, len(want))
		}
		if i%50_000 == 49_999 {
			table.reset(rng.IntN(100))
			clear(want)
		}
	}
}
