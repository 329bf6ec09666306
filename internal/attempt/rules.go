package attempt

import (
	"encoding/binary"
	"hash/maphash"
	"net/netip"

	"nullspf/spftrack"
)

// pair is what is known of the queries that agree in client address, domain
// and the resolver's network.
type pair struct {
	// exists is the time of the exists: query that is an attempt or was one,
	// seq its number.
	exists int64
	seq    uint64
	// exp is the time of the last exp= query, if asked; expSeq the number of the
	// last one that was not a repetition, query its key and start its time.
	exp    int64
	expSeq uint64
	query  uint64
	start  int64
	asked  bool
	state  existsState
}

// existsState says what became of an exists: query.
type existsState uint8

const (
	// noExists: there was none.
	noExists existsState = iota
	// counts: it is an attempt.
	counts
	// told: an exp= query of its own network took it over, or it another's.
	told
	// taken: a query from another network took it over.
	taken
)

// take makes an earlier attempt a retry.
type take struct {
	seq   uint64
	flags spftrack.Flags
}

// marker sets FlagRetry. Events come to it in order of their sequence numbers.
type marker struct {
	windows Windows
	seed    maphash.Seed
	pairs   recent[pair]
	// starts are the times of the queries that began, by query: of exp= queries those that are
	// not the last one of their pair.
	starts recent[int64]
	open   recent[open]
	// names are the numbers of the exists: queries by name, longer the times
	// of queries about longer names by their right parts.
	names  recent[uint64]
	longer recent[int64]
	// superseded are the attempts that the last event showed to be parts of its
	// name, takes those that it counts instead of.
	superseded []uint64
	takes      []take
	// countedBy is the number of the exp= query that counts instead of the last
	// event, an exists: query; 0 for none.
	countedBy uint64
	// touched keeps touch from being compiled to nothing.
	touched uint32
	buf     []byte
}

func newMarker(w Windows) *marker {
	return &marker{
		windows: w,
		seed:    maphash.MakeSeed(),
		starts:  recent[int64]{span: w.Attempt},
		pairs:   recent[pair]{span: w.Cached},
		open:    recent[open]{span: w.Join},
		names:   recent[uint64]{span: w.Attempt},
		longer:  recent[int64]{span: w.Attempt},
	}
}

// see looks at an event, whose keys these are.
func (m *marker) see(e *spftrack.Event, k keys) {
	m.superseded, m.takes, m.countedBy = m.superseded[:0], m.takes[:0], 0
	if settled(e) {
		return
	}
	if k.name != 0 && m.isPart(e, k.name) {
		e.Flags |= spftrack.FlagRetry
		return
	}
	m.parts(e)
	switch e.Kind {
	case spftrack.KindExists, spftrack.KindExp:
		p, _ := m.pairs.get(k.pair)
		before := p
		if e.Kind == spftrack.KindExists {
			m.exists(e, &p, k)
		} else {
			m.exp(e, &p, k)
		}
		if p != before {
			m.pairs.put(k.pair, p, e.Time)
		}
	default:
		if start, ok := m.starts.get(k.query); ok && Within(e.Time, start, m.windows.Attempt) {
			e.Flags |= spftrack.FlagRetry
			return
		}
		m.starts.put(k.query, e.Time, e.Time)
		m.checkOfHELO(e, k)
	}
	if k.name != 0 && Is(e) {
		m.names.put(k.name, e.Seq, e.Time)
	}
}

// touch brings into the processor's caches what see looks for. For one key after the other
// that takes longer than all that see does.
func (m *marker) touch(list []keys) {
	found := uint32(0)
	for i := range list {
		if k := &list[i]; k.group != 0 {
			found |= m.pairs.touch(k.pair) | m.open.touch(k.group)
			if k.query != 0 {
				found |= m.starts.touch(k.query)
			}
			if k.name != 0 {
				found |= m.names.young.touch(k.name)
			}
		}
	}
	m.touched = found
}

// began reports whether an exp= query like this one began a short time before.
func (m *marker) began(p *pair, query uint64, now int64) bool {
	start, ok := p.start, p.query == query
	if !ok {
		start, ok = m.starts.get(query)
	}
	return ok && Within(now, start, m.windows.Attempt)
}

