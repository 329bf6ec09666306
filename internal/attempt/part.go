package attempt

import (
	"hash/maphash"

	"nullspf/internal/ascii"
	"nullspf/internal/wire"
	"nullspf/spftrack"
)

// A resolver that minimises names (RFC 9156) asks for right parts of a name
// before it asks for the whole one. Some parts read as whole names: those that
// begin with layout words which a forger wrote into HELO or local part, and
// those that are so long that they may be what a receiver has left of a name.
// They are not attempts, and known by the longer name.

// minCut is the length of the shortest name, in bytes of its text, that a
// receiver may have cut.
const minCut = 189

// parts returns the numbers of the attempts that were right parts of an event's
// name, valid until the next call. It remembers the parts, since queries may
// be stored out of order.
func (m *marker) parts(e *spftrack.Event) []uint64 {
	m.superseded = m.superseded[:0]
	if e.Kind != spftrack.KindClassic && !hasFR(e.Name) {
		return nil
	}
	var labels wire.Labels
	labels.Read(e.Name)
	for i := range labels.Count {
		if !readsWhole(e, &labels, i) {
			continue
		}
		hash := m.nameHash(e, int(labels.At[i]))
		if seq, ok := m.names.get(hash); ok {
			m.superseded = append(m.superseded, seq)
		}
		m.longer.put(hash, e.Time, e.Time)
	}
	return m.superseded
}

// hasFR reports whether a name has the label FR, without which no part of it reads
// as a whole one.
func hasFR(name []byte) bool {
	if !ascii.MayHave(name, 'f', 'r') {
		return false
	}
	for len(name) > 2 {
		n := int(name[0])
		if n == 2 && ascii.EqualFold(name[1:3], "fr") {
			return true
		}
		name = name[min(1+n, len(name)):]
	}
	return false
}

// isPart reports whether an exists: query is about a right part, with this
// hash, of another name that the same resolver asked for.
func (m *marker) isPart(e *spftrack.Event, hash uint64) bool {
	time, ok := m.longer.get(hash)
	return ok && Within(e.Time, time, m.windows.Attempt)
}

// forget forgets an attempt that was none.
func (m *marker) forget(e *spftrack.Event, now int64) {
	k := m.keys(e)
	if p, ok := m.pairs.get(k.pair); ok {
		m.retire(&p, now)
	}
	m.starts.drop(k.query)
	m.pairs.drop(k.pair)
	m.openOf(k.group, e.Time).drop(k.pair, existsA|existsAAAA)
}

// readsWhole reports whether the right part of a name that begins at label i
// reads as a whole name of an exists: mechanism, or as one that was cut.
func readsWhole(e *spftrack.Event, labels *wire.Labels, i int) bool {
	is := func(i int, word string) bool {
		return i < labels.Count && ascii.EqualFold(e.Name[labels.At[i]+1:labels.At[i+1]], word)
	}
	if is(i, "cl") && (is(i+5, "fr") || is(i+33, "fr")) {
		// The A query for all of an exp= name may read as classic, too.
		return i > 0 || e.Kind == spftrack.KindExp
	}
	if i == 0 || e.Kind != spftrack.KindClassic {
		return false
	}
	return len(e.Name)-int(labels.At[i])-2 >= minCut || is(i+4, "in-addr") || is(i+32, "ip6")
}

// nameHash hashes the right part of an event's name from an offset on, in lower
// case, with the resolver's network.
func (m *marker) nameHash(e *spftrack.Event, offset int) uint64 {
	b := appendNetwork(m.buf[:0], e.Resolver.Addr())
	b = ascii.AppendLower(b, e.Name[min(offset, len(e.Name)):])
	m.buf = b
	return maphash.Bytes(m.seed, b)
}
