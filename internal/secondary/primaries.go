package secondary

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"nullspf/internal/xfr"
)

// Refresher refreshes zones of one primary; [xfr.Client] is one. It is
// used by many goroutines at once.
type Refresher interface {
	// Refresh returns the version that the primary has: the one at hand when it
	// has none that is newer. Errors are a [*xfr.TransferError].
	Refresh(ctx context.Context, w xfr.Want) (xfr.Got, error)
	Close()
}

// primaries are those of a group. The lock of the schedule guards reach.
type primaries struct {
	list    []xfr.Primary
	clients []Refresher
	// reach is, for each primary, whether it can be reached.
	reach []reach
}

// reach says whether a primary can be reached.
type reach struct {
	// failures in a row, and until when it is left alone because of them.
	failures int
	until    instant
}

const (
	// unreachable: after so many connections in a row have failed, a primary is
	// left alone for a while, longer each time.
	unreachable = 3
	firstPause  = 2 * time.Second
	lastPause   = time.Minute
)

func newPrimaries(list []xfr.Primary, connect func(xfr.Primary) Refresher) primaries {
	p := primaries{list: list, reach: make([]reach, len(list))}
	for _, primary := range list {
		p.clients = append(p.clients, connect(primary))
	}
	return p
}

// heard notes that a primary can be reached.
func (p *primaries) heard(i int) { p.reach[i] = reach{} }

// tried notes what came of asking a primary, and reports whether it is now left
// alone for the first time.
func (p *primaries) tried(i int, err error, now instant) (lost bool) {
	if !unreached(err) {
		p.heard(i)
		return false
	}
	r := &p.reach[i]
	r.failures++
	if r.failures < unreachable {
		return false
	}
	pause := firstPause
	for n := unreachable; n < r.failures && pause < lastPause; n++ {
		pause *= 2
	}
	r.until = now.add(min(pause, lastPause))
	return r.failures == unreachable
}

// unreached reports whether nobody has answered.
func unreached(err error) bool {
	var t *xfr.TransferError
	return errors.As(err, &t) && (t.Reason == xfr.ReasonConnect || t.Reason == xfr.ReasonIdle)
}

// forgive has primaries asked that could not be reached.
func (p *primaries) forgive() { clear(p.reach) }

// pausedUntil returns until when none of the primaries is asked, 0 when one can
// be.
func (p *primaries) pausedUntil(now instant) (until instant) {
	for i := range p.reach {
		switch r := &p.reach[i]; {
		case r.until <= now:
			return 0
		case until == 0 || r.until < until:
			until = r.until
		}
	}
	return until
}

// order returns the numbers of the primaries to be asked, that which answered
// last first.
func (p *primaries) order(last int, now instant) (order []int) {
	for i := range p.list {
		i = (last + i) % len(p.list)
		if p.reach[i].until <= now {
			order = append(order, i)
		}
	}
	return order
}

// claim reports whether a primary is to be asked beside another that has
// answered. One that has not answered lately is left to one zone at a time.
func (p *primaries) claim(i int, now instant) bool {
	r := &p.reach[i]
	switch {
	case r.failures == 0:
		return true
	case r.until > now:
		return false
	}
	r.until = now.add(lastPause)
	return true
}

// trust says how far a message is believed.
type trust uint8

const (
	// stranger: it is from none of the primaries.
	stranger trust = iota
	// hinting: it has the address of a primary, which anybody can write, and not
	// the signature that this primary has a key for.
	hinting
	// known: it is from a primary.
	known
)

// find returns the number of the primary that a message is from, given its
// address and the key that it is signed with, nil for none.
func (p *primaries) find(client netip.Addr, key *xfr.Key) (number int, t trust) {
	client = client.Unmap()
	for i, primary := range p.list {
		here := primary.Addr.Addr() == client
		signs := primary.Key != nil && key != nil && key.Name == primary.Key.Name && key.Algorithm == primary.Key.Algorithm
		switch {
		case here && (signs || primary.Key == nil):
			return i, known
		case signs && t < known:
			number, t = i, known // from another address: the one at this may follow
		case here && t < hinting:
			number, t = i, hinting
		}
	}
	return number, t
}

func (p *primaries) close() {
	for _, c := range p.clients {
		c.Close()
	}
}
