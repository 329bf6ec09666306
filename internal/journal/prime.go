package journal

import (
	"errors"
	"io/fs"

	"github.com/parquet-go/parquet-go"

	"nullspf/internal/attempt"
	"nullspf/internal/eventrow"
	"nullspf/spftrack"
)

// A fold remembers the sealed events of the last primeSpan, but no more than about
// primeRows, in no more than primeSegments segments.
const (
	primeRows     = 2 * rowGroupRows
	primeSegments = 64
)

var primeSpan = 2 * attempt.Default.Attempt

// primed tells how many segments at the end a fold is to remember.
func primed(segments []Segment) int {
	n, rows := 0, uint64(0)
	for n < min(len(segments), primeSegments) && rows < primeRows {
		s := &segments[len(segments)-1-n]
		if !attempt.Within(s.MaxTime, segments[len(segments)-1].MaxTime, primeSpan) {
			break
		}
		rows += s.Rows
		n++
	}
	return n
}

// primeFold lets a fold remember the latest sealed events, so that it marks what
// follows them as if it had seen everything. A segment that cannot be read costs
// marks, not events: unreadable is told of it.
func primeFold(fold *attempt.Fold, dir string, manifest *Manifest, unreadable func(first uint64, err error)) error {
	segments := manifest.Segments[len(manifest.Segments)-primed(manifest.Segments):]
	for i := range segments {
		f, err := openSegment(dir, &segments[i])
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		err = f.prime(fold)
		f.close()
		if err != nil {
			unreadable(segments[i].First, err)
		}
	}
	return nil
}

// prime lets a fold remember the last events.
func (s *SegmentFile) prime(fold *attempt.Fold) (err error) {
	if err := s.load(); err != nil {
		return err
	}
	defer recoverParquet(&err, s.f.Name())
	groups := s.RowGroups()
	first, rows := len(groups), int64(0)
	for first > 0 && rows < primeRows {
		first--
		rows += groups[first].NumRows()
	}
	var e spftrack.Event
	for _, group := range groups[first:] {
		row, err := s.firstRecent(group)
		if err != nil {
			return err
		}
		err = s.readGroup(group, row, func(rows []eventrow.Row) error {
			for i := range rows {
				rows[i].Event(&e)
				fold.Remember(&e)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// firstRecent returns the first row of a group whose time is within primeSpan of
// the segment's last.
func (s *SegmentFile) firstRecent(group parquet.RowGroup) (row int64, err error) {
	row = group.NumRows()
	err = s.surveyGroup(group, func(i int64, r *surveyRow) error {
		if attempt.Within(r.TS, s.MaxTime, primeSpan) {
			row = min(row, i)
		}
		return nil
	})
	return row, err
}
