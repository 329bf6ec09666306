package tally

import (
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"nullspf/internal/eventrow"
)

// Column reads a column of a row group at rising rows, only the pages that hold
// them. It panics on damaged pages, as the Parquet reader does; see [Recover].
type Column struct {
	*eventrow.Column
	chunk *parquet.FileColumnChunk
	// release: memory is used again. Otherwise texts stay valid.
	release bool
	// Wanted is asked before a page is read, unless it is nil; its error is that of
	// [Column.Load].
	Wanted func() error
	// The page holds the rows from First up to, not including, next.
	First, next int64
	// Codes are the places of the values in the dictionary, nil when the page has
	// the values themselves.
	Codes []int32
	// memory is nil until a page is read.
	*memory
}

// memory is what is read of a chunk.
type memory struct {
	pages pages
	codes []int32
	// The dictionary has the values in listed, those of a page without codes are in plain.
	unpacked, dictionary []byte
	listed, plain        values
	hasDictionary        bool
}

// forget leaves the texts to those who have them.
func (m *memory) forget() {
	m.unpacked, m.dictionary, m.listed, m.plain = nil, nil, values{}, values{}
}

// memories are those that are not in use. Fresh memory costs more than what is read into it.
var memories = sync.Pool{New: func() any { return new(memory) }}

// NewColumn reads a column chunk of a file. With release, a text is valid until the next page is read,
// unless it is of a dictionary: then it is valid until the column is closed.
func NewColumn(chunk parquet.ColumnChunk, column *eventrow.Column, release bool) *Column {
	return &Column{Column: column, chunk: chunk.(*parquet.FileColumnChunk), release: release}
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
	if err := c.begin(); err != nil {
		return 0, err
	}
	if !c.release {
		c.unpacked, c.plain = nil, values{}
	}
	p, err := c.pages.next(row)
	if err == nil && p.Type == format.DictionaryPage && !c.hasDictionary {
		if err = c.list(p); err == nil {
			p, err = c.pages.next(row)
		}
	}
	if err != nil {
		return 0, noEOF(err)
	}
	if err := c.open(p, int(p.values())); err != nil {
		return 0, err
	}
	c.First, c.next = c.pages.row-p.values(), c.pages.row
	return c.next, nil
}

// begin finds the pages.
func (c *Column) begin() error {
	if c.memory != nil {
		return nil
	}
	c.memory = memories.Get().(*memory)
	if !c.release {
		c.forget()
	}
	c.hasDictionary = false
	err := c.pages.open(c.chunk)
	if err != nil {
		c.Close()
	}
	return err
}

// list reads the dictionary.
func (c *Column) list(p *page) (err error) {
	n := p.values()
	if n < 0 || n > c.pages.meta.NumValues {
		return fmt.Errorf("a dictionary has %d values", n)
	}
	if c.dictionary, err = c.pages.unpack(p, c.dictionary); err != nil {
		return err
	}
	c.hasDictionary = true
	return c.listed.decode(c.Kind, c.dictionary, int(n), format.Plain)
}

// open finds the values of a page.
func (c *Column) open(p *page, n int) (err error) {
	if p.Type == format.DictionaryPage {
		return errors.New("a column has two dictionaries")
	}
	if c.unpacked, err = c.pages.unpack(p, c.unpacked); err != nil {
		return err
	}
	if p.encoding() != format.RLEDictionary {
		c.Codes = nil
		return c.plain.decode(c.Kind, c.unpacked, n, p.encoding())
	}
	if !c.hasDictionary {
		return errors.New("a column has no dictionary")
	}
	if err := checkNumber(c.unpacked, n, format.RLEDictionary); err != nil {
		return err
	}
	if c.codes, err = parquet.RLEDictionary.DecodeInt32(c.codes, c.unpacked); err != nil {
		return err
	}
	if len(c.codes) < n {
		return fmt.Errorf("a page has %d values, not %d", len(c.codes), n)
	}
	c.Codes = c.codes[:n]
	return nil
}

// Values is the number of values in the dictionary.
func (c *Column) Values() int { return c.listed.n }

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
// not valid until the column is closed, or longer.
func (c *Column) SetCopy(r *eventrow.Row, row int64, memory []byte, longer bool) []byte {
	v, i := c.value(row)
	if c.Kind != parquet.ByteArray || v == &c.listed && !longer {
		v.set(c.Column, r, i)
		return memory
	}
	start := len(memory)
	memory = append(memory, v.text(i)...)
	c.SetText(r, view(memory[start:]))
	return memory
}

// SetValue puts a value of the dictionary into r.
func (c *Column) SetValue(r *eventrow.Row, code int32) { c.listed.set(c.Column, r, int64(code)) }

// Bounds are the least and the greatest value of a column of that type, by its
// statistics; false: they are not known.
func (c *Column) Bounds() (least, greatest int64, ok bool) {
	a, b, ok := c.chunk.Bounds()
	return a.Int64(), b.Int64(), ok
}

// Int64 is the value of a row of the page, in a column of that type.
func (c *Column) Int64(row int64) int64 {
	v, i := c.value(row)
	return v.int64s[i]
}

// Truth is the value of a row of the page, in a column of truth values.
func (c *Column) Truth(row int64) bool {
	v, i := c.value(row)
	return v.truth(i)
}

// Truths are the values of the page, in a column of truth values, from row First on: eight a byte,
// from the lowest bit on.
func (c *Column) Truths() []byte { return c.plain.bits }

// Close ends reading.
func (c *Column) Close() {
	if c.memory == nil {
		return
	}
	if !c.release {
		c.forget()
	}
	memories.Put(c.memory)
	c.memory = nil
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
