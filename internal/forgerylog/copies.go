package forgerylog

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"nullspf/internal/eventrow"
	"nullspf/internal/journal"
)

// journalView is a view of a directory, of which events that an earlier directory holds
// too are left out: copies of one journal, made at different times, count once.
type journalView struct {
	*journal.View
	// held are the numbers that earlier views of the same journal hold, own its
	// own if there are such views.
	held, own []journal.Span
	// origin is the first view of the same journal, the view itself for the first.
	origin *journalView
	// remarks are the events that have another mark because of other views, in
	// order.
	remarks []remark
	// last is, of an origin that has copies, the greatest number that any holds.
	last uint64
	// client is the only one whose events are asked for while the view is held, "" for any; unsealed
	// are those of its events that are not sealed, once they were read.
	client   string
	unsealed *unsealed
}

// unsealed is events that are not sealed, and what could not be read of them.
type unsealed struct {
	rows []eventrow.Row
	err  error
}

// maxUnsealed bounds how many are kept.
const maxUnsealed = 5000

// findCopies compares the views of one server with each other.
func findCopies(views []*journalView) error {
	spans := make(map[*journalView][]journal.Span)
	spansOf := func(v *journalView) (list []journal.Span, err error) {
		if list, known := spans[v]; known {
			return list, nil
		}
		if list, err = v.Spans(); err != nil {
			return nil, &fileError{err}
		}
		spans[v] = list
		return list, nil
	}
	for i, v := range views {
		v.origin = v
		for _, earlier := range views[:i] {
			same, err := earlier.Same(v.View)
			if err != nil {
				return &fileError{err}
			}
			if !same {
				continue
			}
			theirs, err := spansOf(earlier)
			if err != nil {
				return err
			}
			ours, err := spansOf(v)
			if err != nil {
				return err
			}
			v.origin, v.own = earlier.origin, ours
			v.held = append(v.held, theirs...)
			for _, s := range slices.Concat(theirs, ours) {
				v.origin.last = max(v.origin.last, s.Last)
			}
		}
		slices.SortFunc(v.held, func(a, b journal.Span) int { return cmp.Compare(a.First, b.First) })
	}
	return nil
}

// copyNote says which events of a copy do not count, or is "".
func (v *journalView) copyNote() string {
	if v.origin == v {
		return ""
	}
	text := fmt.Sprintf("%s and %s are copies of one journal", printable(v.origin.Dir), printable(v.Dir))
	first, last := uint64(math.MaxUint64), uint64(0)
	for _, own := range v.own {
		for _, h := range v.held {
			if from, to := max(h.First, own.First), min(h.Last, own.Last); from <= to {
				first, last = min(first, from), max(last, to)
			}
		}
	}
	if last == 0 {
		return text + "; no event is in both"
	}
	return text + fmt.Sprintf("; what both have of events %d to %d counts once", first, last)
}

// holds reports whether an earlier view holds a number.
func (v *journalView) holds(seq uint64) bool {
	return slices.ContainsFunc(v.held, func(s journal.Span) bool { return s.First <= seq && seq <= s.Last })
}

// without is a plan that leaves out what earlier views hold of the numbers from
// first to last; nil when they hold all of them.
func (v *journalView) without(p *plan, first, last uint64) *plan {
	touched := false
	for _, s := range v.held {
		if s.First <= first && last <= s.Last {
			return nil
		}
		touched = touched || s.First <= last && first <= s.Last
	}
	if !touched {
		return p
	}
	narrowed := *p
	narrowed.conditions = slices.Concat(p.conditions, []condition{{cols(eventrow.Seq), func(r *eventrow.Row) bool {
		return !v.holds(uint64(r.Seq))
	}}})
	return &narrowed
}
