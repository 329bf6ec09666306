package forgerylog

import (
	"context"
	"errors"
	"time"

	"nullspf/internal/tally"
)

// Newcomers implements [Engine].
func (f *Journals) Newcomers(ctx context.Context, q Query, by Field, n int) (*Ranking, error) {
	q, err := f.placed(q)
	if err != nil {
		return nil, err
	}
	if n < 1 {
		return nil, errors.New("ask for at least one value")
	}
	if q.Since.IsZero() {
		return nil, errors.New("ask for new values since a time")
	}
	key, field, err := f.keyOf(by)
	if err != nil {
		return nil, err
	}
	r, err := f.begin(ctx)
	if err != nil {
		return nil, err
	}
	earlier, both := q, q
	earlier.Since, earlier.Until = time.Time{}, q.Since
	both.Since = time.Time{}
	if err = r.join(both); err != nil {
		return nil, r.end(err)
	}
	ranking := &Ranking{By: by, Counted: q.Counted()}
	err = r.newcomers(newPlan(q), newPlan(earlier), key, field, ranking, n)
	return ranking, r.end(err)
}

// newcomers counts the values of a plan, and marks those of the earlier one.
func (r *run) newcomers(p, earlier *plan, key tally.Key, field tally.Field, ranking *Ranking, n int) error {
	now := r.newCounting(key, field, countBudget/2)
	defer now.close()
	before := r.newCounting(key, field, countBudget/2)
	defer before.close()
	err := now.run(r, p)
	ranking.Total, ranking.Unknown = now.total, now.unknown
	if err != nil {
		return err
	}
	if err := before.run(r, earlier); err != nil {
		return err
	}
	runs := now.runs
	for _, c := range before.counters() {
		before.runs = append(before.runs, c.Runs()...)
	}
	for _, b := range before.runs {
		runs = append(runs, tally.Marked(b))
	}
	kept := newRanks(n)
	err = r.total(now, runs, func(worker int, text string, count uint64) error {
		if count >= tally.Mark {
			return nil
		}
		return kept.add(worker, text, count)
	})
	kept.into(ranking)
	return err
}
