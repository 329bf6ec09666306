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
	// one is the query that waits, if there is but one, as is usual; many are all
	// of several, nil as long as there were none.
	one  [1]waiting
	many *[]waiting
	// a is the time of the last exists: query of type A, if askedA.
	a      int64
	askedA bool
}

// waiting is a query that waits.
type waiting struct {
	time int64
	seq  uint64
	pair uint64
	role role
}

// role is what a query waits as; 0 for one that does not wait.
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

// openOf returns what is known of a group, valid until the next call.
func (m *marker) openOf(group uint64, now int64) *open {
	if o := m.open.young.ref(group); o != nil {
		return o
	}
	o, _ := m.open.old.get(group)
	return m.open.put(group, o, now)
}

// waiting returns the queries that wait.
func (o *open) waiting() []waiting {
	switch {
	case o.many != nil:
		return *o.many
	case o.one[0].role != 0:
		return o.one[:]
	}
	return nil
}

func (o *open) add(w waiting) {
	switch {
	case o.many == nil && o.one[0].role == 0:
		o.one[0] = w
		return
	case o.many == nil:
		o.many = &[]waiting{o.one[0]}
	case len(*o.many) == maxOpen:
		*o.many = slices.Delete(*o.many, 0, 1)
	}
	*o.many = append(*o.many, w)
}

// remove removes the query at a place.
func (o *open) remove(at int) {
	if o.many == nil {
		o.one[0] = waiting{}
		return
	}
	*o.many = slices.Delete(*o.many, at, at+1)
}

// drop removes the queries of a pair that wait in one of some roles.
func (o *open) drop(pair uint64, roles role) {
	list := o.waiting()
	for i := len(list) - 1; i >= 0; i-- {
		if list[i].pair == pair && list[i].role&roles != 0 {
			o.remove(i)
			list = o.waiting()
		}
	}
}

// take removes and returns the query in one of some roles that is nearest: one
// of the pair within a span, or else one of another pair within the span
// others.
func (o *open) take(roles role, pair uint64, now int64, span, others time.Duration) (best waiting, ok bool) {
	at, own := -1, false
	list := o.waiting()
	for i, w := range list {
		mine := w.pair == pair
		if w.role&roles == 0 || own && !mine || !Within(now, w.time, span) || !mine && !Within(now, w.time, others) {
			continue
		}
		if at < 0 || mine && !own || distance(now, w.time) <= distance(now, list[at].time) {
			at, own = i, mine
		}
	}
	if at < 0 {
		return best, false
	}
	best = list[at]
	o.remove(at)
	return best, true
}

func distance(a, b int64) uint64 {
	if a < b {
		a, b = b, a
	}
	return uint64(a) - uint64(b)
}
