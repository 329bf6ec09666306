package forgerylog

import (
	"cmp"
	"slices"
	"time"

	"nullspf/internal/attempt"
	"nullspf/internal/eventrow"
	"nullspf/spftrack"
)

// liveJoin marks the events of several journals together as they come, as
// run.join marks those that are there. An event that a query to another nameserver may make a
// retry waits until that query has come, or can no longer come; all others are
// shown at once.
type liveJoin struct {
	// round are the events that have come since the last end of a round. Whoever shows
	// events may have kept us waiting, so that the journals come with minutes
	// of them, one after the other.
	round []eventrow.Row
	fold  *attempt.Fold
	// wide selects what is marked.
	wide *plan
	// hold is how long an event waits.
	hold time.Duration
	// queue are the events in the fold, from done on, seq the number of the last.
	queue []liveEvent
	done  int
	seq   uint64
	// show gets the marked events.
	show func(*eventrow.Row) error
}

// liveEvent is an event in the fold. The row of one that was shown is empty.
type liveEvent struct {
	came  time.Time
	shown bool
	row   eventrow.Row
}

const (
	// liveNewest is how many queries of checks that are there at the beginning
	// are considered.
	liveNewest = 4096
	// liveRound bounds the number of events in a round.
	liveRound = 1 << 16
)

// newLiveJoin returns nil unless the views are of several journals.
func (r *run) newLiveJoin(q Query, hold time.Duration) (*liveJoin, error) {
	if !r.several() || !q.needsMarks() {
		return nil, nil
	}
	l := &liveJoin{wide: newPlan(checksOf(q)), hold: hold, show: func(*eventrow.Row) error { return nil }}
	l.fold = attempt.New(attempt.Default, l.emit)
	rows, err := r.newest(l.wide, liveNewest)
	if err != nil {
		return nil, err
	}
	for i := range rows {
		if err := l.mark(&rows[i]); err != nil {
			return nil, err
		}
	}
	return l, l.fold.Flush()
}

// take takes an event in, which is valid until it returns.
func (l *liveJoin) take(row *eventrow.Row) error {
	l.round = append(l.round, row.Clone())
	if len(l.round) < liveRound {
		return nil
	}
	return l.endRound()
}

// endRound marks the events of a round, in order of time, and shows what is decided.
func (l *liveJoin) endRound() error {
	slices.SortStableFunc(l.round, func(a, b eventrow.Row) int { return cmp.Compare(a.TS, b.TS) })
	for i := range l.round {
		if err := l.mark(&l.round[i]); err != nil {
			return err
		}
	}
	clear(l.round)
	l.round = l.round[:0]
	now := time.Now()
	for l.done < len(l.queue) && now.Sub(l.queue[l.done].came) > l.hold {
		if err := l.fold.Next(); err != nil {
			return err
		}
	}
	return nil
}

// mark marks an event, and shows it if no later one can change that.
func (l *liveJoin) mark(row *eventrow.Row) error {
	var e spftrack.Event
	if !l.wide.matches(row) || !joinEvent(row, &e) {
		return l.show(row)
	}
	l.seq++
	e.Seq = l.seq
	l.queue = append(l.queue, liveEvent{came: time.Now()})
	// This emits earlier events only.
	if err := l.fold.Push(&e); err != nil {
		return err
	}
	self := &l.queue[len(l.queue)-1]
	if attempt.Undecided(&e) {
		self.row = *row
		return nil
	}
	self.shown = true
	m := markOf(&e)
	// Its journal knows of an exists: query that comes after it.
	m.exists = m.attempt && (m.exists || ownMark(row).exists)
	m.set(row)
	return l.show(row)
}

// emit gets the events from the fold.
func (l *liveJoin) emit(e *spftrack.Event) error {
	next := l.queue[l.done]
	l.queue[l.done] = liveEvent{}
	if l.done++; l.done == len(l.queue) || l.done > 1<<12 {
		l.queue = append(l.queue[:0], l.queue[l.done:]...)
		l.done = 0
	}
	if next.shown {
		return nil
	}
	markOf(e).set(&next.row)
	return l.show(&next.row)
}
