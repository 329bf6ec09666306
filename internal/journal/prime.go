package journal

import (
	"errors"
	"io/fs"

	"nullspf/internal/attempt"
	"nullspf/internal/eventrow"
	"nullspf/spftrack"
)

// A fold remembers no more than about primeRows sealed events, in no more than
// primeSegments segments.
const (
	primeRows     = 2 * rowGroupRows
	primeSegments = 64
)

// primed tells how many segments at the end a fold is to remember.
func primed(segments []Segment) int {
	n, rows := 0, uint64(0)
	for n < min(len(segments), primeSegments) && rows < primeRows {
		s := &segments[len(segments)-1-n]
		if !attempt.Within(s.MaxTime, segments[len(segments)-1].MaxTime, 2*attempt.Default.Attempt) {
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

// prime lets a fold remember the last primeRows events.
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
		err := s.readGroup(group, 0, func(rows []eventrow.Row) error {
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
