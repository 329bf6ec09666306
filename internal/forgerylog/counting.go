package forgerylog

import (
	"fmt"
	"runtime"
	"sync"

	"github.com/parquet-go/parquet-go"

	"nullspf/internal/eventrow"
	"nullspf/internal/journal"
	"nullspf/internal/tally"
)

// Those who count do not go by rows. Of a segment that is counted whole, the summary
// tells everything. The others are read by several goroutines, a segment each, column
// by column.

// countBudget is how much memory the tables of a query take together, in bytes, before
// they are put into files.
const countBudget = 112 << 20

// countable is a segment to be counted, of which plan selects events.
type countable struct {
	file *journal.SegmentFile
	plan *plan
	view *journalView
	// whole: all attempts of the segment are selected, or all events.
	whole bool
}

// lacks reports whether the segment certainly holds no selected event.
func (c *countable) lacks() bool { return len(c.view.remarks) == 0 && c.plan.lacks(c.file) }

// countables lists the segments that may hold selected events.
func (r *run) countables(p *plan) (list []countable) {
	for _, v := range r.views {
		list = append(list, v.countables(p)...)
	}
	return list
}

// countables lists those of a view, in order.
func (v *journalView) countables(p *plan) (list []countable) {
	own := v.planOf(p)
	for _, file := range v.Segments() {
		if !p.overlaps(file.MinTime, file.MaxTime) {
			continue
		}
		if narrowed := v.without(own, file.First, file.Last); narrowed != nil {
			whole := narrowed == p && (p.allAttempts() || p.allPackets()) && p.first <= file.MinTime && file.MaxTime <= p.last
			list = append(list, countable{file, narrowed, v, whole})
		}
	}
	return list
}

// holding is countables without those that certainly hold nothing. Their summaries are asked
// by several goroutines.
func (v *journalView) holding(p *plan) (list []countable) {
	all := v.countables(p)
	lacks := make([]bool, len(all))
	inParallel(len(all), func(i int) { lacks[i] = all[i].lacks() })
	for i, c := range all {
		if !lacks[i] {
			list = append(list, c)
		}
	}
	return list
}

// inParallel calls work with each number below n, from several goroutines.
func inParallel(n int, work func(i int)) {
	next := make(chan int, n)
	for i := range n {
		next <- i
	}
	close(next)
	var running sync.WaitGroup
	for range min(workerCount(), n) {
		running.Go(func() {
			for i := range next {
				work(i)
			}
		})
	}
	running.Wait()
}

// count calls summed with the summary of each segment that is counted whole; false:
// it is of no use. It has the selected rows of all other segments read, and calls read.row
// with the events that are not sealed.
func (r *run) count(p *plan, workers int, summed func(*tally.Summary) bool, read reading) error {
	var rest []countable
	for _, c := range r.countables(p) {
		if c.whole {
			if err := r.ctx.Err(); err != nil {
				return err
			}
			if s := c.file.Summary(); s != nil && summed(s) {
				continue
			}
		}
		rest = append(rest, c)
	}
	if err := r.groups(rest, workers, read); err != nil {
		return err
	}
	for _, v := range r.views {
		if err := r.tail(v, v.planOf(p), func(row *eventrow.Row) error { return read.row(0, v, row) }); err != nil {
			return err
		}
	}
	return nil
}

// reading is what is done with selected events, by workers, each in a goroutine of its own.
type reading struct {
	// group gets the selected rows of a row group, which are valid until it returns.
	group func(worker int, c *countable, s *segment, g parquet.RowGroup, rows []int32) error
	// row gets a single event, of which columns are set, and its view. It is valid until row
	// returns.
	row     func(worker int, v *journalView, row *eventrow.Row) error
	columns columns
}

// groups has the selected events of segments read, about from the newest segment on.
func (r *run) groups(list []countable, workers int, read reading) error {
	errs := make([]error, len(list))
	next := make(chan int, len(list))
	for i := range list {
		next <- len(list) - 1 - i
	}
	close(next)
	var running sync.WaitGroup
	for w := range workers {
		running.Go(func() {
			var rows []int32
			for i := range next {
				if errs[i] = r.countSegment(&list[i], w, &rows, read); errs[i] != nil && !isFileError(errs[i]) {
					return
				}
			}
		})
	}
	running.Wait()
	for _, err := range errs {
		if err := r.excuse(err); err != nil {
			return err
		}
	}
	return nil
}

// noSummary is for those whom summaries tell nothing.
func noSummary(*tally.Summary) bool { return false }