// begin notes that an exp= query begins.
func (m *marker) begin(p *pair, query uint64, now int64) {
	if p.query != query {
		m.retire(p, now)
	}
	p.query, p.start = query, now
}

// retire puts the query of a pair where those of all pairs are.
func (m *marker) retire(p *pair, now int64) {
	if p.query != 0 && Within(now, p.start, m.windows.Attempt) {
		m.starts.put(p.query, p.start, now)
	}
}

// exists marks an exists: query.
func (m *marker) exists(e *spftrack.Event, p *pair, k keys) {
	o := m.openOf(k.group, e.Time)
	isA := e.QType != spftrack.TypeAAAA
	twin := !isA && o.askedA && Within(e.Time, o.a, m.windows.Join)
	if isA {
		o.a, o.askedA = e.Time, true
	}
	switch {
	case p.state != noExists && Within(e.Time, p.exists, m.windows.Attempt):
		e.Flags |= spftrack.FlagRetry
		return
	case p.asked && Within(e.Time, p.exp, m.windows.Attempt):
		m.countedBy = p.expSeq
		o.drop(k.pair, expAlone)
		p.exists, p.state = e.Time, told
		e.Flags |= spftrack.FlagRetry
		return
	case twin:
		// Nobody asks AAAA alone.
		p.exists, p.state = e.Time, taken
		e.Flags |= spftrack.FlagRetry
		return
	}
	p.exists, p.seq = e.Time, e.Seq
	if exp, ok := o.take(expAlone, k.pair, e.Time, m.windows.Join, m.windows.Join); ok {
		p.state, m.countedBy = told, exp.seq
		m.alter(exp.pair, e.Time, func(other *pair) { other.exists, other.state = e.Time, told })
		e.Flags |= spftrack.FlagRetry
		return
	}
	as := existsAAAA
	if isA {
		as = existsA
		if aaaa, ok := o.take(existsAAAA, k.pair, e.Time, m.windows.Join, m.windows.Join); ok {
			m.takeOver(aaaa, e)
		}
	}
	p.state = counts
	o.add(waiting{e.Time, e.Seq, k.pair, as})
}

// exp marks an exp= query, which counts instead of an exists: query: of its own
// network, or else of another one, which a resolver with several addresses and
// a receiver with several resolvers have.
func (m *marker) exp(e *spftrack.Event, p *pair, k keys) {
	if m.began(p, k.query, e.Time) {
		e.Flags |= spftrack.FlagRetry
	} else {
		m.begin(p, k.query, e.Time)
		p.expSeq = e.Seq
		o := m.openOf(k.group, e.Time)
		switch {
		case p.state == counts && Within(e.Time, p.exists, m.windows.Join):
			m.takes = append(m.takes, take{p.seq, spftrack.FlagRetry})
			p.state = told
			o.drop(k.pair, existsA|existsAAAA)
		case (p.state == counts || p.state == told) && Within(e.Time, p.exists, m.windows.Cached):
			// The resolver has the answer to exists: in its cache.
		default:
			if exists, ok := o.take(existsA|existsAAAA, k.pair, e.Time, m.windows.Join, m.windows.Join); ok {
				m.takeOver(exists, e)
				p.exists, p.state = exists.time, told
			} else if p.state != taken || !Within(e.Time, p.exists, m.windows.Cached) {
				o.add(waiting{e.Time, e.Seq, k.pair, expAlone})
			}
		}
		m.checkOfHELO(e, k)
	}
	p.exp, p.asked = e.Time, true
}

// takeOver makes an exists: query of another network a retry, because e counts.
func (m *marker) takeOver(w waiting, e *spftrack.Event) {
	m.takes = append(m.takes, take{w.seq, spftrack.FlagRetry})
	m.alter(w.pair, e.Time, func(other *pair) { other.state = taken })
}

func (m *marker) alter(key uint64, now int64, change func(*pair)) {
	if p, ok := m.pairs.get(key); ok {
		change(&p)
		m.pairs.put(key, p, now)
	}
}

