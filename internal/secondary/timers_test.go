package secondary

import (
	"math/rand/v2"
	"testing"
)

// TestTimers sets, moves and takes out zones at random: the first is always the
// earliest, and every zone knows its place.
func TestTimers(t *testing.T) {
	var timers timers
	zones := make([]zone, 50)
	for i := range zones {
		zones[i].at = never
	}
	for range 5000 {
		z := &zones[rand.IntN(len(zones))]
		at := instant(rand.IntN(100))
		if rand.IntN(3) == 0 {
			at = never
		}
		timers.set(z, at)
		earliest, in := never, 0
		for i := range zones {
			z := &zones[i]
			earliest = min(earliest, z.at)
			if (z.place > 0) != (z.at != never) || z.place > 0 && timers[z.place-1] != z {
				t.Fatalf("a zone with the time %d has the place %d", z.at, z.place)
			}
			if z.place > 0 {
				in++
			}
		}
		if in != len(timers) || in > 0 && timers[0].at != earliest {
			t.Fatalf("%d of %d zones, the first at %d, want %d", len(timers), in, timers[0].at, earliest)
		}
	}
}
