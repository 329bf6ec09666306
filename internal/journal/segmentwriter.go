package journal

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"os"
	"path/filepath"
	"time"

	"nullspf/internal/eventrow"
	"nullspf/internal/files"
	"nullspf/spftrack"
)

const (
	// batchRows is how many rows are read at once.
	batchRows = 1024
	// sealRows is how many rows are made at once, few enough for the processor's
	// first cache.
	sealRows = 128
)

// segmentWriter writes one segment to a temporary file.
type segmentWriter struct {
	Segment
	dir     string
	f       *os.File
	buf     *bufio.Writer
	hash    hash.Hash
	counter countWriter
	out     *rowWriter
	builder eventrow.Builder
	// rows are those of a batch, of which pending are filled.
	rows    []eventrow.Row
	pending int
}

type countWriter int64

func (c *countWriter) Write(b []byte) (int, error) {
	*c += countWriter(len(b))
	return len(b), nil
}

// newSegmentWriter begins a segment below dir.
func newSegmentWriter(dir string) (*segmentWriter, error) {
	f, err := os.CreateTemp(filepath.Join(dir, segDir), "*"+files.TemporarySuffix)
	if err != nil {
		return nil, err
	}
	w := &segmentWriter{dir: dir, f: f, hash: sha256.New()}
	w.buf = bufio.NewWriterSize(f, 256<<10)
	w.out = newRowWriter(io.MultiWriter(w.buf, w.hash, &w.counter))
	return w, nil
}

// add writes an event, whose number must be greater than the last one.
func (w *segmentWriter) add(e *spftrack.Event) error {
	if w.rows == nil {
		w.rows = make([]eventrow.Row, sealRows)
	}
	w.builder.Fill(&w.rows[w.pending], e)
	w.pending++
	w.note(int64(e.Seq), e.Time)
	if w.pending < sealRows {
		return nil
	}
	return w.flushRows()
}

// addRows writes rows, in order.
func (w *segmentWriter) addRows(rows []eventrow.Row) error {
	for i := range rows {
		w.builder.Shorten(&rows[i])
		w.note(rows[i].Seq, rows[i].TS)
	}
	err := w.out.write(rows)
	w.builder.Reset()
	return err
}

func (w *segmentWriter) note(seq, ts int64) {
	if w.Rows == 0 {
		w.First = uint64(seq)
		w.MinTime, w.MaxTime = ts, ts
		w.Date = dateOf(ts)
	}
	w.Last = uint64(seq)
	w.MinTime, w.MaxTime = min(w.MinTime, ts), max(w.MaxTime, ts)
	w.Rows++
}

// dateOf is the UTC day of a time. An int64 of nanoseconds reaches from the
// year 1677 to 2262, so it always has four digits for the year.
func dateOf(ts int64) string { return time.Unix(0, ts).UTC().Format(time.DateOnly) }

func (w *segmentWriter) flushRows() error {
	err := w.out.write(w.rows[:w.pending])
	w.pending = 0
	w.builder.Reset()
	return err
}

// finish completes the file, syncs it and gives it its name.
func (w *segmentWriter) finish(age int64) (s Segment, err error) {
	if err := w.flushRows(); err != nil {
		return s, err
	}
	if err := w.out.close(); err != nil {
		return s, err
	}
	if err := w.buf.Flush(); err != nil {
		return s, err
	}
	if err := w.f.Sync(); err != nil {
		return s, err
	}
	if err := w.f.Chmod(0o640); err != nil {
		return s, err
	}
	if err := w.f.Close(); err != nil {
		return s, err
	}
	w.Bytes = int64(w.counter)
	w.SHA256 = hex.EncodeToString(w.hash.Sum(nil))
	w.Age = age
	path := filepath.Join(w.dir, filepath.FromSlash(w.Path()))
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return s, err
	}
	if err := os.Rename(w.f.Name(), path); err != nil {
		return s, err
	}
	if err := files.SyncDir(dir); err != nil {
		return s, err
	}
	return w.Segment, files.SyncDir(filepath.Join(w.dir, segDir))
}

// abort removes what was written.
func (w *segmentWriter) abort() {
	w.f.Close()
	removeQuietly(w.f.Name())
}
