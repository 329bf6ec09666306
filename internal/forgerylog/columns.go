package forgerylog

import (
	"github.com/parquet-go/parquet-go"

	"nullspf/internal/eventrow"
	"nullspf/internal/tally"
)

// columns is a set of columns, a bit each.
type columns uint64

var allColumns = columns(1)<<len(eventrow.Columns) - 1

func cols(list ...*eventrow.Column) columns {
	var set columns
	for _, c := range list {
		set |= 1 << c.Index
	}
	return set
}

func (s columns) has(c *eventrow.Column) bool { return s&(1<<c.Index) != 0 }

// sifter finds the rows of a group that meet a condition, which is decided from readers' columns.
// Of a column with a dictionary, each value is looked at once.
type sifter struct {
	readers []*tally.Column
	match   func(*eventrow.Row) bool
	// decided is 1 for a value of the dictionary that matches, 2 for another, 0 for one that was
	// not looked at.
	decided []uint8
}

// sift narrows down rows, which follow those of the calls before, in their memory.
func (s *sifter) sift(rows []int32) ([]int32, error) {
	if len(s.readers) == 1 {
		return s.siftOne(s.readers[0], rows)
	}
	var r eventrow.Row
	kept := rows[:0]
	for _, row := range rows {
		for _, c := range s.readers {
			if _, err := c.Load(int64(row)); err != nil {
				return nil, err
			}
			c.Set(&r, int64(row))
		}
		if s.match(&r) {
			kept = append(kept, row)
		}
	}
	return kept, nil
}

func (s *sifter) siftOne(c *tally.Column, rows []int32) ([]int32, error) {
	var r eventrow.Row
	var yes, no bool
	if c.Kind == parquet.Boolean {
		c.Column.Set(&r, parquet.BooleanValue(true))
		yes = s.match(&r)
		c.Column.Set(&r, parquet.BooleanValue(false))
		no = s.match(&r)
	}
	kept := rows[:0]
	for len(rows) > 0 {
		end, err := c.Load(int64(rows[0]))
		if err != nil {
			return nil, err
		}
		n := tally.Before(rows, end)
		switch {
		case c.Kind == parquet.Boolean:
			kept = siftTruths(kept, rows[:n], c.Truths(), int32(c.First), yes, no)
		case c.Codes == nil:
			for _, row := range rows[:n] {
				if c.Set(&r, int64(row)); s.match(&r) {
					kept = append(kept, row)
				}
			}
		default:
			if s.decided == nil {
				s.decided = make([]uint8, c.Values())
			}
			for _, row := range rows[:n] {
				code := c.Codes[int64(row)-c.First]
				if s.decided[code] == 0 {
					s.decided[code] = 2
					if c.SetValue(&r, code); s.match(&r) {
						s.decided[code] = 1
					}
				}
				if s.decided[code] == 1 {
					kept = append(kept, row)
				}
			}
		}
		rows = rows[n:]
	}
	return kept, nil
}

// siftTruths appends the rows whose truth value is wanted; the first bit of truths is that of
// the row first. Half of the rows are attempts: no branch depends on a value.
func siftTruths(kept, rows []int32, truths []byte, first int32, yes, no bool) []int32 {
	wanted := [2]int{}
	if no {
		wanted[0] = 1
	}
	if yes {
		wanted[1] = 1
	}
	n := len(kept)
	kept = kept[:n+len(rows)]
	for _, row := range rows {
		kept[n] = row
		i := uint32(row - first)
		n += wanted[truths[i/8]>>(i%8)&1]
	}
	return kept[:n]
}
