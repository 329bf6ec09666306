package journal

import (
	"bytes"
	"encoding/binary"
	"io"
	"slices"
	"sync"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"nullspf/internal/eventrow"
	"nullspf/internal/version"
)

const (
	rowGroupRows = 122880
	// rowGroupBytes is about how much memory the values of a row group may take
	// before it is written with fewer rows.
	rowGroupBytes = 64 << 20
	// bloomBits are those of the Bloom filter for each different value.
	bloomBits = 10
)

// rowWriter writes rows as a Parquet file, column by column. It goes by
// [eventrow.Columns] and takes schema and types from [eventrow.Row].
type rowWriter struct {
	out    io.Writer
	offset int64
	meta   format.FileMetaData
	// columns are in the order of the schema, which is not that of the list.
	columns []columnWriter
	// mixed: the numbers of events do not rise.
	mixed bool
	// rows and bytes are those of the row group so far.
	rows, bytes int
	// bounds and pages are the indexes of all chunks.
	bounds []format.ColumnIndex
	pages  []format.OffsetIndex
	buf    bytes.Buffer
}

// schema is what the footer says of the columns.
var schema = sync.OnceValue(func() format.FileMetaData {
	var b bytes.Buffer
	w := parquet.NewGenericWriter[eventrow.Row](&b)
	err := w.Close()
	if err == nil {
		var f *parquet.File
		if f, err = parquet.OpenFile(bytes.NewReader(b.Bytes()), int64(b.Len())); err == nil {
			return *f.Metadata()
		}
	}
	panic("journal: the schema of events: " + err.Error())
})

// columnWriters are those of files that are complete: they have tens of megabytes
// of memory, which the next file needs too.
var columnWriters = sync.Pool{New: func() any {
	var list []columnWriter
	for _, element := range schema().Schema[1:] {
		i := slices.IndexFunc(eventrow.Columns, func(c *eventrow.Column) bool { return c.Name == element.Name })
		list = append(list, newColumnWriter(eventrow.Columns[i]))
	}
	return &list
}}

func newRowWriter(out io.Writer) *rowWriter {
	w := &rowWriter{out: out, meta: schema(), columns: *columnWriters.Get().(*[]columnWriter)}
	w.meta.CreatedBy = "nullspf version " + version.String()
	for _, c := range w.columns {
		if c, ok := c.(*textWriter); ok {
			c.direct = 0
		}
	}
	w.buf.WriteString(parquetMagic)
	return w
}

// write adds rows, of which nothing is kept.
func (w *rowWriter) write(rows []eventrow.Row) error {
	for len(rows) > 0 {
		n := min(len(rows), rowGroupRows-w.rows)
		for _, c := range w.columns {
			bytes, err := c.add(rows[:n])
			if err != nil {
				return err
			}
			w.bytes += bytes
		}
		rows, w.rows = rows[n:], w.rows+n
		if w.rows == rowGroupRows || w.bytes > rowGroupBytes {
			if err := w.finishGroup(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *rowWriter) finishGroup() error {
	if w.rows == 0 {
		return nil
	}
	if err := w.flush(); err != nil {
		return err
	}
	g := format.RowGroup{NumRows: int64(w.rows), FileOffset: w.offset, Ordinal: int16(len(w.meta.RowGroups))}
	for i, c := range w.columns {
		if err := c.finish(); err != nil {
			return err
		}
		k := c.chunk()
		chunk, pages, bounds := k.finish(w.offset)
		if w.meta.Schema[1+i].Name == eventrow.Seq.Name && !w.mixed {
			g.SortingColumns = append(g.SortingColumns, format.SortingColumn{ColumnIdx: int32(i)})
			bounds.BoundaryOrder = format.Ascending
		}
		n, err := w.out.Write(k.buf)
		w.offset += int64(n)
		if err != nil {
			return err
		}
		if k.bloom != nil {
			if err := w.filter(&chunk.MetaData, k.bloom); err != nil {
				return err
			}
		}
		g.TotalByteSize += chunk.MetaData.TotalUncompressedSize
		g.TotalCompressedSize += chunk.MetaData.TotalCompressedSize
		g.Columns = append(g.Columns, chunk)
		w.pages, w.bounds = append(w.pages, pages), append(w.bounds, bounds)
		k.reset()
	}
	w.meta.RowGroups = append(w.meta.RowGroups, g)
	w.meta.NumRows += g.NumRows
	w.rows, w.bytes = 0, 0
	return nil
}

// filter writes a Bloom filter.
func (w *rowWriter) filter(m *format.ColumnMetaData, bits []byte) error {
	m.BloomFilterOffset = w.offset
	h := format.BloomFilterHeader{
		NumBytes:    int32(len(bits)),
		Algorithm:   format.BloomFilterAlgorithm{Value: &format.SplitBlockAlgorithm{}},
		Hash:        format.BloomFilterHash{Value: &format.XxHash{}},
		Compression: format.BloomFilterCompression{Value: &format.BloomFilterUncompressed{}},
	}
	if err := writeThrift(&w.buf, &h); err != nil {
		return err
	}
	w.buf.Write(bits)
	err := w.flush()
	m.BloomFilterLength = int32(w.offset - m.BloomFilterOffset)
	return err
}

// flush writes what is in buf.
func (w *rowWriter) flush() error {
	n, err := w.out.Write(w.buf.Bytes())
	w.offset += int64(n)
	w.buf.Reset()
	return err
}

// close writes the last row group, the indexes of pages, and the footer.
func (w *rowWriter) close() error {
	if err := w.finishGroup(); err != nil {
		return err
	}
	var chunks []*format.ColumnChunk
	for i := range w.meta.RowGroups {
		for k := range w.meta.RowGroups[i].Columns {
			chunks = append(chunks, &w.meta.RowGroups[i].Columns[k])
		}
	}
	for i, c := range chunks {
		length, err := w.structure(&w.bounds[i])
		if err != nil {
			return err
		}
		c.ColumnIndexOffset, c.ColumnIndexLength = w.offset-length, int32(length)
	}
	for i, c := range chunks {
		length, err := w.structure(&w.pages[i])
		if err != nil {
			return err
		}
		c.OffsetIndexOffset, c.OffsetIndexLength = w.offset-length, int32(length)
	}
	length, err := w.structure(&w.meta)
	if err != nil {
		return err
	}
	w.buf.Write(binary.LittleEndian.AppendUint32(nil, uint32(length)))
	w.buf.WriteString(parquetMagic)
	if err := w.flush(); err != nil {
		return err
	}
	columns := w.columns
	w.columns = nil
	columnWriters.Put(&columns)
	return nil
}

// structure writes a structure of the metadata and returns its length.
func (w *rowWriter) structure(v any) (length int64, err error) {
	if err := writeThrift(&w.buf, v); err != nil {
		return 0, err
	}
	before := w.offset
	err = w.flush()
	return w.offset - before, err
}
