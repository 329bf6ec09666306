package journal

import (
	"errors"
	"fmt"
	"io"
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
		err := s.readGroup(group, 0, func(rows []eventrow.Row) error {
			for len(rows) > 0 && uint64(rows[0].Seq) < from {
				rows = rows[1:]
			}
			if len(rows) == 0 {
				return nil
			}
			return yield(rows)
		})
		if err != nil {
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

// readGroup calls yield with batches of the rows of a group from a row on.
func (s *SegmentFile) readGroup(group parquet.RowGroup, row int64, yield func([]eventrow.Row) error) error {
	if row == group.NumRows() {
		return nil
	}
	if row > 0 {
		// With their index, the pages before the row are skipped.
		for _, chunk := range group.ColumnChunks() {
			_, _ = chunk.OffsetIndex()
		}
	}
	r := parquet.NewGenericRowGroupReader[eventrow.Row](group)
	defer r.Close()
	if row > 0 {
		if err := r.SeekToRow(row); err != nil {
			return fmt.Errorf("%s: %w", s.f.Name(), contentError(err))
		}
	}
	rows := make([]eventrow.Row, batchRows)
	for {
		n, err := r.Read(rows)
		if n > 0 {
			if err := yield(rows[:n]); err != nil {
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

// surveyRow is the part of a row that a survey reads.
type surveyRow struct {
	Seq int64 `parquet:"seq,delta"`
	TS  int64 `parquet:"ts,delta"`
}

// surveyGroup calls yield with numbers and times of a group, and the place of each
// row.
func (s *SegmentFile) surveyGroup(group parquet.RowGroup, yield func(i int64, row *surveyRow) error) error {
	r := parquet.NewGenericRowGroupReader[surveyRow](group)
	defer r.Close()
	rows := make([]surveyRow, batchRows)
	for i := int64(0); ; {
		n, err := r.Read(rows)
		for k := range rows[:n] {
			if err := yield(i, &rows[k]); err != nil {
				return err
			}
			i++
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", s.f.Name(), contentError(err))
		}
	}
}

// Load reads the footer, after which the methods of [parquet.File] can be
// called.
func (s *SegmentFile) Load() error { return s.load() }

// FilePath is the path of the file.
func (s *SegmentFile) FilePath() string { return s.f.Name() }