// checkOfHELO marks the first or second of two attempts that a receiver makes of
// one message because it checks HELO apart from MAIL FROM (RFC 7208 section
// 2.3).
func (m *marker) checkOfHELO(e *spftrack.Event, k keys) {
	const mark = spftrack.FlagRetry | spftrack.FlagHELOCheck
	if e.HELO == "" || e.HELO != e.Forged {
		return
	}
	self, other := mailCheck, heloCheck
	if isCheckOfHELO(e) {
		self, other = heloCheck, mailCheck
	}
	o := m.openOf(k.group, e.Time)
	switch w, ok := o.take(other, k.pair, e.Time, m.windows.Join, m.windows.HELO); {
	case !ok:
		o.add(waiting{e.Time, e.Seq, k.pair, self})
	case self == heloCheck:
		e.Flags |= mark
	default:
		m.takes = append(m.takes, take{w.seq, mark})
	}
}

// isCheckOfHELO reports whether an event may be one of a check of HELO.
func isCheckOfHELO(e *spftrack.Event) bool {
	return e.SenderLocal == "postmaster" && e.HELO != "" && e.HELO == e.Forged
}

// remember takes in an event that was marked before.
func (m *marker) remember(e *spftrack.Event) {
	if settled(e) {
		return
	}
	m.parts(e)
	k := m.keys(e)
	p, _ := m.pairs.get(k.pair)
	began := Is(e)
	switch {
	case e.Kind == spftrack.KindExists && began:
		p.exists, p.seq, p.state = e.Time, e.Seq, counts
		began = false
	case e.Kind == spftrack.KindExists:
		if p.state == noExists || !Within(e.Time, p.exists, m.windows.Attempt) {
			p.exists, p.seq, p.state = e.Time, e.Seq, told
		}
	case e.Kind == spftrack.KindExp:
		if p.state == counts && Within(e.Time, p.exists, m.windows.Join) && !m.began(&p, k.query, e.Time) {
			// It may be a retry because it took over a query that had counted.
			began, p.state = true, told
		}
		p.exp, p.asked = e.Time, true
	}
	switch {
	case began && e.Kind == spftrack.KindExp:
		m.begin(&p, k.query, e.Time)
	case began:
		m.starts.put(k.query, e.Time, e.Time)
	}
	m.pairs.put(k.pair, p, e.Time)
}

// keys are hashes of what makes events belong together.
type keys struct {
	// group: zone, client address and domain.
	group uint64
	// pair: these and the resolver's network.
	pair uint64
	// query: all of it; 0 for an exists: query, which has no more than a pair.
	query uint64
	// name: the name and the resolver's network; 0 for a query that is no part of
	// another one.
	name uint64
}

// keys are those of an event; 0 for one that is settled.
func (m *marker) keys(e *spftrack.Event) (k keys) {
	if settled(e) {
		return k
	}
	if e.Kind == spftrack.KindExists || e.Kind == spftrack.KindClassic {
		k.name = m.nameHash(e, 0)
	}
	b := append(m.buf[:0], byte(len(e.Zone)))
	b = append(b, e.Zone...)
	ip := e.ClientIP.As16()
	b = append(b, ip[:]...)
	b = append(b, e.Forged...)
	k.group = maphash.Bytes(m.seed, b)
	b = binary.LittleEndian.AppendUint64(b[:0], k.group)
	b = appendNetwork(b, e.Resolver.Addr())
	k.pair = maphash.Bytes(m.seed, b)
	if e.Kind == spftrack.KindExists {
		return k
	}
	b = append(b, byte(e.Kind), byte(len(e.SenderLocal)))
	b = append(b, e.SenderLocal...)
	b = append(b, byte(len(e.SenderDomain)))
	b = append(b, e.SenderDomain...)
	b = append(b, e.HELO...)
	m.buf = b
	k.query = maphash.Bytes(m.seed, b)
	return k
}

// appendNetwork appends the network of a resolver: those of one /24 or /48 belong
// together.
func appendNetwork(b []byte, resolver netip.Addr) []byte {
	ip := resolver.As16()
	if resolver.Is4() {
		return append(b, ip[:15]...)
	}
	return append(b, ip[:6]...)
}
