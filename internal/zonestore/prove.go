package zonestore

import (
	"crypto/sha1"
	"encoding/base32"
	"slices"

	"github.com/miekg/dns"

	"nullspf/internal/ascii"
	"nullspf/internal/wire"
)

// The proofs of signed zones: NSEC (RFC 4035 section 3.1.3) and NSEC3 (RFC 5155
// section 7.2). None is written unless DO is set, and none in zones that are not signed.

// proveNoData proves that a name without its first labels has no such type.
// encloser is the first label of the closest encloser of a wildcard, else -1.
func (a *answering) proveNoData(t *target, first, encloser int) {
	if !a.prove {
		return
	}
	if a.zone.nsec3 == nil {
		if encloser < 0 {
			if i, ok := a.zone.lookup(t, first, a.apex); ok {
				a.nsec(i)
			} else {
				a.cover(t, first) // an empty non-terminal
			}
			return
		}
		if i, ok := a.zone.wildcard(t, encloser, a.apex); ok {
			a.nsec(i)
		} else {
			a.coverBefore(i) // an empty non-terminal
		}
		a.cover(t, 0)
		return
	}
	if encloser < 0 {
		if !a.match(t, first) {
			a.proveEncloser(t, first+1) // opt-out (section 7.2.4)
		}
		return
	}
	if a.proveEncloser(t, encloser) != encloser {
		return // what is known of the wildcard of another name says nothing
	}
	// A wildcard above nothing but opted-out delegations has no record: then
	// the one that covers it says so.
	i, _ := a.zone.hash(a.zone.nsec3.hashWildcard(t, encloser))
	a.nsec3(i)
}

// proveNoName proves that neither a name exists nor a wildcard that matches.
func (a *answering) proveNoName(t *target, encloser int) {
	if !a.prove {
		return
	}
	if a.zone.nsec3 == nil {
		a.cover(t, 0)
		a.coverWildcard(t, encloser)
		return
	}
	// Below an opted-out delegation, names that exist without NSEC3 record may
	// stand between the name and its closest encloser that has one; a wildcard
	// there then exists.
	encloser = a.proveEncloser(t, encloser)
	i, _ := a.zone.hash(a.zone.nsec3.hashWildcard(t, encloser))
	a.nsec3(i)
}

// proveWildcard proves that an answer comes from a wildcard.
func (a *answering) proveWildcard(t *target, encloser int) {
	if !a.prove || encloser < 0 {
		return
	}
	if a.zone.nsec3 == nil {
		a.cover(t, 0)
		return
	}
	a.coverHash(a.zone.nsec3.hash(t.from(encloser - 1)))
}

// nsec adds the NSEC RRset of a node, and returns false when it has none.
func (a *answering) nsec(i int) bool {
	n := a.zone.node(i)
	_, ok := n.find(dns.TypeNSEC)
	if ok {
		a.addProof(a.zone.nodes[i])
	}
	return ok
}

// addProof adds the node at an offset to the proofs, once.
func (a *answering) addProof(at uint32) {
	if a.proven < len(a.proofs) && !slices.Contains(a.proofs[:a.proven], at) {
		a.proofs[a.proven] = at
		a.proven++
	}
}

// writeProofs writes the proofs that were collected into the authority section.
func (a *answering) writeProofs() {
	if a.written == a.proven {
		return
	}
	a.section = &a.Authority
	for ; a.written < a.proven; a.written++ {
		n := a.zone.nodeAt(a.proofs[a.written])
		s, ok := n.find(dns.TypeNSEC)
		if !ok {
			s, _ = n.find(dns.TypeNSEC3)
		}
		a.nodeRRset(&n, &s)
	}
}

// nodeRRset writes an RRset with the full name of its node.
func (a *answering) nodeRRset(n *zoneNode, s *zoneRRset) {
	var name [wire.MaxName]byte
	at := len(n.labels)
	end := at
	for rest := n.labels; len(rest) > 0; {
		size := 1 + int(rest[0])
		at -= size
		copy(name[at:], rest[:size])
		rest = rest[size:]
	}
	end += copy(name[end:], a.zone.apex)
	a.rrset(0, name[:end], s, s.ttl)
}

