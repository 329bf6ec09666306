package journal

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"nullspf/internal/files"
	"nullspf/internal/tally"
)

// A segment that was joined has a summary beside it; see package tally. It can be
// made again at any time, and nothing depends on it: MANIFEST does not list it, and it
// names the segment by its sum.

const summarySuffix = ".summary"

// summaryPath is where the summary of a segment is.
func summaryPath(segment string) string {
	return strings.TrimSuffix(segment, segmentSuffix) + summarySuffix
}

func (s *Segment) identity() tally.Identity {
	return tally.Identity{SHA256: s.SHA256, Bytes: s.Bytes, Rows: s.Rows}
}

// writeSummary makes the summary of a segment. It is not synced: one that is not
// whole is none.
func writeSummary(dir string, s *Segment) error {
	f, err := openSegment(dir, s)
	if err != nil {
		return err
	}
	defer f.close()
	if err := f.loadWhole(); err != nil {
		return &segmentError{s.First, err}
	}
	out, err := os.CreateTemp(filepath.Join(dir, segDir), "*"+files.TemporarySuffix)
	if err != nil {
		return err
	}
	err = tally.Build(out, s.identity(), f.f, f.File)
	if err == nil {
		err = out.Chmod(0o640)
	}
	if e := out.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(out.Name(), summaryPath(f.f.Name()))
	}
	if err != nil {
		removeQuietly(out.Name())
	}
	return err
}

// Summary returns the summary of the segment, nil when there is none that is whole
// and of this segment.
func (s *SegmentFile) Summary() *tally.Summary {
	s.summaryOnce.Do(func() {
		path := summaryPath(s.f.Name())
		if s.parsed != nil {
			s.keptSummary = s.parsed.summaries.use(path, s.SHA256)
		}
		if k := s.keptSummary; k != nil {
			// Lists of its blocks take a hundredth of a summary.
			s.summary, _ = k.get(func(r io.ReaderAt) (*tally.Summary, int64, error) {
				summary, err := tally.Open(r, k.id.size, s.identity())
				return summary, k.id.size / 100, err
			})
			return
		}
		f, err := os.Open(path)
		if err != nil {
			return
		}
		info, err := f.Stat()
		if err == nil {
			s.summary, err = tally.Open(f, info.Size(), s.identity())
		}
		if err != nil {
			_ = f.Close()
			return
		}
		s.summaryFile = f
	})
	return s.summary
}

// removeSegment removes a segment that nothing refers to, and its summary.
func removeSegment(path string) {
	removeQuietly(path)
	removeQuietly(summaryPath(path))
}

// removeOrphans removes summaries whose segments are gone.
func removeOrphans(dir string) {
	_ = filepath.WalkDir(filepath.Join(dir, segDir), func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !strings.HasSuffix(path, summarySuffix) {
			return nil
		}
		if _, err := os.Lstat(strings.TrimSuffix(path, summarySuffix) + segmentSuffix); os.IsNotExist(err) {
			removeQuietly(path)
		}
		return nil
	})
}

// summarySize is the size of the summary of a segment, in bytes.
func summarySize(dir string, s *Segment) int64 {
	info, err := os.Stat(summaryPath(filepath.Join(dir, filepath.FromSlash(s.Path()))))
	if err != nil {
		return 0
	}
	return info.Size()
}

// summaryWorkers make the summaries of segments while others are written.
type summaryWorkers struct {
	dir string
	// taken is how many of the segments were taken.
	taken   int
	slots   chan struct{}
	running sync.WaitGroup
	mu      sync.Mutex
	err     error
}

func newSummaryWorkers(dir string) *summaryWorkers {
	return &summaryWorkers{dir: dir, slots: make(chan struct{}, 2)}
}

// take takes those of all segments so far that were not taken yet. It waits when as many as
// there are slots are being made.
func (w *summaryWorkers) take(segments []Segment) {
	for ; w.taken < len(segments); w.taken++ {
		s := segments[w.taken]
		w.slots <- struct{}{}
		w.running.Go(func() {
			defer func() { <-w.slots }()
			if err := writeSummary(w.dir, &s); err != nil {
				w.mu.Lock()
				defer w.mu.Unlock()
				w.err = errors.Join(w.err, err)
			}
		})
	}
}

// wait waits for all that were taken.
func (w *summaryWorkers) wait() error {
	w.running.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}
