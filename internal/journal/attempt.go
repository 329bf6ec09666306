package journal

import (
	"encoding/binary"
	"hash/maphash"
	"time"

	"nullspf/spftrack"
)

// Attempt reports whether an event stands for an attempt to send forged mail.
// Exactly one event of each attempt does: of those about the same client
// address, domain, sender and HELO, asked by the same resolver address within
// 60 s, the first; and of an exists: and an exp= question that agree in client
// address, domain and resolver, the exp= question, which tells more. The others
// carry [spftrack.FlagRetry]. Minimised names and questions that no check asks
// are no attempts.
func Attempt(e *spftrack.Event) bool {
	return e.Flags&spftrack.FlagRetry == 0 && asked(e.Kind)
}

// asked reports whether a check, or an SMTP session, makes events of a kind.
func asked(k spftrack.Kind) bool {
	switch k {
	case spftrack.KindExists, spftrack.KindExp, spftrack.KindClassic, spftrack.KindSMTP:
		return true
	}
	return false
}

const (
	// attemptSpan is how long questions belong to one attempt.
	attemptSpan = 60 * time.Second
	// maxRecent bounds the memory of attempts in each of two generations. When
	// more begin within the span, the oldest are forgotten before its end.
	maxRecent = 1 << 19
)

// within reports whether two times are of one attempt. Clocks may have jumped
// in either direction.
func within(a, b int64, span time.Duration) bool {
	d := a - b
	return d <= int64(span) && d >= -int64(span)
}

// recent remembers values for at least attemptSpan, if no more than maxRecent
// come in that time.
type recent[V any] struct {
	young, old map[uint64]V
	began      int64
}

func (r *recent[V]) get(key uint64) (v V, ok bool) {
	if v, ok = r.young[key]; !ok {
		v, ok = r.old[key]
	}
	return v, ok
}

func (r *recent[V]) put(key uint64, v V, now int64) {
	if r.young == nil || len(r.young) >= maxRecent || !within(now, r.began, attemptSpan) {
		r.old, r.young = r.young, make(map[uint64]V, len(r.young))
		r.began = now
	}
	r.young[key] = v
}

func (r *recent[V]) drop(key uint64) {
	delete(r.young, key)
	delete(r.old, key)
}

// pair is what is known of the questions that agree in client address, domain
// and resolver.
type pair struct {
	// exists is the time of the exists: question that is an attempt, seq its
	// number, 0 for none. told: an exp= question took the attempt over.
	exists int64
	seq    uint64
	told   bool
	// exp is the time of the last exp= question, if asked.
	exp   int64
	asked bool
}

// marker sets FlagRetry. Events come to it in order of their sequence numbers.
type marker struct {
	seed   maphash.Seed
	starts recent[int64]
	pairs  recent[pair]
	// names are the numbers of the exists: questions by name, longer the times
	// of questions about longer names by their right parts.
	names  recent[uint64]
	longer recent[int64]
	// superseded are the attempts that the last event showed to be none.
	superseded []uint64
	buf        []byte
}

func newMarker() *marker { return &marker{seed: maphash.MakeSeed()} }