// maxGap bounds how many nodes without NSEC, such as glue, may stand behind one
// that has it.
const maxGap = 1000

// cover adds the NSEC record that covers a name without its first labels.
func (a *answering) cover(t *target, first int) {
	i, _ := a.zone.lookup(t, first, a.apex)
	a.coverBefore(i)
}

func (a *answering) coverWildcard(t *target, encloser int) {
	i, _ := a.zone.wildcard(t, encloser, a.apex)
	a.coverBefore(i)
}

// coverBefore adds the last NSEC record before node i.
func (a *answering) coverBefore(i int) {
	for j := i - 1; j >= max(0, i-maxGap); j-- {
		if a.nsec(j) {
			return
		}
	}
}

// sha1Size is the size of a hash.
const sha1Size = sha1.Size

// hash hashes a name (RFC 5155 section 5).
func (p *nsec3Params) hash(name []byte) (sum [sha1Size]byte) {
	var b [wire.MaxName + 255]byte
	n := len(name)
	for i, c := range name {
		b[i] = ascii.Lower(c)
	}
	for range int(p.iterations) + 1 {
		n += copy(b[n:], p.salt)
		sum = sha1.Sum(b[:n])
		n = copy(b[:], sum[:])
	}
	return sum
}

// hashWildcard hashes the child "*" of a name without its first labels.
func (p *nsec3Params) hashWildcard(t *target, encloser int) [sha1Size]byte {
	var b [wire.MaxName + 2]byte
	n := copy(b[:], "\x01*")
	n += copy(b[n:], t.from(encloser))
	return p.hash(b[:min(n, wire.MaxName)])
}

// hashLabel is the length of the label of a hash, in base32hex.
const hashLabel = (sha1Size*8 + 4) / 5

var hashEncoding = base32.NewEncoding("0123456789abcdefghijklmnopqrstuv").WithPadding(base32.NoPadding)

// hash finds the NSEC3 node with a hash, or else the last before it.
func (z *Zone) hash(sum [sha1Size]byte) (i int, ok bool) {
	var label [hashLabel]byte
	hashEncoding.Encode(label[:], sum[:])
	low, high := 0, len(z.nsec3.chain)
	for low < high {
		middle := int(uint(low+high) >> 1)
		switch c := compareFold(label[:], z.nodeAt(z.nsec3.chain[middle]).labels[1:]); {
		case c == 0:
			return middle, true
		case c < 0:
			high = middle
		default:
			low = middle + 1
		}
	}
	if low == 0 {
		low = len(z.nsec3.chain)
	}
	return low - 1, false
}

// nsec3 adds the NSEC3 RRset of a hash.
func (a *answering) nsec3(i int) { a.addProof(a.zone.nsec3.chain[i]) }

// match adds the NSEC3 record of a name without its first labels, and returns
// false when there is none.
func (a *answering) match(t *target, first int) bool {
	i, ok := a.zone.hash(a.zone.nsec3.hash(t.from(first)))
	if ok {
		a.nsec3(i)
	}
	return ok
}

func (a *answering) coverHash(sum [sha1Size]byte) {
	if i, ok := a.zone.hash(sum); !ok {
		a.nsec3(i)
	}
}

// proveEncloser proves which ancestor of a name, at or above the one without
// its first labels, is the closest that has a NSEC3 record, and that the next
// closer name has none (RFC 5155 section 7.2.1). It returns the first label of
// the ancestor.
func (a *answering) proveEncloser(t *target, first int) int {
	for ; first < t.labels.Count-a.apex; first++ {
		if a.match(t, first) {
			break
		}
	}
	if first == t.labels.Count-a.apex {
		a.match(t, first)
	}
	if first > 0 {
		a.coverHash(a.zone.nsec3.hash(t.from(first - 1)))
	}
	return first
}
