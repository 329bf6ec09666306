package tally

import (
	"bufio"
	"errors"
	"os"
)

// Counter counts texts exactly in bounded memory: what does not fit is sorted and
// put into a temporary file.
type Counter struct {
	table *Table
	// budget is how much memory the table may take, in bytes.
	budget int
	files  []*os.File
	runs   []Run
}

// NewCounter returns a counter whose table takes about budget bytes at most. It must
// be closed.
func NewCounter(budget int) *Counter { return &Counter{table: NewTable(), budget: budget} }

// Add counts a text n times.
func (c *Counter) Add(text string, n uint64) error {
	c.table.Add(text, n)
	if c.table.Memory()+c.table.growth() > c.budget {
		return c.spill()
	}
	return nil
}

// spill puts what was counted into a file, which has no name.
func (c *Counter) spill() error {
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
	if err := Merge([]Run{c.table.Sorted()}, w.add); err != nil {
		return err
	}
	if err := errors.Join(w.flush(), buf.Flush()); err != nil {
		return err
	}
	c.runs = append(c.runs, newBlockRun(f, w.blocks))
	c.table = NewTable()
	return nil
}

// Runs is what was counted. Nothing may be counted after it.
func (c *Counter) Runs() []Run {
	if c.table.Len() == 0 {
		return c.runs
	}
	return append(c.runs, c.table.Sorted())
}

// Table is what was counted, nil when it did not fit into memory.
func (c *Counter) Table() *Table {
	if len(c.runs) > 0 {
		return nil
	}
	return c.table
}

// Close removes the files.
func (c *Counter) Close() {
	for _, f := range c.files {
		_ = f.Close()
	}
}

// Total calls yield with all texts that several counters counted and those of other
// runs, and the sums of their counts, in no order: from several goroutines, each of
// which calls it with a number of its own below workers.
func Total(counters []*Counter, others []Run, workers int, yield func(worker int, text string, n uint64) error) error {
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
		return sum(runs, workers, yield)
	}
	if len(tables) == 0 {
		return nil
	}
	sum := tables[0]
	for _, t := range tables[1:] {
		if t.Len() > sum.Len() {
			sum, t = t, sum
		}
		t.Each(sum.Add)
	}
	return yieldAll(sum, 0, yield)
}

func yieldAll(t *Table, worker int, yield func(worker int, text string, n uint64) error) (err error) {
	t.Each(func(text string, n uint64) {
		if err == nil {
			err = yield(worker, text, n)
		}
	})
	return err
}
