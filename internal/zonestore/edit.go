package zonestore

import (
	"slices"

	"github.com/miekg/dns"

	"nullspf/internal/wire"
)

// piece is a node of an edited zone that differs from that of its base.
type piece struct {
	// from and to are where the old node stands in the blob of the base; they
	// are equal where there was none.
	from, to uint32
	// start and end are where the new node stands in the blob of all pieces;
	// they are equal when nothing is left.
	start, end uint32
	hashed     bool
}

// splice makes the zone of a builder with a base. The nodes that did not change
// are copied as they are, so that a small edit of a large zone costs little more
// than the copy.
//
//	base:   node node [from  to] node node [from = to] node
//	pieces:           [start             |         end]
func (b *Builder) splice() (*Zone, error) {
	made := &Zone{apex: b.apex}
	var pieces []piece
	count, size := b.base.count, len(b.base.blob)
	for _, e := range b.changed() {
		p := piece{start: uint32(len(made.blob))}
		var old []entry
		p.from, p.to, old = b.base.entriesOf(e[0].labels)
		entries := b.edited(old, e)
		hashed := len(made.hashed)
		if len(entries) > 0 {
			if err := made.encodeNode(entries); err != nil {
				return nil, err
			}
		}
		p.end = uint32(len(made.blob))
		p.hashed = len(made.hashed) > hashed
		count += len(entries) - len(old)
		size += int(p.end-p.start) - int(p.to-p.from)
		pieces = append(pieces, p)
		if max(size, len(made.blob)) > maxBlob {
			return nil, made.fault("it takes more than 4 GiB")
		}
	}
	z := &Zone{apex: b.apex, count: count, soa: b.base.soa}
	z.assemble(b.base, made, pieces, size)
	return z, z.check()
}

// changed returns what identifies the records that were added and removed, in
// order, a list for each owner name.
func (b *Builder) changed() (owners [][]entry) {
	all := make([]entry, 0, len(b.added)+len(b.removed))
	for id := range b.removed {
		all = append(all, id)
	}
	for id := range b.added {
		all = append(all, id)
	}
	slices.SortFunc(all, func(x, y entry) int { return compareLabels(x.labels, y.labels) })
	for len(all) > 0 {
		n := 1
		for n < len(all) && all[n].labels == all[0].labels {
			n++
		}
		owners = append(owners, all[:n])
		all = all[n:]
	}
	return owners
}

// edited returns the records of a node, given the old ones and what changed.
func (b *Builder) edited(old, changes []entry) (entries []entry) {
	for _, e := range old {
		id := e.id()
		if _, again := b.added[id]; !again && !b.removed[id] {
			entries = append(entries, e)
		}
	}
	for _, id := range changes {
		if e, ok := b.added[id]; ok {
			entries = append(entries, e)
		}
	}
	order := func(x, y entry) int { return x.compare(&y) }
	slices.SortFunc(entries, order)
	return slices.CompactFunc(entries, func(x, y entry) bool { return order(x, y) == 0 })
}

// entriesOf returns where the node of an owner name stands, or would stand, and
// its records.
func (z *Zone) entriesOf(labels string) (from, to uint32, entries []entry) {
	from = uint32(len(z.blob))
	for _, list := range [][]uint32{z.nodes, z.hashed} {
		i, ok := z.search(list, labels)
		if ok {
			return list[i], z.endOf(list[i]), z.entriesAt(list[i])
		}
		if i < len(list) {
			from = min(from, list[i])
		}
	}
	return from, from, nil
}

// endOf returns the offset behind a node.
func (z *Zone) endOf(at uint32) uint32 {
	n := z.nodeAt(at)
	rest := n.rrsets
	for range n.count {
		_, rest = readRRset(rest)
	}
	return uint32(len(z.blob) - len(rest))
}

// entriesAt returns the records of a node.
func (z *Zone) entriesAt(at uint32) (entries []entry) {
	n := z.nodeAt(at)
	labels := string(n.labels)
	for s := range n.each {
		b := s.data
		for i := range s.count + s.sigs {
			var data []byte
			data, b = nextData(b)
			e := entry{labels: labels, rrtype: s.typeOf(i), ttl: s.ttl, data: string(data)}
			e.key = wire.FoldData(e.rrtype, e.data)
			entries = append(entries, e)
		}
	}
	return entries
}

// assemble copies the blob of a base with pieces of another in it, and moves
// the offsets of its nodes.
func (z *Zone) assemble(base, made *Zone, pieces []piece, size int) {
	z.blob = make([]byte, 0, size)
	z.nodes = make([]uint32, 0, len(base.nodes)+len(made.nodes))
	z.hashed = make([]uint32, 0, len(base.hashed)+len(made.hashed))
	nodes, hashed := base.nodes, base.hashed
	at := uint32(0)
	keep := func(to uint32) {
		moved := uint32(len(z.blob)) - at // modulo 2³²
		z.nodes, nodes = moveOffsets(z.nodes, nodes, to, moved)
		z.hashed, hashed = moveOffsets(z.hashed, hashed, to, moved)
		z.blob = append(z.blob, base.blob[at:to]...)
	}
	for _, p := range pieces {
		keep(p.from)
		start := uint32(len(z.blob))
		if p.from < p.to {
			// The old node is left out.
			nodes, hashed = notBefore(nodes, p.to), notBefore(hashed, p.to)
		}
		if p.start < p.end {
			if p.hashed {
				z.hashed = append(z.hashed, start)
			} else {
				z.nodes = append(z.nodes, start)
			}
		}
		if p.from == 0 {
			z.soa = made.soa // that of the apex, which comes first
		}
		z.blob = append(z.blob, made.blob[p.start:p.end]...)
		at = p.to
	}
	keep(uint32(len(base.blob)))
	z.trim()
}

// moveOffsets appends those of the offsets that are less than a bound, each
// moved, and returns the others.
func moveOffsets(dst, offsets []uint32, bound, moved uint32) (out, rest []uint32) {
	rest = notBefore(offsets, bound)
	for _, at := range offsets[:len(offsets)-len(rest)] {
		dst = append(dst, at+moved)
	}
	return dst, rest
}

// notBefore returns those of sorted offsets that are not less than a bound.
func notBefore(offsets []uint32, bound uint32) []uint32 {
	i, _ := slices.BinarySearch(offsets, bound)
	return offsets[i:]
}

// trim gives memory back that was reserved and not needed.
func (z *Zone) trim() {
	z.blob, z.nodes, z.hashed = exact(z.blob), exact(z.nodes), exact(z.hashed)
}

// exact returns a slice that takes no more memory than its elements.
func exact[E any](s []E) []E {
	switch {
	case len(s) == 0:
		return nil
	case cap(s) == len(s):
		return s
	}
	return append(make([]E, 0, len(s)), s...)
}

// typeOf returns the type of record i, counted with the signatures.
func (s *zoneRRset) typeOf(i int) uint16 {
	if i >= s.count {
		return dns.TypeRRSIG
	}
	return s.rrtype
}