func (r *run) countSegment(c *countable, worker int, rows *[]int32, read reading) (err error) {
	if c.lacks() {
		return nil
	}
	if found, err := r.ofClient(c.file, c.plan, read.columns, func(row *eventrow.Row) error { return read.row(worker, c.view, row) }); found {
		return err
	}
	s, groups, err := openSegment(r.ctx, c.file, c.plan)
	if err != nil {
		return err
	}
	for _, g := range groups {
		if *rows, err = s.selected(r.ctx, g, c.plan, *rows); err != nil {
			return err
		}
		if err := read.group(worker, c, s, g, *rows); err != nil {
			return err
		}
	}
	return nil
}

// workerCount is how many goroutines count.
func workerCount() int { return runtime.GOMAXPROCS(0) }

// counts are those of one worker.
type counts struct {
	*tally.Counter
	key            func(*eventrow.Row) string
	total, unknown uint64
}

func (c *counts) add(text string, n uint64) error {
	c.total += n
	if text == "" {
		c.unknown += n
		return nil
	}
	return c.Add(text, n)
}

// counting is events being counted by a key.
type counting struct {
	key tally.Key
	// field is that of summaries which have the same key, or noField.
	field   tally.Field
	workers []counts
	// runs are the counts of summaries.
	runs           []tally.Run
	total, unknown uint64
}

// newCounting counts with tables of some bytes of memory together. It must be closed.
func (r *run) newCounting(key tally.Key, field tally.Field, budget int) *counting {
	c := &counting{key: key, field: field, workers: make([]counts, workerCount())}
	for i := range c.workers {
		c.workers[i] = counts{Counter: tally.NewCounter(budget / len(c.workers)), key: key.Of()}
		c.workers[i].Wanted = r.ctx.Err
	}
	return c
}

func (c *counting) close() {
	for i := range c.workers {
		c.workers[i].Close()
	}
}

func (c *counting) counters() (list []*tally.Counter) {
	for i := range c.workers {
		list = append(list, c.workers[i].Counter)
	}
	return list
}

// addSummary adds the counts of a segment of which all attempts are selected, or all events; false:
// the summary does not have them.
func (c *counting) addSummary(s *tally.Summary, p *plan) bool {
	var runs []tally.Run
	var all, counted uint64
	var err error
	switch {
	case p.attempts && c.field != noField:
		var run tally.Run
		all = s.Attempts
		run, counted, err = s.Run(c.field)
		runs = []tally.Run{run}
	case !p.attempts && c.field == tally.IPs:
		all = s.Rows
		runs, counted, err = s.Packets()
	default:
		return false
	}
	if err != nil {
		return false
	}
	c.total += all
	c.unknown += all - counted
	c.runs = append(c.runs, runs...)
	return true
}

// run counts the events of a plan.
func (c *counting) run(r *run, p *plan) error {
	summed := func(s *tally.Summary) bool { return c.addSummary(s, p) }
	set := cols(c.key.Columns...) | p.weights
	err := r.count(p, len(c.workers), summed, reading{
		group: func(worker int, _ *countable, s *segment, g parquet.RowGroup, rows []int32) error {
			return s.count(g, rows, set, c.workers[worker].key, p.weight, c.workers[worker].add)
		},
		row: func(worker int, _ *journalView, row *eventrow.Row) error {
			return c.workers[worker].add(c.workers[worker].key(row), p.weigh(row))
		},
		columns: set,
	})
	for i := range c.workers {
		c.total += c.workers[i].total
		c.unknown += c.workers[i].unknown
	}
	return err
}

// countKeys counts the selected events by a key. field is that of summaries which have
// the same key, or noField. It calls yield with each key and its count, which are valid
// until it returns, from several goroutines, each with its number below workerCount.
func (r *run) countKeys(p *plan, key tally.Key, field tally.Field, yield func(worker int, text string, n uint64) error) (total, unknown uint64, err error) {
	c := r.newCounting(key, field, countBudget)
	defer c.close()
	if err := c.run(r, p); err != nil {
		return c.total, c.unknown, err
	}
	return c.total, c.unknown, r.total(c, c.runs, yield)
}

// total calls yield with what was counted and what is in runs, as [tally.Total] does.
func (r *run) total(c *counting, runs []tally.Run, yield func(worker int, text string, n uint64) error) error {
	err := tally.Total(r.ctx.Err, c.counters(), runs, len(c.workers), yield)
	if gone := r.ctx.Err(); err == nil || gone != nil {
		return gone
	}
	return fmt.Errorf("counting: %w", err)
}

// noField: no summary has the key.
const noField tally.Field = -1
