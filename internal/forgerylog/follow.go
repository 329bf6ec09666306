package forgerylog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"nullspf/internal/eventrow"
	"nullspf/internal/journal"
	"nullspf/spftrack"
)

const (
	// followPause is how often directories are looked at. An event that was
	// answered is readable 50 ms later.
	followPause = 200 * time.Millisecond
	// followHold is how long an exists: query waits for the exp= query
	// that makes it none of its own. When that comes later, the exists:
	// query has been shown and it is not.
	followHold = time.Second
	// followBatch bounds how many events are sorted together.
	followBatch = 4096
)

// Follow implements [Engine]. An attempt is shown within 1.5 s; with several
// journals, one that a query to another nameserver may yet take over, ten seconds later. What
// cannot be read at the beginning is told, as an [Incomplete], at the end.
func (f *Journals) Follow(ctx context.Context, q Query, last int, yield func([]eventrow.Row) error) error {
	q, err := f.placed(q)
	if err != nil {
		return err
	}
	if last < 0 || last > maxLimit {
		return fmt.Errorf("use a number of newest events from 0 to %d", maxLimit)
	}
	r, err := f.begin(ctx)
	if err != nil {
		return err
	}
	p := newPlan(q)
	var rows []eventrow.Row
	if last > 0 {
		if err = r.join(q); err == nil {
			rows, err = r.newest(p, last)
		}
	}
	var joined *liveJoin
	if err == nil {
		joined, err = r.newLiveJoin(q, f.liveHold)
	}
	var followers []follower
	defer func() {
		for _, f := range followers {
			_ = f.Close()
		}
	}()
	for _, v := range r.views {
		if err != nil {
			break
		}
		f := follower{origin: v.origin}
		if f.Follower, err = v.Follow(followHold); err == nil {
			followers = append(followers, f)
			for _, d := range f.Damage() {
				err = r.excuse(&fileError{d})
			}
		}
	}
	lacking := r.end(err)
	if lacking != nil && !errors.As(lacking, new(*Incomplete)) {
		return lacking
	}
	if err = yield(rows); err == nil {
		err = follow(ctx, followers, joined, p, yield)
	}
	for _, f := range followers {
		for _, d := range f.Damage() {
			_ = r.excuse(&fileError{d})
		}
	}
	if lacking == nil && len(r.problems) > 0 {
		lacking = &Incomplete{r.problems}
	}
	if lacking != nil {
		return errors.Join(err, lacking)
	}
	return err
}

// follower follows a view.
type follower struct {
	*journal.Follower
	origin *journalView
}

// isNew reports whether an event was not shown yet, as one of a copy.
func (f *follower) isNew(e *spftrack.Event) bool {
	if f.origin.last == 0 {
		return true
	}
	if e.Seq <= f.origin.last {
		return false
	}
	f.origin.last = e.Seq
	return true
}

// follow looks for further events until ctx is done. joined marks those of several
// journals; nil for one.
func follow(ctx context.Context, followers []follower, joined *liveJoin, p *plan, yield func([]eventrow.Row) error) error {
	ticker := time.NewTicker(followPause)
	defer ticker.Stop()
	var batch []eventrow.Row
	var builder eventrow.Builder
	var row eventrow.Row
	flush := func() error {
		slices.SortStableFunc(batch, func(a, b eventrow.Row) int { return cmp.Compare(a.TS, b.TS) })
		err := yield(batch)
		batch = batch[:0]
		return err
	}
	take := func(row *eventrow.Row) error {
		if !p.matches(row) {
			return nil
		}
		if batch = append(batch, row.Clone()); len(batch) == followBatch {
			return flush()
		}
		return nil
	}
	if joined != nil {
		joined.show, take = take, joined.take
	}
	for {
		for _, f := range followers {
			err := f.Poll(func(e *spftrack.Event) error {
				if err := ctx.Err(); err != nil {
					return err
				}
				builder.Reset()
				builder.Fill(&row, e)
				if !f.isNew(e) {
					return nil
				}
				return take(&row)
			})
			if err != nil {
				return err
			}
		}
		if joined != nil {
			if err := joined.endRound(); err != nil {
				return err
			}
		}
		if len(batch) > 0 {
			if err := flush(); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}
