package forgerylog

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/parquet-go/parquet-go"

	"nullspf/internal/eventrow"
	"nullspf/internal/tally"
)

// Series is the answer of [Engine.Timeline].
type Series struct {
	Per Unit
	// Buckets are the units that hold events, in order of time.
	Buckets []Bucket
	// Total is the number of events counted.
	Total uint64
}

// Bucket is a unit of time.
type Bucket struct {
	// Start is nanoseconds since 1970-01-01 UTC.
	Start int64
	Count uint64
}

// maxBuckets bounds the memory of Timeline.
const maxBuckets = 1_000_000

// Timeline implements [Engine].
func (f *Journals) Timeline(ctx context.Context, q Query, per Unit) (*Series, error) {
	q, err := f.placed(q)
	if err != nil {
		return nil, err
	}
	r, err := f.begin(ctx)
	if err != nil {
		return nil, err
	}
	series := &Series{Per: per}
	if err = r.join(q); err != nil {
		return nil, r.end(err)
	}
	err = r.timeline(newPlan(q), series)
	return series, r.end(err)
}

// buckets count events by units of time.
type buckets struct {
	per    Unit
	counts map[int64]uint64
	// start is the unit that was counted last, n how often it was since.
	start int64
	n     uint64
}

func (b *buckets) add(ts int64, n uint64) error {
	if start := floor(ts, int64(b.per.duration())); start != b.start {
		if err := b.flush(); err != nil {
			return err
		}
		b.start = start
	}
	b.n += n
	return nil
}

func (b *buckets) flush() error {
	if b.n == 0 {
		return nil
	}
	if b.counts == nil {
		b.counts = make(map[int64]uint64)
	}
	b.counts[b.start] += b.n
	b.n = 0
	if len(b.counts) > maxBuckets {
		return errBuckets(b.per)
	}
	return nil
}

func errBuckets(per Unit) error {
	return fmt.Errorf("more than %d units of a %s hold events; count by a longer unit, or bound the time", maxBuckets, per)
}

func (r *run) timeline(p *plan, series *Series) error {
	workers := make([]buckets, workerCount())
	for i := range workers {
		workers[i].per = series.Per
	}
	all := &workers[0]
	var asked error
	summed := func(s *tally.Summary) bool {
		if !p.attempts {
			return false
		}
		minutes, err := s.Minutes()
		if err != nil {
			return false
		}
		for _, m := range minutes {
			if asked == nil {
				asked = all.add(m.Start*int64(time.Minute), m.N)
			}
		}
		return true
	}
	err := r.count(p, len(workers), summed, reading{
		group: func(worker int, _ *countable, s *segment, g parquet.RowGroup, rows []int32) error {
			if p.weight != nil {
				return s.read(r.ctx, g, rows, cols(eventrow.TS)|p.weights, func(row *eventrow.Row) error {
					return workers[worker].add(row.TS, p.weight(row))
				})
			}
			return s.eachTime(g, rows, func(ts int64) error { return workers[worker].add(ts, 1) })
		},
		row: func(worker int, _ *journalView, row *eventrow.Row) error {
			return workers[worker].add(row.TS, p.weigh(row))
		},
		columns: cols(eventrow.TS) | p.weights,
	})
	if err == nil {
		err = asked
	}
	for i := range workers {
		w := &workers[i]
		if e := w.flush(); err == nil {
			err = e
		}
		for start, n := range w.counts {
			series.Total += n
			if i > 0 && err == nil {
				err = all.add(start, n)
			}
		}
	}
	if e := all.flush(); err == nil {
		err = e
	}
	for start, n := range all.counts {
		series.Buckets = append(series.Buckets, Bucket{start, n})
	}
	slices.SortFunc(series.Buckets, func(a, b Bucket) int { return cmp.Compare(a.Start, b.Start) })
	return err
}

// floor is the greatest multiple of unit that is not greater than t. The
// smallest times have none.
func floor(t, unit int64) int64 {
	if rest := t % unit; rest < 0 {
		t -= rest + unit
	} else {
		t -= rest
	}
	return t
}

// eachBucket calls bucket with all units from the first to the last that hold
// events, empty ones too. Where more than longest empty ones follow each other,
// it calls gap with their number instead.
func (s *Series) eachBucket(longest int64, bucket func(Bucket) error, gap func(n int64) error) error {
	unit := int64(s.Per.duration())
	for i, b := range s.Buckets {
		if i > 0 {
			next := s.Buckets[i-1].Start + unit
			// Unsigned: the distance may be greater than an int64.
			empty := int64(uint64(b.Start-next) / uint64(unit))
			if empty > longest {
				if err := gap(empty); err != nil {
					return err
				}
			} else {
				for ; next < b.Start; next += unit {
					if err := bucket(Bucket{Start: next}); err != nil {
						return err
					}
				}
			}
		}
		if err := bucket(b); err != nil {
			return err
		}
	}
	return nil
}
