package forgerylog

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"

	"github.com/parquet-go/parquet-go"

	"nullspf/internal/eventrow"
	"nullspf/internal/journal"
)

// Events implements [Engine].
func (f *Journals) Events(ctx context.Context, q Query, limit int, yield func(*eventrow.Row) error) error {
	q, err := f.placed(q)
	if err != nil {
		return err
	}
	if limit > maxLimit {
		return errLimit
	}
	r, err := f.begin(ctx)
	if err != nil {
		return err
	}
	p := newPlan(q)
	if err = r.join(q); err != nil {
		return r.end(err)
	}
	if limit > 0 {
		var rows []eventrow.Row
		if rows, err = r.newest(p, limit); err == nil {
			err = each(rows, yield)
		}
	} else {
		err = r.merged(p, yield)
	}
	return r.end(err)
}

var errLimit = fmt.Errorf("at most the newest %d events can be asked for by number; bound the time instead", maxLimit)

// Scan implements [Engine].
func (f *Journals) Scan(ctx context.Context, q Query, columns []*eventrow.Column, yield func(*eventrow.Row) error) error {
	q, err := f.placed(q)
	if err != nil {
		return err
	}
	r, err := f.begin(ctx)
	if err != nil {
		return err
	}
	if err = r.join(q); err != nil {
		return r.end(err)
	}
	return r.end(r.scanAny(newPlan(q), cols(columns...), yield))
}

// scanAny calls yield with the selected events of all directories in no particular order:
// segments are read by several goroutines.
func (r *run) scanAny(p *plan, set columns, yield func(*eventrow.Row) error) error {
	var yielding sync.Mutex
	one := func(_ int, v *journalView, row *eventrow.Row) error {
		yielding.Lock()
		defer yielding.Unlock()
		if set.has(eventrow.Seq) && set.has(eventrow.Flags) {
			v.correct(row)
		}
		return yield(row)
	}
	return r.count(p, workerCount(), noSummary, reading{
		group: func(worker int, c *countable, s *segment, g parquet.RowGroup, rows []int32) error {
			return s.read(r.ctx, g, rows, set, func(row *eventrow.Row) error { return one(worker, c.view, row) })
		},
		row: one, columns: set,
	})
}

func each(rows []eventrow.Row, yield func(*eventrow.Row) error) error {
	for i := range rows {
		if err := yield(&rows[i]); err != nil {
			return err
		}
	}
	return nil
}

// merged calls yield with the selected events of all directories, merged by time.
func (r *run) merged(p *plan, yield func(*eventrow.Row) error) error {
	if len(r.views) == 1 {
		return r.scan(p, allColumns, yield)
	}
	return r.byTime(p, allColumns, func(_ *journalView, row *eventrow.Row) error { return yield(row) })
}

// source is the events of a directory while they are merged with others.
type source struct {
	next func() (*eventrow.Row, bool)
	// head is the next event, nil after the last.
	head *eventrow.Row
	err  error
}

func (s *source) advance() error {
	s.head, _ = s.next()
	return s.err
}

// sequence is the selected events of a directory. It ends early with an error in
// *failure.
func (r *run) sequence(v *journalView, p *plan, set columns, failure *error) iter.Seq[*eventrow.Row] {
	return func(yield func(*eventrow.Row) bool) {
		err := r.journal(v, p, set, func(row *eventrow.Row) error {
			if !yield(row) {
				return errStopped
			}
			return nil
		})
		if !errors.Is(err, errStopped) {
			*failure = err
		}
	}
}

// errStopped ends a sequence whose rest nobody wants.
var errStopped = errors.New("stopped")

// newest returns the newest n selected events of all directories together, merged
// by time.
func (r *run) newest(p *plan, n int) ([]eventrow.Row, error) {
	var all []eventrow.Row
	for _, v := range r.views {
		rows, err := r.newestOf(v, p, n)
		if err != nil {
			return nil, err
		}
		all = merge(all, rows)
	}
	return all[max(len(all)-n, 0):], nil
}

// merge joins two lists by time, each of which keeps its order.
func merge(a, b []eventrow.Row) []eventrow.Row {
	if len(a) == 0 || len(b) == 0 {
		return append(a, b...)
	}
	out := make([]eventrow.Row, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		from := &a
		if b[0].TS < a[0].TS {
			from = &b
		}
		out = append(out, (*from)[0])
		*from = (*from)[1:]
	}
	return append(append(out, a...), b...)
}

// newestOf returns the last n selected events of a directory in order.
func (r *run) newestOf(v *journalView, p *plan, n int) ([]eventrow.Row, error) {
	last := ring{size: n}
	err := r.tail(v, v.planOf(p), func(row *eventrow.Row) error {
		v.correct(row)
		last.add(row.Clone())
		return nil
	})
	if err != nil {
		return nil, err
	}
	// Pieces come from the newest to the oldest.
	pieces := [][]eventrow.Row{last.inOrder()}
	missing := n - len(pieces[0])
	for _, c := range slices.Backward(v.countables(p)) {
		if missing == 0 {
			break
		}
		if c.lacks() {
			continue
		}
		err := r.lastOfSegment(c.file, c.plan, missing, func(piece []eventrow.Row) {
			for i := range piece {
				v.correct(&piece[i])
			}
			pieces = append(pieces, piece)
			missing -= len(piece)
		})
		if err := r.excuse(err); err != nil {
			return nil, err
		}
	}
	slices.Reverse(pieces)
	return slices.Concat(pieces...), nil
}

// lastOfSegment calls yield with the last n selected events of a segment, the
// newest row group first, and each in order.
func (r *run) lastOfSegment(file *journal.SegmentFile, p *plan, n int, yield func([]eventrow.Row)) error {
	last := ring{size: n}
	found, err := r.ofClient(file, p, allColumns, func(row *eventrow.Row) error {
		last.add(row.Clone())
		return nil
	})
	if found {
		yield(last.inOrder())
		return err
	}
	s, groups, err := openSegment(r.ctx, file, p)
	if err != nil {
		return err
	}
	for _, g := range slices.Backward(groups) {
		rows, err := s.selected(r.ctx, g, p, nil)
		if err != nil {
			return err
		}
		rows = rows[max(len(rows)-n, 0):]
		piece := make([]eventrow.Row, 0, len(rows))
		err = s.read(r.ctx, g, rows, allColumns, func(row *eventrow.Row) error {
			piece = append(piece, row.Clone())
			return nil
		})
		if err != nil {
			return err
		}
		yield(piece)
		if n -= len(piece); n == 0 {
			break
		}
	}
	return nil
}

// ring keeps the last size rows that were added.
type ring struct {
	size int
	rows []eventrow.Row
	// next is where the next row goes once the ring is full.
	next int
}

func (r *ring) add(row eventrow.Row) {
	if len(r.rows) < r.size {
		r.rows = append(r.rows, row)
		return
	}
	r.rows[r.next] = row
	r.next = (r.next + 1) % r.size
}

func (r *ring) inOrder() []eventrow.Row {
	return slices.Concat(r.rows[r.next:], r.rows[:r.next])
}
