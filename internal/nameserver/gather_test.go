package nameserver

import (
	"testing"
	"time"
)

// Messages gather when many come, a few at a time: not when few come, and not when
// batches are large anyway.
func TestGather(t *testing.T) {
	for name, c := range map[string]struct {
		n    int
		gap  time.Duration
		want bool
	}{
		"first":                 {1, time.Hour, false},
		"1,000 a second":        {1, time.Millisecond, false},
		"two at once":           {2, time.Millisecond, false},
		"40,000 a second":       {1, 25 * time.Microsecond, false},
		"100,000 a second":      {1, 10 * time.Microsecond, true},
		"while they gather":     {8, 110 * time.Microsecond, true},
		"they become fewer":     {7, 110 * time.Microsecond, false},
		"while more gather":     {11, 110 * time.Microsecond, true},
		"enough at a time":      {gatherUpTo, 110 * time.Microsecond, false},
		"a full batch":          {batchSize, 250 * time.Microsecond, false},
		"a burst after a pause": {gatherUpTo - 1, time.Second, false},
	} {
		now := time.Now()
		g := gatherer{last: now.Add(-c.gap)}
		if g.received(c.n, now); g.gather != c.want {
			t.Errorf("%s: %v, want %v", name, g.gather, c.want)
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
