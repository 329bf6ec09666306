package attempt

import "time"

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
	// exists are the queries that are attempts, aaaa those of them that have
	// type AAAA, exp those without exists: query.
	exists, aaaa, exp list
	// a is the time of the last exists: query of type A, if askedA.
	a      int64
	askedA bool
}

// openOf returns what is known of a group.
func (m *marker) openOf(group uint64, now int64) *open {
	o, ok := m.open.get(group)
	if !ok {
		o = new(open)
	}
	m.open.put(group, o, now)
	return o
}

// waiting is a query that waits.
type waiting struct {
	time int64
	seq  uint64
	pair uint64
}

// maxOpen bounds the number of queries that wait in one list.
const maxOpen = 64

// list is queries that wait, the oldest first, at most one of a pair.
type list []waiting

func (l *list) add(w waiting) {
	if len(*l) == maxOpen {
		*l = append((*l)[:0], (*l)[1:]...)
	}
	*l = append(*l, w)
}

// drop removes the query of a pair.
func (l *list) drop(pair uint64) {
	for i := range *l {
		if (*l)[i].pair == pair {
			*l = append((*l)[:i], (*l)[i+1:]...)
			return
		}
	}
}

// nearest removes and returns the query whose time is nearest, of those within
// a span. It removes those without.
func (l *list) nearest(now int64, span time.Duration) (best waiting, ok bool) {
	kept := (*l)[:0]
	for _, w := range *l {
		if Within(now, w.time, span) {
			kept = append(kept, w)
		}
	}
	*l = kept
	at := -1
	for i := range kept {
		if at < 0 || distance(now, kept[i].time) <= distance(now, kept[at].time) {
			at = i
		}
	}
	if at < 0 {
		return best, false
	}
	best = kept[at]
	*l = append(kept[:at], kept[at+1:]...)
	return best, true
}

func distance(a, b int64) uint64 {
	if a < b {
		a, b = b, a
	}
	return uint64(a) - uint64(b)
}
