package attempt

import (
	"slices"
	"time"
)

// open is what is known of the queries that agree in client address and domain,
// whatever resolver they came from, and that wait for a query from another
// network.
//
// A resolver with an IPv4 and an IPv6 address chooses between them for each
// query, and a receiver with several resolvers between these. So exists: may
// come from one network and exp= from another. Each exp= query takes over at most one
// exists: query of another network, so that the messages that several receivers
// get from one client at the same time stay apart.
type open struct {
	waiting []waiting
	// a is the time of the last exists: query of type A, if askedA.
	a      int64
	askedA bool
	// first is the memory of the first that waits.
	first [1]waiting
}

// waiting is a query that waits.
type waiting struct {
	time int64
	seq  uint64
	pair uint64
	role role
}

// role is what a query waits as.
type role uint8

const (
	// existsA and existsAAAA are attempts that no exp= query has taken over.
	existsA role = 1 << iota
	existsAAAA
	// expAlone is an exp= query without exists: query.
	expAlone
	// heloCheck is an attempt that may be a check of HELO, mailCheck one of a
	// message that such a check may belong to.
	heloCheck
	mailCheck
)

// maxOpen bounds the number of queries that wait for each client and domain.
const maxOpen = 64

// openOf returns what is known of a group.
func (m *marker) openOf(group uint64, now int64) *open {
	if o, ok := m.open.young.get(group); ok {
		return o
	}
	o, ok := m.open.get(group)
	if !ok {
		if len(m.fresh) == 0 {
			m.fresh = make([]open, 64)
		}
		o, m.fresh = &m.fresh[0], m.fresh[1:]
		o.waiting = o.first[:0]
	}
	m.open.put(group, o, now)
	return o
}

func (o *open) add(w waiting) {
	if len(o.waiting) == maxOpen {
		o.waiting = slices.Delete(o.waiting, 0, 1)
	}
	o.waiting = append(o.waiting, w)
}

// drop removes the queries of a pair that wait in one of some roles.
func (o *open) drop(pair uint64, roles role) {
	o.waiting = slices.DeleteFunc(o.waiting, func(w waiting) bool { return w.pair == pair && w.role&roles != 0 })
}

// take removes and returns the query in one of some roles that is nearest: one
// of the pair within a span, or else one of another pair within the span
// others.
func (o *open) take(roles role, pair uint64, now int64, span, others time.Duration) (best waiting, ok bool) {
	at, own := -1, false
	for i, w := range o.waiting {
		mine := w.pair == pair
		if w.role&roles == 0 || own && !mine || !Within(now, w.time, span) || !mine && !Within(now, w.time, others) {
			continue
		}
		if at < 0 || mine && !own || distance(now, w.time) <= distance(now, o.waiting[at].time) {
			at, own = i, mine
		}
	}
	if at < 0 {
		return best, false
	}
	best = o.waiting[at]
	o.waiting = slices.Delete(o.waiting, at, at+1)
	return best, true
}

func distance(a, b int64) uint64 {
	if a < b {
		a, b = b, a
	}
	return uint64(a) - uint64(b)
}
