package secondary

// urgency orders the zones that wait for a worker.
type urgency uint8

const (
	// urgencyNone: the zone does not wait.
	urgencyNone urgency = iota
	// urgencyAsked: a NOTIFY came, an operator asked, or it is a catalog zone.
	urgencyAsked
	// urgencyFirst: there is no version yet.
	urgencyFirst
	// urgencyTimed: the refresh time is over.
	urgencyTimed

	numUrgencies
)

// fairness: every so many zones the least urgent goes first, so that a flood of
// NOTIFYs does not let others expire.
const fairness = 4

// queue are the zones that wait for a worker: a list for each urgency, linked
// through the zones. It owns the fields waits, before and after of zones.
type queue struct {
	first, last [numUrgencies]*zone
	length      int
	turns       uint
}

// add puts a zone at the end of a list. A zone that waits already moves when it
// became more urgent.
func (q *queue) add(z *zone, u urgency) {
	if z.waits != urgencyNone {
		if z.waits <= u {
			return
		}
		q.remove(z)
	}
	z.waits = u
	z.before, z.after = q.last[u], nil
	if z.before != nil {
		z.before.after = z
	} else {
		q.first[u] = z
	}
	q.last[u] = z
	q.length++
}

// remove takes a zone out, if it is in.
func (q *queue) remove(z *zone) {
	u := z.waits
	if u == urgencyNone {
		return
	}
	if z.before != nil {
		z.before.after = z.after
	} else {
		q.first[u] = z.after
	}
	if z.after != nil {
		z.after.before = z.before
	} else {
		q.last[u] = z.before
	}
	z.before, z.after, z.waits = nil, nil, urgencyNone
	q.length--
}

// next takes out the zone whose turn it is, nil when none waits.
func (q *queue) next() *zone {
	if q.length == 0 {
		return nil
	}
	q.turns++
	var z *zone
	for u := urgencyAsked; u < numUrgencies; u++ {
		if q.first[u] != nil {
			z = q.first[u]
			if q.turns%fairness != 0 {
				break
			}
		}
	}
	q.remove(z)
	return z
}
