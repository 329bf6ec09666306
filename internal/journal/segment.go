package journal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/parquet-go/parquet-go"

	"nullspf/internal/eventrow"
)

// SegmentFile is an open segment.
type SegmentFile struct {
	Segment
	*parquet.File
	f *os.File
	// verified: the content is that of MANIFEST.
	verified bool
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

// load verifies the file and reads its footer.
func (s *SegmentFile) load() (err error) {
	if s.File != nil {
		return nil
	}
	defer recoverParquet(&err, s.f.Name())
	if err := s.verify(); err != nil {
		return err
	}
	if s.File, err = parquet.OpenFile(s.f, s.Bytes, parquet.SkipPageIndex(true)); err != nil {
		return fmt.Errorf("%s: %w", s.f.Name(), contentError(err))
	}
	return nil
}

func (s *SegmentFile) close() error { return s.f.Close() }

// contentError tells damage from an error of the disk.
func contentError(err error) error {
	if errors.As(err, new(*fs.PathError)) {
		return err
	}
	return fmt.Errorf("%w: %w", errDamaged, err)
}

// recoverParquet turns a panic of the Parquet reader on a damaged file into an
// error.
func recoverParquet(err *error, path string) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("%s: %w: %v", path, errDamaged, r)
	}
}

// rows calls yield with batches of the rows whose numbers are at least from.
func (s *SegmentFile) rows(from uint64, yield func([]eventrow.Row) error) (err error) {
	if err := s.load(); err != nil {
		return err
	}
	defer recoverParquet(&err, s.f.Name())
	for _, group := range s.RowGroups() {
		if last, ok := lastSeq(group); ok && last < from {
			continue
		}
		if err := s.readGroup(group, from, yield); err != nil {
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

func (s *SegmentFile) readGroup(group parquet.RowGroup, from uint64, yield func([]eventrow.Row) error) error {
	r := parquet.NewGenericRowGroupReader[eventrow.Row](group)
	defer r.Close()
	rows := make([]eventrow.Row, batchRows)
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
			return fmt.Errorf("%s: %w", s.f.Name(), contentError(err))
		}
	}
}
