package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/parquet-go/parquet-go"

	"nullspf/internal/attempt"
	"nullspf/internal/eventrow"
	"nullspf/internal/tally"
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

// primeFold lets the fold of the sealer remember the latest sealed events, so that it
// marks what follows them as if it had seen everything. A segment that cannot be read
// costs marks, not events: unreadable is told of it, which is how damage is noticed.
func primeFold(fold *attempt.Fold, dir string, manifest *Manifest, unreadable func(first uint64, err error)) error {
	return eachRecent(dir, manifest, fold.Remember, unreadable)
}

func rememberAll(fold *attempt.Fold, events []spftrack.Event) {
	for i := range events {
		fold.Remember(&events[i])
	}
}

// eachRecent calls yield with the latest sealed events, which are to be remembered.
func eachRecent(dir string, manifest *Manifest, yield func(*spftrack.Event), unreadable func(first uint64, err error)) error {
	segments := manifest.Segments[len(manifest.Segments)-primed(manifest.Segments):]
	for i := range segments {
		f, err := openSegment(dir, &segments[i])
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		err = f.recent(yield)
		f.close()
		if err != nil {
			unreadable(segments[i].First, err)
		}
	}
	return nil
}

// recent calls yield with the last events, whose texts are valid for good. It reads the times of the last row
// groups, and of the other columns the pages with the events of the last primeSpan. Events that
// no attempt is told by are left out.
func (s *SegmentFile) recent(yield func(*spftrack.Event)) (err error) {
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
	for _, group := range groups[first:] {
		if err := s.recentOf(group, yield); err != nil {
			return fmt.Errorf("%s: %w", s.f.Name(), contentError(err))
		}
	}
	return nil
}

// unmarking are columns by which no attempt is told.
var unmarking = []*eventrow.Column{
	eventrow.ServerID, eventrow.ResolverPort, eventrow.Transport, eventrow.ClientSubnet, eventrow.SourceVerified,
}

func (s *SegmentFile) recentOf(group parquet.RowGroup, yield func(*spftrack.Event)) error {
	row, err := s.firstRecent(group)
	if err != nil || row == group.NumRows() {
		return err
	}
	kind := s.column(group, eventrow.Kind)
	defer kind.Close()
	var columns []*tally.Column
	for _, c := range eventrow.Columns {
		if slices.Contains(unmarking, c) || c == eventrow.Kind {
			continue
		}
		if column := s.column(group, c); column != nil {
			defer column.Close()
			columns = append(columns, column)
		}
	}
	var r eventrow.Row
	var e spftrack.Event
	for ; row < group.NumRows(); row++ {
		if _, err := kind.Load(row); err != nil {
			return err
		}
		kind.Set(&r, row)
		if k, err := spftrack.ParseKind(r.Kind); err == nil && !attempt.Asks(k) {
			continue
		}
		for _, c := range columns {
			if _, err := c.Load(row); err != nil {
				return err
			}
			c.Set(&r, row)
		}
		r.Event(&e)
		yield(&e)
	}
	return nil
}

// column opens a column of a row group, nil when the segment is too old to have it.
// Texts are valid for good.
func (s *SegmentFile) column(group parquet.RowGroup, c *eventrow.Column) *tally.Column {
	leaf := s.Root().Column(c.Name)
	if leaf == nil {
		return nil
	}
	return tally.NewColumn(group.ColumnChunks()[leaf.Index()], c, false)
}

// firstRecent returns the first row of a group whose time is within primeSpan of
// the segment's last.
func (s *SegmentFile) firstRecent(group parquet.RowGroup) (int64, error) {
	ts := s.column(group, eventrow.TS)
	defer ts.Close()
	if _, last, ok := ts.Bounds(); ok && last < s.MaxTime && !attempt.Within(last, s.MaxTime, primeSpan) {
		return group.NumRows(), nil
	}
	for row := range group.NumRows() {
		if _, err := ts.Load(row); err != nil {
			return 0, err
		}
		if attempt.Within(ts.Int64(row), s.MaxTime, primeSpan) {
			return row, nil
		}
	}
	return group.NumRows(), nil
}
