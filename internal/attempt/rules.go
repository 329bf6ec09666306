package attempt

import (
	"encoding/binary"
	"hash/maphash"

	"nullspf/spftrack"
)

// pair is what is known of the queries that agree in client address, domain
// and resolver.
type pair struct {
	// exists is the time of the exists: query that is an attempt, seq its
	// number, 0 for none. told: an exp= query took the attempt over.
	exists int64
	seq    uint64
	told   bool
	// exp is the time of the last exp= query, if asked.
	exp   int64
	asked bool
}

// marker sets FlagRetry. Events come to it in order of their sequence numbers.
type marker struct {
	windows Windows
	seed    maphash.Seed
	starts  recent[int64]
	pairs   recent[pair]
	// names are the numbers of the exists: queries by name, longer the times
	// of queries about longer names by their right parts.
	names  recent[uint64]
	longer recent[int64]
	// superseded are the attempts that the last event showed to be none.
	superseded []uint64
	buf        []byte
}

func newMarker(w Windows) *marker {
	return &marker{
		windows: w,
		seed:    maphash.MakeSeed(),
		starts:  recent[int64]{span: w.Attempt},
		pairs:   recent[pair]{span: w.Attempt},
		names:   recent[uint64]{span: w.Attempt},
		longer:  recent[int64]{span: w.Attempt},
	}
}

// see looks at an event. It returns the number of an earlier exists: query
// that this event makes a retry, 0 for none.
func (m *marker) see(e *spftrack.Event) (superseded uint64) {
	m.superseded = m.superseded[:0]
	if !asked(e.Kind) || e.Flags&spftrack.FlagUnparsed != 0 {
		return 0
	}
	var name uint64
	if e.Kind == spftrack.KindExists || e.Kind == spftrack.KindClassic {
		name = m.nameHash(e, 0)
		if m.isPart(e, name) {
			e.Flags |= spftrack.FlagRetry
			return 0
		}
	}
	m.parts(e)
	pairKey, key := m.keys(e)
	switch e.Kind {
	case spftrack.KindExists:
		p, _ := m.pairs.get(pairKey)
		if p.asked && Within(e.Time, p.exp, m.windows.Attempt) || p.seq != 0 && Within(e.Time, p.exists, m.windows.Attempt) {
			e.Flags |= spftrack.FlagRetry
			return 0
		}
		m.pairs.put(pairKey, pair{exists: e.Time, seq: e.Seq, exp: p.exp, asked: p.asked}, e.Time)
		m.names.put(name, e.Seq, e.Time)
		return 0
	case spftrack.KindExp:
		p, _ := m.pairs.get(pairKey)
		if start, ok := m.starts.get(key); ok && Within(e.Time, start, m.windows.Attempt) {
			e.Flags |= spftrack.FlagRetry
		} else {
			m.starts.put(key, e.Time, e.Time)
			if p.seq != 0 && !p.told && Within(e.Time, p.exists, m.windows.Attempt) {
				superseded = p.seq
				p.told = true
			}
		}
		p.exp, p.asked = e.Time, true
		m.pairs.put(pairKey, p, e.Time)
		return superseded
	}
	if start, ok := m.starts.get(key); ok && Within(e.Time, start, m.windows.Attempt) {
		e.Flags |= spftrack.FlagRetry
	} else {
		m.starts.put(key, e.Time, e.Time)
		if name != 0 {
			m.names.put(name, e.Seq, e.Time)
		}
	}
	return 0
}

// remember takes in an event that was marked before.
func (m *marker) remember(e *spftrack.Event) {
	if !asked(e.Kind) {
		return
	}
	m.parts(e)
	pairKey, key := m.keys(e)
	if e.Kind == spftrack.KindExists {
		if Is(e) {
			p, _ := m.pairs.get(pairKey)
			m.pairs.put(pairKey, pair{exists: e.Time, seq: e.Seq, exp: p.exp, asked: p.asked}, e.Time)
		}
		return
	}
	start, ok := m.starts.get(key)
	began := Is(e)
	if e.Kind == spftrack.KindExp {
		p, _ := m.pairs.get(pairKey)
		if p.seq != 0 && !p.told && Within(e.Time, p.exists, m.windows.Attempt) && !(ok && Within(e.Time, start, m.windows.Attempt)) {
			// It is a retry because it took over a query that had counted.
			began, p.told = true, true
		}
		p.exp, p.asked = e.Time, true
		m.pairs.put(pairKey, p, e.Time)
	}
	if began {
		m.starts.put(key, e.Time, e.Time)
	}
}

// keys hash what makes events belong together.
func (m *marker) keys(e *spftrack.Event) (pairKey, key uint64) {
	b := append(m.buf[:0], byte(len(e.Zone)))
	b = append(b, e.Zone...)
	b = appendAddr(b, e)
	b = append(b, byte(len(e.Forged)))
	b = append(b, e.Forged...)
	pairKey = maphash.Bytes(m.seed, b)
	b = binary.LittleEndian.AppendUint64(b[:0], pairKey)
	b = append(b, byte(e.Kind), byte(len(e.SenderLocal)))
	b = append(b, e.SenderLocal...)
	b = append(b, byte(len(e.SenderDomain)))
	b = append(b, e.SenderDomain...)
	b = append(b, e.HELO...)
	m.buf = b
	return pairKey, maphash.Bytes(m.seed, b)
}

func appendAddr(b []byte, e *spftrack.Event) []byte {
	ip, resolver := e.ClientIP.As16(), e.Resolver.Addr().As16()
	b = append(b, ip[:]...)
	return append(b, resolver[:]...)
}
