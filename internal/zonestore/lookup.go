package zonestore

import "nullspf/internal/ascii"

// lookup finds the node of a name without its first labels, and else the place
// where it would stand: the index of the first node behind it.
func (z *Zone) lookup(t *target, first, apex int) (i int, ok bool) {
	return z.lookupChild(t, first, apex, nil)
}

// wildcard does the same for the child "*" of a name without its first labels.
func (z *Zone) wildcard(t *target, encloser, apex int) (i int, ok bool) {
	return z.lookupChild(t, encloser, apex, star)
}

var star = []byte("*")

// lookupChild finds the child with a label, or with nil the name itself.
func (z *Zone) lookupChild(t *target, first, apex int, child []byte) (i int, ok bool) {
	low, high := 0, len(z.nodes)
	for low < high {
		middle := int(uint(low+high) >> 1)
		at := z.nodes[middle]
		size := uint32(z.blob[at])
		switch c := t.compare(first, apex, child, z.blob[at+1:at+1+size]); {
		case c == 0:
			return middle, true
		case c < 0:
			high = middle
		default:
			low = middle + 1
		}
	}
	return low, false
}

// compare orders the child with a label, or with nil the name itself, of a name
// without its first labels, relative to the apex, and the name of a node
// (RFC 4034 section 6.1).
func (t *target) compare(first, apex int, child, labels []byte) int {
	for i := t.labels.Count - apex - 1; i >= first; i-- {
		if len(labels) == 0 {
			return 1
		}
		size := 1 + int(labels[0])
		if c := compareFold(t.label(i)[1:], labels[1:size]); c != 0 {
			return c
		}
		labels = labels[size:]
	}
	switch {
	case child == nil:
		return -len(labels)
	case len(labels) == 0:
		return 1
	}
	size := 1 + int(labels[0])
	if c := compareFold(child, labels[1:size]); c != 0 {
		return c
	}
	return size - len(labels)
}

// compareFold compares a label with one in lower case.
func compareFold(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if c := int(ascii.Lower(a[i])) - int(b[i]); c != 0 {
			return c
		}
	}
	return len(a) - len(b)
}

// common returns how many labels below the apex a name and that of a node have
// in common, counted from the apex.
func (t *target) common(apex int, labels []byte) (n int) {
	for i := t.labels.Count - apex - 1; i >= 0 && len(labels) > 0; i-- {
		size := 1 + int(labels[0])
		if compareFold(t.label(i)[1:], labels[1:size]) != 0 {
			break
		}
		n++
		labels = labels[size:]
	}
	return n
}

// closestEncloser returns the first label of the longest existing ancestor
// (RFC 4592 section 3.3.1) of a name that has no node, which would stand before
// node i; 0 when the name exists all the same, because there are nodes below
// it. In canonical order one of its neighbours is below the closest encloser,
// or is it.
func (z *Zone) closestEncloser(t *target, i, apex int) (first int) {
	n := 0
	if i > 0 {
		n = t.common(apex, z.node(i-1).labels)
	}
	if i < len(z.nodes) {
		n = max(n, t.common(apex, z.node(i).labels))
	}
	return t.labels.Count - apex - n
}

// emptyWildcard reports whether the wildcard that would stand before node i
// exists all the same, because there are nodes below it (RFC 4592 section
// 2.2.2).
func (z *Zone) emptyWildcard(t *target, i, encloser, apex int) bool {
	if i == len(z.nodes) {
		return false
	}
	labels := z.node(i).labels
	above := t.labels.Count - apex - encloser
	if t.common(apex, labels) < above {
		return false
	}
	for range above {
		labels = labels[1+int(labels[0]):]
	}
	return len(labels) > 1 && labels[0] == 1 && labels[1] == '*'
}
