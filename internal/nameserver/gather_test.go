package nameserver

import (
	"testing"
	"time"
)

// Messages gather when many come, a few at a time: not when few come, though in
// bursts, and not when batches are large anyway.
func TestGather(t *testing.T) {
	for name, c := range map[string]struct {
		n    int
		gap  time.Duration
		want bool
	}{
		"1,000 a second":           {1, time.Millisecond, false},
		"two at once":              {2, time.Millisecond, false},
		"40,000 a second":          {1, 25 * time.Microsecond, false},
		"40,000 a second, gathers": {4, 100 * time.Microsecond, false},
		"60,000 a second":          {6, 100 * time.Microsecond, false},
		"80,000 a second":          {8, 100 * time.Microsecond, true},
		"100,000 a second":         {1, 10 * time.Microsecond, true},
		"enough at a time":         {gatherUpTo, 110 * time.Microsecond, false},
		"a full batch":             {batchSize, 250 * time.Microsecond, false},
	} {
		var g gatherer
		now := time.Now()
		for range 1000 {
			now = now.Add(c.gap)
			g.received(c.n, now)
		}
		if g.gather != c.want {
			t.Errorf("%s: %v, want %v", name, g.gather, c.want)
		}
		if g.received(gatherUpTo-1, now.Add(time.Second)); g.gather {
			t.Errorf("%s: a burst after a pause gathers", name)
		}
		if g.received(1, now.Add(time.Second+time.Microsecond)); g.gather {
			t.Errorf("%s: the rest of a burst gathers", name)
		}
	}
}

// Who waits does so for the time that is meant, signals aside.
func TestGatherWaits(t *testing.T) {
	g := gatherer{gather: true}
	for range 100 {
		begin := time.Now()
		if g.wait(); time.Since(begin) >= gatherTime {
			return
		}
	}
	t.Error("never")
}
