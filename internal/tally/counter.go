package tally

import (
	"bufio"
	"errors"
	"os"
)

// Counter counts texts exactly in bounded memory: what does not fit is sorted and
// put into a temporary file.
type Counter struct {
	table   *Table
	waiting waiting
	// budget is how much memory the table may take, in bytes.
	budget int
	// Wanted is asked now and then while what was counted is sorted, unless it is nil. Its error is
	// that of [Counter.Add]; once it has one, who counts must not go on.
	Wanted func() error
	files  []*os.File
	runs   []Run
}

// NewCounter returns a counter whose table takes about budget bytes at most. It must
// be closed.
func NewCounter(budget int) *Counter { return &Counter{table: NewTable(), budget: budget} }

// Add counts a text n times.
func (c *Counter) Add(text string, n uint64) error {
	if c.waiting.add(text, n) {
		return nil
	}
	c.table.addAll(&c.waiting)
	if c.table.Memory()+c.table.growth() > c.budget {
		return c.spill()
	}
	return nil
}

// spill puts what was counted into a file, which has no name.
func (c *Counter) spill() error {
	run, err := c.table.sorted(c.Wanted)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp("", "nullspf")
	if err != nil {
		return err
	}
	c.files = append(c.files, f)
	if err := os.Remove(f.Name()); err != nil {
		return err
	}
	buf := bufio.NewWriterSize(f, 1<<20)
	w := &blockWriter{w: buf}
	asked := asker{wanted: c.Wanted}
	for {
		if more, _ := run.Next(); !more {
			break
		}
		if err := asked.ask(); err != nil {
			return err
		}
		if err := w.add(run.Text(), run.Count()); err != nil {
			return err
		}
	}
	if err := errors.Join(w.flush(), buf.Flush()); err != nil {
		return err
	}
	c.runs = append(c.runs, newBlockRun(f, w.blocks))
	c.table.clear()
	return nil
}

// Runs is what was counted, or a part of it when nobody wants it any more. Nothing may be counted
// after it.
func (c *Counter) Runs() []Run {
	c.table.addAll(&c.waiting)
	if c.table.Len() == 0 {
		return c.runs
	}
	run, err := c.table.sorted(c.Wanted)
	if err != nil {
		return c.runs
	}
	return append(c.runs, run)
}

// Table is what was counted, nil when it did not fit into memory.
func (c *Counter) Table() *Table {
	if len(c.runs) > 0 {
		return nil
	}
	c.table.addAll(&c.waiting)
	return c.table
}

// Close removes the files.
func (c *Counter) Close() {
	for _, f := range c.files {
		_ = f.Close()
	}
}

// asker asks whether an answer is wanted, once for many steps.
type asker struct {
	wanted func() error
	steps  int
}

// askedSteps is how many steps are taken without asking; a step takes less than a microsecond.
const askedSteps = 1 << 12

func (a *asker) ask() error {
	if a.steps++; a.steps%askedSteps != 0 || a.wanted == nil {
		return nil
	}
	return a.wanted()
}

// Total calls yield with all texts that several counters counted and those of other
// runs, and the sums of their counts, in no order: from several goroutines, each of
// which calls it with a number of its own below workers. It ends with the error of wanted, which
// it asks now and then, unless it is nil.
func Total(wanted func() error, counters []*Counter, others []Run, workers int, yield func(worker int, text string, n uint64) error) error {
	if wanted == nil {
		wanted = func() error { return nil }
	}
	if err := wanted(); err != nil {
		return err
	}
	runs := others
	var tables []*Table
	for _, c := range counters {
		if t := c.Table(); t != nil {
			tables = append(tables, t)
		}
	}
	if len(runs) > 0 || len(tables) < len(counters) {
		for _, c := range counters {
			runs = append(runs, c.Runs()...)
		}
		return sum(wanted, runs, workers, yield)
	}
	if len(tables) == 0 {
		return nil
	}
	sum := tables[0]
	for _, t := range tables[1:] {
		if t.Len() > sum.Len() {
			sum, t = t, sum
		}
		asked := asker{wanted: wanted}
		err := t.each(func(text string, n uint64) error {
			sum.Add(text, n)
			return asked.ask()
		})
		if err != nil {
			return err
		}
	}
	asked := asker{wanted: wanted}
	return sum.each(func(text string, n uint64) error {
		if err := yield(0, text, n); err != nil {
			return err
		}
		return asked.ask()
	})
}
