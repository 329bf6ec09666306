package secondary

import (
	"errors"
	"slices"
	"testing"
	"time"

	"nullspf/internal/xfr"
)

// TestReach: a primary that cannot be reached is left alone after three
// failures, for 2 seconds, then twice as long each time, a minute at most.
func TestReach(t *testing.T) {
	p := newPrimaries(make([]xfr.Primary, 2), func(xfr.Primary) Refresher { return new(fakePrimary) })
	now := instant(1_700_000_000e9)
	closed := &xfr.TransferError{Reason: xfr.ReasonConnect, Err: errors.New("connection refused")}
	for i, pause := range []time.Duration{0, 0, 2, 4, 8, 16, 32, 60, 60} {
		if lost := p.tried(0, closed, now); lost != (i == 2) {
			t.Errorf("failure %d: lost is %v", i+1, lost)
		}
		until := now.add(pause * time.Second)
		order := []int{1}
		if pause == 0 {
			order = []int{0, 1}
		}
		if got := p.order(0, now); !slices.Equal(got, order) {
			t.Errorf("failure %d: asked are %v, want %v", i+1, got, order)
		}
		if now = until; len(p.order(0, now)) != 2 {
			t.Errorf("failure %d: not asked again after %v", i+1, pause*time.Second)
		}
	}
	if p.pausedUntil(now) != 0 {
		t.Error("there is nobody to be asked beside a primary that answers")
	}
	for range unreachable {
		p.tried(1, closed, now)
	}
	p.tried(0, closed, now)
	if got, want := p.pausedUntil(now), now.add(firstPause); got != want {
		t.Errorf("nobody is asked until %v, want %v", got, want)
	}
	// Any answer counts.
	p.tried(1, &xfr.TransferError{Reason: xfr.ReasonRefused, Err: errors.New("REFUSED")}, now)
	if got := p.order(0, now); !slices.Equal(got, []int{1}) {
		t.Errorf("asked are %v, want the one that answers", got)
	}
	p.forgive()
	if got := p.order(1, now); !slices.Equal(got, []int{1, 0}) {
		t.Errorf("asked are %v, want the one that answered last first", got)
	}
}
