package attempt

import (
	"nullspf/spftrack"
)

// Fold marks events and emits them, each when its mark can no longer change:
// when the query that may take it over has come, or no longer counts.
type Fold struct {
	marker *marker
	emit   func(*spftrack.Event) error
	// queue is a ring of n events from first on.
	queue    []spftrack.Event
	first, n int
	// keys are those of the events that are pushed.
	keys []keys
}

// maxWaiting bounds the number of events that wait.
const maxWaiting = 1 << 16

// New returns a fold that calls emit with the marked events. An event is valid
// until emit returns.
func New(w Windows, emit func(*spftrack.Event) error) *Fold {
	return &Fold{marker: newMarker(w), emit: emit}
}

// Remember takes in an event that was marked and emitted before, by this fold or
// another one, so that what follows is marked as if this one had seen it.
func (f *Fold) Remember(e *spftrack.Event) { f.marker.remember(e) }

// Push marks an event, whose number must be greater than that of the one before,
// and emits those that have waited long enough. It keeps the event and its texts
// until then. One whose mark no query can change waits only for those before it. It returns
// emit's error.
func (f *Fold) Push(e *spftrack.Event) error { return f.push(e, f.marker.keys(e)) }

// PushAll pushes events, in less time for each than [Fold.Push].
func (f *Fold) PushAll(list []spftrack.Event) error {
	f.keys = f.keys[:0]
	for i := range list {
		f.keys = append(f.keys, f.marker.keys(&list[i]))
	}
	f.marker.touch(f.keys)
	for i := range list {
		if err := f.push(&list[i], f.keys[i]); err != nil {
			return err
		}
	}
	return nil
}

func (f *Fold) push(e *spftrack.Event, k keys) error {
	f.marker.see(e, k)
	for _, seq := range f.marker.superseded {
		if part := f.find(seq, e.Time); part != nil {
			part.Flags |= spftrack.FlagRetry
			f.marker.forget(part, e.Time)
		}
	}
	for _, t := range f.marker.takes {
		taken := f.find(t.seq, e.Time)
		if taken == nil {
			// It was emitted as an attempt before: count it, and not this one.
			e.Flags |= spftrack.FlagRetry
			continue
		}
		if e.Kind == spftrack.KindExp && (taken.Kind == spftrack.KindExists || taken.Flags&spftrack.FlagExists != 0) {
			e.Flags |= spftrack.FlagExists
		}
		taken.Flags = taken.Flags&^spftrack.FlagExists | t.flags
	}
	if counts := f.find(f.marker.countedBy, e.Time); counts != nil && Is(counts) {
		counts.Flags |= spftrack.FlagExists
	}
	if f.n == len(f.queue) {
		f.grow()
	}
	f.queue[(f.first+f.n)&(len(f.queue)-1)] = *e
	f.n++
	for f.n > maxWaiting || f.n > 0 && (settled(f.at(0)) || !Within(e.Time, f.at(0).Time, f.marker.windows.Hold)) {
		if err := f.Next(); err != nil {
			return err
		}
	}
	return nil
}

// settled reports whether no query can change the mark of an event.
func settled(e *spftrack.Event) bool {
	return !Asks(e.Kind) || e.Flags&spftrack.FlagUnparsed != 0
}

// find returns an event that waits at a time, nil when it does not: when it has waited
// long enough, it counts as emitted, whether or not another event has come since, so that
// marks do not depend on events about something else.
func (f *Fold) find(seq uint64, now int64) *spftrack.Event {
	if e := f.search(seq); e != nil && Within(now, e.Time, f.marker.windows.Hold) {
		return e
	}
	return nil
}

// search returns an event that was not emitted.
func (f *Fold) search(seq uint64) *spftrack.Event {
	if f.n == 0 || seq < f.at(0).Seq {
		return nil
	}
	// Numbers rise, so without gaps between them it is at hi-1, else before.
	lo, hi := 0, int(min(seq-f.at(0).Seq+1, uint64(f.n)))
	for mid := hi - 1; lo < hi; mid = (lo + hi) / 2 {
		switch e := f.at(mid); {
		case e.Seq == seq:
			return e
		case e.Seq < seq:
			lo = mid + 1
		default:
			hi = mid
		}
	}
	return nil
}

func (f *Fold) at(i int) *spftrack.Event { return &f.queue[(f.first+i)&(len(f.queue)-1)] }

func (f *Fold) grow() {
	queue := make([]spftrack.Event, max(2*len(f.queue), 256))
	for i := range f.n {
		queue[i] = *f.at(i)
	}
	f.queue, f.first = queue, 0
}

// Next emits the first event that waits. It returns emit's error.
func (f *Fold) Next() error {
	e := &f.queue[f.first]
	f.first = (f.first + 1) & (len(f.queue) - 1)
	f.n--
	err := f.emit(e)
	*e = spftrack.Event{}
	return err
}

// Flush emits everything.
func (f *Fold) Flush() error {
	for f.n > 0 {
		if err := f.Next(); err != nil {
			return err
		}
	}
	f.queue, f.first = nil, 0
	return nil
}

// Waiting returns the number of the first event that was pushed and not emitted
// yet.
func (f *Fold) Waiting() (seq uint64, ok bool) {
	if f.n == 0 {
		return 0, false
	}
	return f.queue[f.first].Seq, true
}
