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
	// maxMarks bounds the texts of which the ends of ranges are chosen.
	maxMarks = 1 << 12
	// rangeMarks is about how many blocks of counts a range has.
	rangeMarks = 24
)

// sum calls yield with all texts and the sums of their counts, as Total does.
func sum(runs []Run, workers int, yield func(worker int, text string, n uint64) error) error {
	ends := endsOf(runs)
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
		running.Go(func() { errs[w] = sumRanges(runs, first, mine, w, yield) })
	}
	running.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// endsOf returns the ends of ranges; the last is "", for none.
func endsOf(runs []Run) (ends []string) {
	var marks []string
	for stride := 1; ; stride *= 2 {
		marks = marks[:0]
		for _, r := range runs {
			marks = r.marks(marks, stride)
		}
		if len(marks) <= max(maxMarks, len(runs)) {
			slices.Sort(marks)
			for i := rangeMarks; i < stride*len(marks); i += rangeMarks {
				if m := marks[i/stride]; m > "" && (len(ends) == 0 || m > ends[len(ends)-1]) {
					ends = append(ends, m)
				}
			}
			return append(ends, "")
		}
	}
}

// sumRanges adds up the ranges from a text on that end before each of ends.
func sumRanges(runs []Run, from string, ends []string, worker int, yield func(worker int, text string, n uint64) error) error {
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
		if err := yieldAll(t, worker, yield); err != nil {
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
