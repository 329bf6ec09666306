package journal

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/parquet-go/parquet-go"

	"nullspf/internal/eventrow"
	"nullspf/internal/tally"
)

// SegmentFile is an open segment.
type SegmentFile struct {
	Segment
	*parquet.File
	f *os.File
	// verified: the content is that of MANIFEST.
	verified bool

	summaryOnce sync.Once
	summaryFile *os.File
	summary     *tally.Summary
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

// load verifies the file and reads its footer. With a summary, each part of the file
// is verified when it is read.
func (s *SegmentFile) load() (err error) {
	if s.File != nil {
		return nil
	}
	if s.verified || s.Summary() == nil {
		return s.loadWhole()
	}
	r := s.summary.Reader(s.f)
	if err := s.compareFooter(r); err != nil {
		return fmt.Errorf("%s: %w", s.f.Name(), err)
	}
	return s.open(r)
}

// loadWhole verifies the whole file first.
func (s *SegmentFile) loadWhole() error {
	if err := s.verify(); err != nil {
		return err
	}
	return s.open(s.f)
}

func (s *SegmentFile) open(r io.ReaderAt) (err error) {
	defer recoverParquet(&err, s.f.Name())
	if s.File, err = parquet.OpenFile(r, s.Bytes, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true), parquet.ReadBufferSize(readBuffer)); err != nil {
		return fmt.Errorf("%s: %w", s.f.Name(), contentError(err))
	}
	return nil
}

// readBuffer is how many bytes are read at once where a page begins.
const readBuffer = 16 << 10

func (s *SegmentFile) close() error {
	if s.summaryFile != nil {
		_ = s.summaryFile.Close()
	}
	return s.f.Close()
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
		err := s.readGroup(group, func(rows []eventrow.Row) error {
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

// readGroup calls yield with batches of the rows of a group.
func (s *SegmentFile) readGroup(group parquet.RowGroup, yield func([]eventrow.Row) error) error {
	r := parquet.NewGenericRowGroupReader[eventrow.Row](group)
	defer r.Close()
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

// surveyGroup calls yield with numbers and times of a group.
func (s *SegmentFile) surveyGroup(group parquet.RowGroup, yield func(row *surveyRow) error) error {
	r := parquet.NewGenericRowGroupReader[surveyRow](group)
	defer r.Close()
	rows := make([]surveyRow, batchRows)
	for {
		n, err := r.Read(rows)
		for k := range rows[:n] {
			if err := yield(&rows[k]); err != nil {
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

// Load reads the footer, after which the methods of [parquet.File] can be
// called.
func (s *SegmentFile) Load() error { return s.load() }

// EachBatch calls yield with all rows, in order, in batches that are valid until it
// returns.
func (s *SegmentFile) EachBatch(yield func([]eventrow.Row) error) error { return s.rows(0, yield) }

// FilePath is the path of the file.
func (s *SegmentFile) FilePath() string { return s.f.Name() }
