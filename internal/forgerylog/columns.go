package forgerylog

import (
	"fmt"
	"io"

	"github.com/parquet-go/parquet-go"

	"nullspf/internal/eventrow"
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

// columnReader reads a column of a row group at rising rows, only the pages
// that hold them.
type columnReader struct {
	chunk  parquet.ColumnChunk
	pages  parquet.Pages
	column *eventrow.Column
	// values are those of the rows from first up to, not including, next.
	values      []parquet.Value
	first, next int64
}

func newColumnReader(chunk parquet.ColumnChunk, column *eventrow.Column) *columnReader {
	return &columnReader{chunk: chunk, pages: chunk.Pages(), column: column}
}

// read puts the value of a row into r. Texts are in the memory of their page:
// pages are left to the garbage collector and never released.
func (c *columnReader) read(row int64, r *eventrow.Row) error {
	if row >= c.next {
		if err := c.load(row); err != nil {
			return err
		}
	}
	c.column.Set(r, c.values[row-c.first])
	return nil
}

// load reads the values from a row on, up to the end of its page.
func (c *columnReader) load(row int64) (err error) {
	defer recoverParquet(&err)
	if row > c.next {
		// Without the index of pages, those before the row are read.
		_, _ = c.chunk.OffsetIndex()
		if err := c.pages.SeekToRow(row); err != nil {
			return err
		}
	}
	page, err := c.pages.ReadPage()
	if err != nil {
		return noEOF(err)
	}
	n := int(page.NumValues())
	if n == 0 {
		return fmt.Errorf("row %d is in an empty page", row)
	}
	if cap(c.values) < n {
		c.values = make([]parquet.Value, n)
	}
	c.values = c.values[:n]
	values := page.Values()
	for have := 0; have < n; {
		m, err := values.ReadValues(c.values[have:])
		have += m
		if have < n && (err != nil || m == 0) {
			return noEOF(err)
		}
	}
	c.first, c.next = row, row+int64(n)
	return nil
}

func (c *columnReader) close() { _ = c.pages.Close() }

// noEOF makes an error of an end that comes too early.
func noEOF(err error) error {
	if err == nil || err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// recoverParquet turns a panic of the Parquet reader on a damaged file into an
// error.
func recoverParquet(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("damaged: %v", r)
	}
}
