package journal

import (
	"encoding/binary"
	"slices"
	"unsafe"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/delta"
	"github.com/parquet-go/parquet-go/format"

	"nullspf/internal/eventrow"
)

const (
	// pageRows is how many rows a page has at most.
	pageRows = 16 << 10
	// pageBytes is about how many bytes a page of texts has at most, before
	// compression: with the lengths, no more than a block of zstd, 128 KiB.
	pageBytes = 120 << 10
	// maxDictionary bounds a dictionary, in bytes: a reader holds all of it in
	// memory.
	maxDictionary = 4 << 20
	// maxIndexed is how much of a text the index of pages has as its bound.
	maxIndexed = 16
)

// columnWriter turns values of a column into pages.
type columnWriter interface {
	// add takes the values of rows; nothing of the rows is kept. It returns how
	// much memory they take.
	add(rows []eventrow.Row) (bytes int, err error)
	// finish completes the chunk of a row group, after which the next one begins.
	finish() error
	chunk() *chunkWriter
}

// newColumnWriter makes the writer of a column, by its type and tag.
func newColumnWriter(c *eventrow.Column) columnWriter {
	base := baseWriter{column: c, out: chunkWriter{name: c.Name, kind: format.Type(c.Kind)}}
	switch {
	case c.Kind == parquet.ByteArray && c.Dictionary:
		return newTextWriter(base)
	case c.Kind == parquet.ByteArray:
		return &plainWriter{baseWriter: base}
	case c.Kind == parquet.Boolean:
		return &boolWriter{baseWriter: base}
	case c.Kind == parquet.Int32 && c.Dictionary:
		return &codeWriter{codes: codes{baseWriter: base}}
	case c.Kind == parquet.Int32:
		return &integerWriter[int32]{baseWriter: base, value: (*eventrow.Column).Int32, encode: new(delta.BinaryPackedEncoding).EncodeInt32, bytes: int32Bytes}
	}
	return &integerWriter[int64]{baseWriter: base, value: (*eventrow.Column).Int64, encode: new(delta.BinaryPackedEncoding).EncodeInt64, bytes: int64Bytes}
}

type baseWriter struct {
	column  *eventrow.Column
	out     chunkWriter
	encoded []byte
}

func (w *baseWriter) chunk() *chunkWriter { return &w.out }

// integerWriter writes integers that rise, or nearly, by their differences: of
// numbers that take 16 bits, no more than those.
type integerWriter[T int32 | int64] struct {
	baseWriter
	// page are the values of the page that is not full, unless all are 0: then only
	// their number is kept, in zeros.
	page   []T
	zeros  int
	value  func(c *eventrow.Column, r *eventrow.Row) T
	encode func(dst []byte, values []T) ([]byte, error)
	bytes  func(v T) []byte

	least, greatest T
}

func (w *integerWriter[T]) add(rows []eventrow.Row) (int, error) {
	for i := range rows {
		switch v := w.value(w.column, &rows[i]); {
		case v == 0 && len(w.page) == 0:
			w.zeros++
		case w.zeros > 0:
			w.page = append(append(w.page, make([]T, w.zeros)...), v)
			w.zeros = 0
		default:
			w.page = append(w.page, v)
		}
		if w.zeros+len(w.page) == pageRows {
			if err := w.finishPage(); err != nil {
				return 0, err
			}
		}
	}
	return binary.Size(T(0)) * len(rows), nil
}

// noughts are the values of pages that have no others.
var noughts [pageRows]int64

func (w *integerWriter[T]) finishPage() (err error) {
	page := w.page
	if w.zeros > 0 {
		page = unsafe.Slice((*T)(unsafe.Pointer(&noughts)), w.zeros)
	}
	if len(page) == 0 {
		return nil
	}
	least, greatest := slices.Min(page), slices.Max(page)
	if w.out.rows == 0 {
		w.least, w.greatest = least, greatest
	}
	w.least, w.greatest = min(w.least, least), max(w.greatest, greatest)
	if w.encoded, err = w.encode(w.encoded, page); err == nil {
		err = w.out.dataPage(w.encoded, format.DeltaBinaryPacked, len(page), w.bytes(least), w.bytes(greatest))
	}
	w.page, w.zeros = w.page[:0], 0
	return err
}

func (w *integerWriter[T]) finish() error {
	err := w.finishPage()
	w.out.stats = format.Statistics{MinValue: w.bytes(w.least), MaxValue: w.bytes(w.greatest)}
	return err
}

func int64Bytes(v int64) []byte { return binary.LittleEndian.AppendUint64(nil, uint64(v)) }

func int32Bytes(v int32) []byte { return binary.LittleEndian.AppendUint32(nil, uint32(v)) }

// boolWriter writes truth values, a bit each.
type boolWriter struct {
	baseWriter
	bits []byte
	rows int
	// seen: some value is false, some is true.
	seen [2]bool
}

func (w *boolWriter) add(rows []eventrow.Row) (int, error) {
	for i := range rows {
		if w.rows%8 == 0 {
			w.bits = append(w.bits, 0)
		}
		if w.column.Bool(&rows[i]) {
			w.bits[w.rows/8] |= 1 << (w.rows % 8)
			w.seen[1] = true
		} else {
			w.seen[0] = true
		}
		w.rows++
	}
	return len(rows) / 8, nil
}

func (w *boolWriter) finish() error {
	least, greatest := []byte{1}, []byte{0}
	if w.seen[0] {
		least = []byte{0}
	}
	if w.seen[1] {
		greatest = []byte{1}
	}
	for from := 0; from < w.rows; from += pageRows {
		n := min(w.rows-from, pageRows)
		if err := w.out.dataPage(w.bits[from/8:(from+n+7)/8], format.Plain, n, least, greatest); err != nil {
			return err
		}
	}
	w.out.stats = format.Statistics{MinValue: least, MaxValue: greatest}
	w.bits, w.rows, w.seen = w.bits[:0], 0, [2]bool{}
	return nil
}
