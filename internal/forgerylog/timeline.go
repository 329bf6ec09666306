package forgerylog

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"nullspf/internal/eventrow"
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
	r, err := f.begin(ctx)
	if err != nil {
		return nil, err
	}
	series := &Series{Per: per}
	counts := make(map[int64]uint64)
	unit := int64(per.duration())
	if err = r.join(q); err != nil {
		return nil, r.end(err)
	}
	err = r.scan(newPlan(q), cols(eventrow.TS), func(row *eventrow.Row) error {
		series.Total++
		counts[floor(row.TS, unit)]++
		if len(counts) > maxBuckets {
			return fmt.Errorf("more than %d units of a %s hold events; count by a longer unit, or bound the time", maxBuckets, per)
		}
		return nil
	})
	for start, n := range counts {
		series.Buckets = append(series.Buckets, Bucket{start, n})
	}
	slices.SortFunc(series.Buckets, func(a, b Bucket) int { return cmp.Compare(a.Start, b.Start) })
	return series, r.end(err)
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
