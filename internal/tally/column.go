package tally

import (
	"errors"
	"fmt"
	"io"
	"sort"

	"github.com/parquet-go/parquet-go"

	"nullspf/internal/eventrow"
)

// Column reads a column of a row group at rising rows, only the pages that hold
// them. It panics on damaged pages, as the Parquet reader does; see [Recover].
type Column struct {
	*eventrow.Column
	chunk parquet.ColumnChunk
	pages parquet.Pages
	page  parquet.Page
	// release: pages are used again. Otherwise texts stay valid.
	release bool
	// Wanted is asked before a page is read, unless it is nil; its error is that of
	// [Column.Load].
	Wanted func() error
	// The page holds the rows from First up to, not including, next.
	First, next int64
	// Codes are the places of the values in the dictionary, nil when the page has
	// the values themselves.
	Codes []int32
	// dictionary is that of the chunk, whose values are in listed; those of a
	// page without codes are in plain.
	dictionary    parquet.Dictionary
	listed, plain values
}

// values are those of one type.
type values struct {
	texts   []byte
	offsets []uint32
	int64s  []int64
	int32s  []int32
	truths  []bool
}

// NewColumn reads a column chunk. With release, a text is valid until the next page
// is read, unless it is of a dictionary.
func NewColumn(chunk parquet.ColumnChunk, column *eventrow.Column, release bool) *Column {
	return &Column{Column: column, chunk: chunk, pages: chunk.Pages(), release: release}
}

// Load makes the page with a row the present one, and returns the row after its
// last.
func (c *Column) Load(row int64) (next int64, err error) {
	if row < c.next {
		return c.next, nil
	}
	if c.Wanted != nil {
		if err := c.Wanted(); err != nil {
			return 0, err
		}
	}
	first := c.next
	if row > first {
		first = c.pageOf(row)
		if err := c.pages.SeekToRow(first); err != nil {
			return 0, err
		}
	}
	if c.release && c.page != nil {
		parquet.Release(c.page)
	}
	c.page = nil
	page, err := c.pages.ReadPage()
	if err != nil {
		return 0, noEOF(err)
	}
	c.page = page
	n := page.NumValues()
	if row >= first+n {
		return 0, fmt.Errorf("row %d is not in the page from row %d on", row, first)
	}
	if err := c.open(page, int(n)); err != nil {
		return 0, err
	}
	c.First, c.next = first, first+n
	return c.next, nil
}

// pageOf returns the first row of the page with a row. Without the index of pages, it is
// the row: then those before it are read.
func (c *Column) pageOf(row int64) int64 {
	index, err := c.chunk.OffsetIndex()
	if err != nil {
		return row
	}
	i := sort.Search(index.NumPages(), func(i int) bool { return index.FirstRowIndex(i) > row })
	if i == 0 {
		return row
	}
	return max(index.FirstRowIndex(i-1), c.next)
}

// open finds the values of a page.
func (c *Column) open(page parquet.Page, n int) error {
	d := page.Dictionary()
	if d == nil {
		c.Codes = nil
		return c.plain.open(c.Kind, page, n)
	}
	data := page.Data()
	c.Codes = data.Int32()[:n]
	switch c.dictionary {
	case d:
		return nil
	case nil:
		c.dictionary = d
		return c.listed.open(c.Kind, d.Page(), d.Len())
	}
	return errors.New("a column has two dictionaries")
}

func (v *values) open(kind parquet.Kind, page parquet.Page, n int) error {
	data := page.Data()
	switch kind {
	case parquet.ByteArray:
		v.texts, v.offsets = data.ByteArray()
		if len(v.offsets) <= n {
			return fmt.Errorf("a page has %d texts, not %d", len(v.offsets)-1, n)
		}
	case parquet.Int64:
		v.int64s = data.Int64()[:n]
	case parquet.Int32:
		v.int32s = data.Int32()[:n]
	case parquet.Boolean:
		if cap(v.truths) < n {
			v.truths = make([]bool, n)
		}
		v.truths = v.truths[:n]
		if m, err := page.Values().(parquet.BooleanReader).ReadBooleans(v.truths); m != n {
			return noEOF(err)
		}
	}
	return nil
}

// Values is the number of values in the dictionary.
func (c *Column) Values() int { return c.dictionary.Len() }

// value is where the value of a row of the page is.
func (c *Column) value(row int64) (*values, int64) {
	if c.Codes != nil {
		return &c.listed, int64(c.Codes[row-c.First])
	}
	return &c.plain, row - c.First
}

// Set puts the value of a row of the page into r.
func (c *Column) Set(r *eventrow.Row, row int64) {
	v, i := c.value(row)
	v.set(c.Column, r, i)
}

// SetCopy does so with a copy of the text, which it appends to memory, where texts are
// not valid for good.
func (c *Column) SetCopy(r *eventrow.Row, row int64, memory []byte) []byte {
	v, i := c.value(row)
	if c.Kind != parquet.ByteArray || v == &c.listed {
		v.set(c.Column, r, i)
		return memory
	}
	start := len(memory)
	memory = append(memory, v.texts[v.offsets[i]:v.offsets[i+1]]...)
	c.Column.Set(r, parquet.ByteArrayValue(memory[start:]))
	return memory
}

// SetValue puts a value of the dictionary into r.
func (c *Column) SetValue(r *eventrow.Row, code int32) { c.listed.set(c.Column, r, int64(code)) }

func (v *values) set(c *eventrow.Column, r *eventrow.Row, i int64) {
	switch c.Kind {
	case parquet.ByteArray:
		c.Set(r, parquet.ByteArrayValue(v.texts[v.offsets[i]:v.offsets[i+1]]))
	case parquet.Int64:
		c.Set(r, parquet.Int64Value(v.int64s[i]))
	case parquet.Int32:
		c.Set(r, parquet.Int32Value(v.int32s[i]))
	case parquet.Boolean:
		c.Set(r, parquet.BooleanValue(v.truths[i]))
	}
}

// Bounds are the least and the greatest value of a column of that type, by its
// statistics; false: they are not known.
func (c *Column) Bounds() (least, greatest int64, ok bool) {
	if chunk, isFile := c.chunk.(*parquet.FileColumnChunk); isFile {
		a, b, ok := chunk.Bounds()
		return a.Int64(), b.Int64(), ok
	}
	return 0, 0, false
}

// Int64 is the value of a row of the page, in a column of that type.
func (c *Column) Int64(row int64) int64 {
	v, i := c.value(row)
	return v.int64s[i]
}

// Truth is the value of a row of the page, in a column of truth values.
func (c *Column) Truth(row int64) bool {
	v, i := c.value(row)
	return v.truths[i]
}

// Truths are the values of the page, in a column of truth values, from row First on.
func (c *Column) Truths() []bool { return c.plain.truths }

// Close ends reading.
func (c *Column) Close() {
	if c.release && c.page != nil {
		parquet.Release(c.page)
	}
	_ = c.pages.Close()
}

// noEOF makes an error of an end that comes too early.
func noEOF(err error) error {
	if err == nil || err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// Recover turns a panic of the Parquet reader on a damaged file into an error.
func Recover(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("damaged: %v", r)
	}
}
