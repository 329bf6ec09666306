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

	// parsed keeps footer and summary, nil for a file that is parsed for itself; keptFooter and
	// keptSummary are those that are in use.
	parsed      *Parsed
	keptFooter  *shelved[*parquet.File]
	keptSummary *shelved[*tally.Summary]
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
	if s.keptFooter == nil { // else what failed is tried again
		s.keptFooter = s.useFooter()
	}
	if s.keptFooter == nil {
		s.File, err = s.parse(s.f)
		return err
	}
	s.File, err = s.keptFooter.get(func(r io.ReaderAt) (*parquet.File, int64, error) {
		f, err := s.parse(r)
		return f, footerMemory(f), err
	})
	return err
}

// useFooter finds the file among those that were parsed, nil for none.
func (s *SegmentFile) useFooter() *shelved[*parquet.File] {
	if s.parsed == nil {
		return nil
	}
	info, err := s.f.Stat()
	if err != nil {
		return nil
	}
	k := s.parsed.segments.use(s.f.Name(), s.SHA256)
	if k != nil && k.id != identify(info, s.SHA256) {
		// Another file has taken the place of this one.
		k.leave()
		return nil
	}
	return k
}

// footerMemory is about how many bytes a parsed footer takes.
func footerMemory(f *parquet.File) (n int64) {
	if f != nil {
		for _, g := range f.RowGroups() {
			n += 1024 * int64(len(g.ColumnChunks()))
		}
	}
	return n
}

// parse reads the footer of the file from r.
func (s *SegmentFile) parse(r io.ReaderAt) (*parquet.File, error) {
	if s.verified || s.Summary() == nil {
		return s.parseWhole(r)
	}
	r = s.summary.Reader(r)
	if err := s.compareFooter(r); err != nil {
		return nil, fmt.Errorf("%s: %w", s.f.Name(), err)
	}
	return s.open(r)
}

// parseWhole verifies the whole file first.
func (s *SegmentFile) parseWhole(r io.ReaderAt) (*parquet.File, error) {
	if err := s.verify(); err != nil {
		return nil, err
	}
	return s.open(r)
}

// loadWhole is load, after the whole file was verified.
func (s *SegmentFile) loadWhole() (err error) {
	s.File, err = s.parseWhole(s.f)
	return err
}

func (s *SegmentFile) open(r io.ReaderAt) (f *parquet.File, err error) {
	defer recoverParquet(&err, s.f.Name())
	f, err = parquet.OpenFile(r, s.Bytes, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true), parquet.ReadBufferSize(readBuffer))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.f.Name(), contentError(err))
	}
	return f, nil
}

// readBuffer is how many bytes are read at once where a page begins.
const readBuffer = 16 << 10

func (s *SegmentFile) close() error {
	if s.keptFooter != nil {
		s.keptFooter.leave()
	}
	if s.keptSummary != nil {
		s.keptSummary.leave()
	}
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
