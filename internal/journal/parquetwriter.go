package journal

import (
	"io"

	"nullspf/internal/eventrow"
)

// ParquetWriter writes rows as a Parquet file with the columns of segments. Unlike theirs,
// the numbers of rows need not rise.
type ParquetWriter struct{ out *rowWriter }

// NewParquetWriter returns a writer to out. It takes some 100 MB of memory.
func NewParquetWriter(out io.Writer) *ParquetWriter {
	w := newRowWriter(out)
	w.mixed = true
	return &ParquetWriter{w}
}

// Write adds a row, of which nothing is kept. Its name is written whole.
func (w *ParquetWriter) Write(r *eventrow.Row) error {
	row := *r
	row.RawName = row.Name()
	return w.out.write([]eventrow.Row{row})
}

// Flush completes the file, to which nothing can be added then.
func (w *ParquetWriter) Flush() error { return w.out.close() }
