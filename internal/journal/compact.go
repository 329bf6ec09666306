package journal

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"nullspf/internal/eventrow"
)

const (
	// segmentRows is how many rows compaction puts into a segment at most.
	// What has half of them is left alone, so that an event is rewritten twice
	// at most: for its hour and for its day.
	segmentRows = 8 << 20
	// minSegmentRows bounds it from below when MaxSize is small.
	minSegmentRows = 1 << 10
	// rowSize is about the size of a row in a segment.
	rowSize = 48
)

// maxRows keeps segments small beside MaxSize, because retention removes whole
// ones.
func (s *sealer) maxRows() uint64 {
	limit := s.j.maxSize.Load()
	if limit == 0 {
		return segmentRows
	}
	return uint64(min(max(limit/16/rowSize, minSegmentRows), segmentRows))
}

// compact joins neighbouring segments: those of an hour that is over, those of
// a day that is over.
func (s *sealer) compact() error {
	for !closed(s.stop) {
		run := s.compactable(s.manifest.Load().Segments)
		if len(run) == 0 {
			return nil
		}
		var bad *segmentError
		err := s.join(run, nil)
		switch {
		case errors.As(err, &bad):
			// Readers will meet the same error; it must not keep other
			// segments from being joined or removed.
			s.segmentFails(bad.first, err)
		case errors.Is(err, errStopping):
			return nil
		case err != nil:
			return err
		}
	}
	return nil
}

// compactable returns the first neighbours that are to become one segment.
func (s *sealer) compactable(segments []Segment) []Segment {
	if len(segments) < 2 {
		return nil
	}
	newest := &segments[len(segments)-1]
	for i := 0; i < len(segments); {
		n := s.joinable(segments[i:], newest)
		if n > 1 {
			return segments[i : i+n]
		}
		i += max(n, 1)
	}
	return nil
}

// joinable tells how many segments from the first on can become one.
func (s *sealer) joinable(segments []Segment, newest *Segment) int {
	first := &segments[0]
	over := func(other *Segment) bool {
		// The day goes by the directory, the hour by the clock.
		if first.Date != newest.Date {
			return other.Date == first.Date
		}
		return hourOf(first) != hourOf(newest) && other.Date == first.Date && hourOf(other) == hourOf(first)
	}
	limit := s.maxRows()
	rows := uint64(0)
	n := 0
	for i := range segments {
		if !over(&segments[i]) || segments[i].Anonymous != first.Anonymous || s.unreadable.has(segments[i].First) || segments[i].Rows >= limit/2 || rows+segments[i].Rows > limit {
			break
		}
		rows += segments[i].Rows
		n++
	}
	return n
}

func hourOf(s *Segment) int64 { return s.MinTime / int64(time.Hour) }

// join replaces neighbouring segments by one, or writes one anew. change, if not nil,
// changes each row.
func (s *sealer) join(run []Segment, change *change) error {
	dir := s.j.settings.Dir
	w, err := newSegmentWriter(dir)
	if err != nil {
		return err
	}
	if len(run) == 1 {
		w.Edition = run[0].Edition + 1
	}
	w.Anonymous = run[0].Anonymous || change != nil && change.anonymous
	age := int64(0)
	for i := range run {
		if err := s.copySegment(w, &run[i], change); err != nil {
			w.abort()
			return err
		}
		age = max(age, run[i].Age)
	}
	joined, err := w.finish(age)
	if err != nil {
		w.abort()
		return err
	}
	// Without a summary, readers read the segment.
	_ = writeSummary(dir, &joined)
	old := s.manifest.Load()
	m := old.clone()
	m.Segments = m.Segments[:0]
	for i := range old.Segments {
		if f := old.Segments[i].First; f < run[0].First || f > run[len(run)-1].First {
			m.Segments = append(m.Segments, old.Segments[i])
		}
	}
	m.addSegments(joined)
	if err := s.store(m); err != nil {
		return err
	}
	s.compactions.Add(1)
	for i := range run {
		removeSegment(filepath.Join(dir, filepath.FromSlash(run[i].Path())))
	}
	return nil
}

// change is what is done to rows that are written anew.
type change struct {
	row func(*eventrow.Row)
	// anonymous: afterwards the segment is.
	anonymous bool
}

// copySegment appends the rows of a segment.
func (s *sealer) copySegment(w *segmentWriter, from *Segment, change *change) error {
	f, err := openSegment(s.j.settings.Dir, from)
	if err != nil {
		return &segmentError{from.First, err}
	}
	defer f.close()
	rows := uint64(0)
	var writing error
	err = f.rows(0, func(batch []eventrow.Row) error {
		if closed(s.stop) {
			writing = errStopping
			return writing
		}
		rows += uint64(len(batch))
		if change != nil {
			for i := range batch {
				change.row(&batch[i])
			}
		}
		writing = w.addRows(batch)
		return writing
	})
	switch {
	case writing != nil:
		return writing
	case err == nil && rows != from.Rows:
		err = fmt.Errorf("%s: has %d rows, MANIFEST says %d", f.f.Name(), rows, from.Rows)
	}
	if err != nil {
		return &segmentError{from.First, err}
	}
	return nil
}

// segmentError is about a segment that cannot be read.
type segmentError struct {
	first uint64
	err   error
}

func (e *segmentError) Error() string { return e.err.Error() }

func (e *segmentError) Unwrap() error { return e.err }