// see looks at an event. It returns the number of an earlier exists: question
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
		if p.asked && within(e.Time, p.exp, attemptSpan) || p.seq != 0 && within(e.Time, p.exists, attemptSpan) {
			e.Flags |= spftrack.FlagRetry
			return 0
		}
		m.pairs.put(pairKey, pair{exists: e.Time, seq: e.Seq, exp: p.exp, asked: p.asked}, e.Time)
		m.names.put(name, e.Seq, e.Time)
		return 0
	case spftrack.KindExp:
		p, _ := m.pairs.get(pairKey)
		if start, ok := m.starts.get(key); ok && within(e.Time, start, attemptSpan) {
			e.Flags |= spftrack.FlagRetry
		} else {
			m.starts.put(key, e.Time, e.Time)
			if p.seq != 0 && !p.told && within(e.Time, p.exists, attemptSpan) {
				superseded = p.seq
				p.told = true
			}
		}
		p.exp, p.asked = e.Time, true
		m.pairs.put(pairKey, p, e.Time)
		return superseded
	}
	if start, ok := m.starts.get(key); ok && within(e.Time, start, attemptSpan) {
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
		if Attempt(e) {
			p, _ := m.pairs.get(pairKey)
			m.pairs.put(pairKey, pair{exists: e.Time, seq: e.Seq, exp: p.exp, asked: p.asked}, e.Time)
		}
		return
	}
	start, ok := m.starts.get(key)
	began := Attempt(e)
	if e.Kind == spftrack.KindExp {
		p, _ := m.pairs.get(pairKey)
		if p.seq != 0 && !p.told && within(e.Time, p.exists, attemptSpan) && !(ok && within(e.Time, start, attemptSpan)) {
			// It is a retry because it took over a question that had counted.
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

// window delays events, in order, until the exp= question that may belong to an
// exists: question has come.
type window struct {
	marker *marker
	hold   time.Duration
	emit   func(*spftrack.Event) error
	// queue is a ring of n events from first on.
	queue    []spftrack.Event
	first, n int
}

const (
	// pairSpan is how long an exists: question waits for its exp= question.
	// Resolvers ask within a second; with minimisation, losses and retries it
	// takes longer.
	pairSpan = 10 * time.Second
	// maxWindow bounds the number of events that wait.
	maxWindow = 1 << 16
)

func newWindow(m *marker, hold time.Duration, emit func(*spftrack.Event) error) *window {
	return &window{marker: m, hold: hold, emit: emit}
}

// push marks an event and emits those that have waited long enough.
func (w *window) push(e *spftrack.Event) error {
	superseded := w.marker.see(e)
	for _, seq := range w.marker.superseded {
		if w.retract(seq) {
			w.marker.forget(w.find(seq))
		}
	}
	if superseded != 0 && !w.retract(superseded) {
		// The exists: question was emitted as an attempt before: count it, and
		// not this one.
		e.Flags |= spftrack.FlagRetry
	}
	if w.n == len(w.queue) {
		w.grow()
	}
	w.queue[(w.first+w.n)&(len(w.queue)-1)] = *e
	w.n++
	for w.n > maxWindow || w.n > 0 && !within(e.Time, w.queue[w.first].Time, w.hold) {
		if err := w.pop(); err != nil {
			return err
		}
	}
	return nil
}

// retract makes a waiting event a retry.
func (w *window) retract(seq uint64) bool {
	e := w.find(seq)
	if e == nil {
		return false
	}
	e.Flags |= spftrack.FlagRetry
	return true
}

// find returns a waiting event, nil when it does not wait.
func (w *window) find(seq uint64) *spftrack.Event {
	lo, hi := 0, w.n
	for lo < hi {
		mid := (lo + hi) / 2
		if w.at(mid).Seq < seq {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo == w.n || w.at(lo).Seq != seq {
		return nil
	}
	return w.at(lo)
}

func (w *window) at(i int) *spftrack.Event { return &w.queue[(w.first+i)&(len(w.queue)-1)] }

func (w *window) grow() {
	queue := make([]spftrack.Event, max(2*len(w.queue), 256))
	for i := range w.n {
		queue[i] = *w.at(i)
	}
	w.queue, w.first = queue, 0
}

func (w *window) pop() error {
	e := &w.queue[w.first]
	w.first = (w.first + 1) & (len(w.queue) - 1)
	w.n--
	err := w.emit(e)
	*e = spftrack.Event{}
	return err
}

// flush emits everything.
func (w *window) flush() error {
	for w.n > 0 {
		if err := w.pop(); err != nil {
			return err
		}
	}
	return nil
}

// next returns the number of the first event that waits.
func (w *window) next() (seq uint64, ok bool) {
	if w.n == 0 {
		return 0, false
	}
	return w.queue[w.first].Seq, true
}
