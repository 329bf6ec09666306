package tally

import (
	"slices"
	"sync"
)

// Sorted counts of many runs are added up range by range, in a table that is so small
// that it stays near the processor:
//
//	runs     a..........z   a..........z   a..........z
//	ranges   [a..d) [d..k)       [k..q) [q..z]
//	workers  1                   2
//
// Each worker takes ranges that follow each other, so that it reads each run once.

const (
	// rangeBlocks is about how many blocks of counts a range has.
	rangeBlocks = 3
	// firstsApart is how many blocks begin in a range at most.
	firstsApart = 8
)

// sum calls yield with all texts and the sums of their counts, as Total does.
func sum(wanted func() error, runs []Run, workers int, yield func(worker int, text string, n uint64) error) error {
	ends, err := endsOf(runs)
	if err != nil {
		return err
	}
	errs := make([]error, workers)
	var running sync.WaitGroup
	from := ""
	for w := range workers {
		mine := ends[len(ends)*w/workers : len(ends)*(w+1)/workers]
		if len(mine) == 0 {
			continue
		}
		first := from
		from = mine[len(mine)-1]
		running.Go(func() { errs[w] = sumRanges(wanted, runs, first, mine, w, yield) })
	}
	running.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// endsOf returns the ends of ranges; the last is "", for none. Runs are alike, as days
// are, so the largest tells how the texts lie; where others have more, there are the
// first texts of their blocks.
func endsOf(runs []Run) (ends []string, err error) {
	if len(runs) == 0 {
		return []string{""}, nil
	}
	blocks := 0
	var firsts []string
	largest := runs[0]
	for _, r := range runs {
		blocks += r.blockCount()
		firsts = r.firsts(firsts)
		if r.blockCount() > largest.blockCount() {
			largest = r
		}
	}
	if ends, err = largest.sample(blocks / rangeBlocks); err != nil {
		return nil, err
	}
	slices.Sort(firsts)
	for i := firstsApart; i < len(firsts); i += firstsApart {
		ends = append(ends, firsts[i])
	}
	slices.Sort(ends)
	ends = slices.Compact(ends)
	if len(ends) > 0 && ends[0] == "" {
		ends = ends[1:]
	}
	return append(ends, ""), nil
}

// sumRanges adds up the ranges from a text on that end before each of ends, as long as that is wanted.
func sumRanges(wanted func() error, runs []Run, from string, ends []string, worker int, yield func(worker int, text string, n uint64) error) error {
	var left []Run
	for _, r := range runs {
		r = r.From(from)
		more, err := r.Next()
		if err != nil {
			return err
		}
		if more {
			left = append(left, r)
		}
	}
	t := NewTable()
	for _, end := range ends {
		if err := wanted(); err != nil {
			return err
		}
		kept := left[:0]
		for _, r := range left {
			more, err := t.addRange(r, end)
			if err != nil {
				return err
			}
			if more {
				kept = append(kept, r)
			}
		}
		left = kept
		err := t.each(func(text string, n uint64) error { return yield(worker, text, n) })
		if err != nil {
			return err
		}
		t.clear()
	}
	return nil
}

// addRange counts the texts of a run before an end, "" for none; more: others are
// left, of which the first is the present one.
func (t *Table) addRange(r Run, end string) (more bool, err error) {
	for end == "" || r.Text() < end {
		t.Add(r.Text(), r.Count())
		if more, err = r.Next(); !more {
			return false, err
		}
	}
	return true, nil
}
