package journal

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/parquet-go/parquet-go"

	"nullspf/internal/files"
	"nullspf/spftrack"
)

// segmentWriter writes one segment to a temporary file.
type segmentWriter struct {
	Segment
	dir     string
	f       *os.File
	buf     *bufio.Writer
	hash    hash.Hash
	counter countWriter
	out     *parquet.GenericWriter[Row]
	rows    rowBuilder
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
	w.out = parquet.NewGenericWriter[Row](io.MultiWriter(w.buf, w.hash, &w.counter), writerOptions()...)
	return w, nil
}

// add writes an event, whose number must be greater than the last one.
func (w *segmentWriter) add(e *spftrack.Event) error {
	w.rows.add(e)
	w.note(int64(e.Seq), e.Time)
	if !w.rows.full() {
		return nil
	}
	return w.flushRows()
}

// addRows writes rows, in order.
func (w *segmentWriter) addRows(rows []Row) error {
	for i := range rows {
		w.note(rows[i].Seq, rows[i].TS)
	}
	_, err := w.out.Write(rows)
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
	_, err := w.out.Write(w.rows.rows)
	w.rows.reset()
	return err
}

// finish completes the file, brings it to disk and gives it its name.
func (w *segmentWriter) finish(age int64) (s Segment, err error) {
	if err := w.flushRows(); err != nil {
		return s, err
	}
	if err := w.out.Close(); err != nil {
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

// SegmentFile is an open segment.
type SegmentFile struct {
	Segment
	*parquet.File
	f *os.File
}

// openSegment opens a segment for reading.
func openSegment(dir string, s *Segment) (*SegmentFile, error) {
	path := filepath.Join(dir, filepath.FromSlash(s.Path()))
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	return &SegmentFile{Segment: *s, f: f}, nil
}

// load reads the file's footer.
func (s *SegmentFile) load() (err error) {
	if s.File != nil {
		return nil
	}
	defer recoverParquet(&err, s.f.Name())
	info, err := s.f.Stat()
	if err != nil {
		return err
	}
	if info.Size() != s.Bytes {
		return fmt.Errorf("%s: has %d octets, MANIFEST says %d; copy the folder again", s.f.Name(), info.Size(), s.Bytes)
	}
	s.File, err = parquet.OpenFile(s.f, info.Size(), parquet.SkipPageIndex(true))
	if err != nil {
		return fmt.Errorf("%s: %w", s.f.Name(), err)
	}
	return nil
}

func (s *SegmentFile) close() error { return s.f.Close() }

// recoverParquet turns a panic of the Parquet reader on a damaged file into an
// error.
func recoverParquet(err *error, path string) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("%s: damaged: %v", path, r)
	}
}

// rows calls yield with batches of the rows whose numbers are at least from.
func (s *SegmentFile) rows(from uint64, yield func([]Row) error) (err error) {
	if err := s.load(); err != nil {
		return err
	}
	defer recoverParquet(&err, s.f.Name())
	for _, group := range s.RowGroups() {
		if last, ok := lastSeq(group); ok && last < from {
			continue
		}
		if err := readGroup(group, from, yield); err != nil {
			return err
		}
	}
	return nil
}

// lastSeq is the greatest sequence number of a row group by its statistics.
func lastSeq(group parquet.RowGroup) (last uint64, ok bool) {
	chunk, isFile := group.ColumnChunks()[0].(*parquet.FileColumnChunk)
	if !isFile {
		return 0, false
	}
	_, m, ok := chunk.Bounds()
	return uint64(m.Int64()), ok
}

func readGroup(group parquet.RowGroup, from uint64, yield func([]Row) error) error {
	r := parquet.NewGenericRowGroupReader[Row](group)
	defer r.Close()
	rows := make([]Row, batchRows)
	for {
		n, err := r.Read(rows)
		batch := rows[:n]
		for len(batch) > 0 && uint64(batch[0].Seq) < from {
			batch = batch[1:]
		}
		if len(batch) > 0 {
			if err := yield(batch); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
