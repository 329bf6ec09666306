package journal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Report is what [CheckDir] found.
type Report struct {
	// Segments were read in full; Sealed events are in them.
	Segments int
	Sealed   uint64
	// WALFiles were read in full; Unsealed events are in them and in no
	// segment.
	WALFiles int
	Unsealed uint64
	// Gaps are sequence numbers without event whose reason is known.
	Gaps []Gap
	// Problems are contradictions and damages: events may be missing or wrong.
	Problems []Problem
	// Notes are remains of mishaps that cost nothing more.
	Notes []Problem
}

// Problem is about one file.
type Problem struct {
	Path string
	Text string
}

// String returns "path: text".
func (p Problem) String() string { return p.Path + ": " + p.Text }

func (r *Report) problem(path, format string, args ...any) {
	r.Problems = append(r.Problems, Problem{path, fmt.Sprintf(format, args...)})
}

func (r *Report) note(path, format string, args ...any) {
	r.Notes = append(r.Notes, Problem{path, fmt.Sprintf(format, args...)})
}

// CheckDir reads everything in a directory and verifies sums, order, numbers of
// events and that nothing is there twice, while a server may be writing to it.
// What is wrong is told by the report; the error is that of a directory that
// cannot be read at all, or of ctx.
func CheckDir(ctx context.Context, dir string) (*Report, error) {
	r := &Report{}
	v, err := Snapshot(dir, ReadOptions{})
	if errors.Is(err, errManifest) {
		r.problem(filepath.Join(dir, manifestName), "%v", err)
		return r, nil
	}
	if err != nil {
		return nil, err
	}
	defer v.Close()
	r.Gaps = v.Manifest.Gaps
	r.checkNumbers(v)
	for _, s := range v.segments {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		r.checkSegment(v, s)
	}
	r.checkWALs(v)
	return r, r.checkStrays(v)
}

// checkNumbers looks for sequence numbers that neither a segment nor a gap
// accounts for.
func (r *Report) checkNumbers(v *View) {
	path := filepath.Join(v.Dir, manifestName)
	m := v.Manifest
	next := m.ExpiredLast + 1
	missing := func(first, last uint64) {
		if first <= last {
			if n := last - first + 1 - m.holes(first, last); n > 0 {
				r.problem(path, "%d of the sequence numbers %d to %d are in no segment, and no reason is noted", n, first, last)
			}
		}
	}
	for i := range m.Segments {
		s := &m.Segments[i]
		missing(next, s.First-1)
		if expected := s.Last - s.First + 1 - m.holes(s.First, s.Last); s.Rows != expected {
			r.problem(path, "segment %d to %d has %d events; with its gaps it must have %d", s.First, s.Last, s.Rows, expected)
		}
		next = s.Last + 1
	}
	missing(next, m.Next-1)
}

// checkSegment verifies a segment against MANIFEST.
func (r *Report) checkSegment(v *View, s *SegmentFile) {
	path := s.f.Name()
	r.Segments++
	info, err := s.f.Stat()
	if err == nil {
		err = s.compare(info.Size())
	}
	if err != nil {
		r.problem(path, "%v", err)
		return
	}
	s.verified = true
	found, err := s.survey()
	switch {
	case err != nil:
		r.problem(path, "%v", err)
	case found.Rows != s.Rows:
		r.problem(path, "has %d events, MANIFEST says %d", found.Rows, s.Rows)
	case found.First != s.First || found.Last != s.Last:
		r.problem(path, "holds the sequence numbers %d to %d, MANIFEST says %d to %d", found.First, found.Last, s.First, s.Last)
	case found.MinTime != s.MinTime || found.MaxTime != s.MaxTime:
		r.problem(path, "its times are not those of MANIFEST")
	}
	r.Sealed += found.Rows
	r.checkSummary(s)
}

// checkSummary verifies the summary of a whole segment, if there is one.
func (r *Report) checkSummary(s *SegmentFile) {
	summary := s.Summary()
	path := summaryPath(s.f.Name())
	if summary != nil {
		if summary.Check(s.f) == nil {
			return
		}
	} else if _, err := os.Lstat(path); errors.Is(err, os.ErrNotExist) {
		return
	}
	r.note(path, "is damaged, or the summary of another segment; answers are right, because the segment is read instead, but take longer. nullspf log compact makes it anew; it can be removed")
}

// survey reads numbers and times of a segment. The numbers must rise.
func (s *SegmentFile) survey() (found Segment, err error) {
	if err := s.load(); err != nil {
		return found, err
	}
	defer recoverParquet(&err, s.f.Name())
	for _, group := range s.RowGroups() {
		err := s.surveyGroup(group, func(row *surveyRow) error {
			seq := uint64(row.Seq)
			switch {
			case found.Rows == 0:
				found.First, found.MinTime, found.MaxTime = seq, row.TS, row.TS
			case seq <= found.Last:
				return fmt.Errorf("sequence number %d follows %d", seq, found.Last)
			}
			found.Last = seq
			found.MinTime, found.MaxTime = min(found.MinTime, row.TS), max(found.MaxTime, row.TS)
			found.Rows++
			return nil
		})
		if err != nil {
			return found, err
		}
	}
	return found, nil
}

// empty reports whether all numbers from first on that are before a wal file
// belong to one without header.
func (v *View) empty(first, before uint64) bool {
	for _, f := range v.unreadable {
		if f.first <= first && first < before {
			return true
		}
	}
	return false
}

// checkWALs verifies the files that are not sealed.
func (r *Report) checkWALs(v *View) {
	for _, path := range v.Unreadable {
		r.problem(path, "both copies of its header are damaged; nothing of it can be read")
	}
	next := v.Manifest.Next
	for i, w := range v.wals {
		r.WALFiles++
		last := i == len(v.wals)-1
		if w.first > next {
			if v.empty(next, w.first) {
				r.Gaps = append(r.Gaps, Gap{next, w.first - 1, GapRestart})
			} else {
				r.problem(w.path, "begins with number %d; the events from %d on are missing", w.first, next)
			}
			next = w.first
		}
		if w.damagedHeader {
			r.note(w.path, "one of the two copies of its header is damaged")
		}
		b := w.blockReader
		for {
			blk, err := b.next()
			if err == io.EOF {
				break
			}
			if errors.Is(err, errTorn) {
				if bytes, _ := b.lostEnd(); bytes > 0 {
					r.problem(w.path, "bytes %d to %d at its end are damaged; events from %d on may be missing", b.offset, b.size-1, next)
				} else if !last {
					r.note(w.path, "%d bytes at its end are not a valid block; nullspfd was stopped while writing them", b.size-b.offset)
				}
				break
			}
			if err != nil {
				r.problem(w.path, "%v", err)
				break
			}
			if blk.first > next {
				r.problem(w.path, "the events %d to %d are in damaged blocks", next, blk.first-1)
				next = blk.first
			}
			if end := blk.first + uint64(blk.count); end > next {
				r.Unsealed += end - next
				next = end
			}
		}
		if b.damaged > 0 {
			r.problem(w.path, "%d bytes in the middle are damaged", b.damaged)
		}
		if !b.end {
			// The rest of the reserved numbers was not used.
			if last {
				break
			}
			if end := min(w.bound, v.wals[i+1].first); end > next {
				r.Gaps = append(r.Gaps, Gap{next, end - 1, GapRestart})
				next = end
			}
		}
	}
}

// checkStrays looks for files that do not belong to the journal.
func (r *Report) checkStrays(v *View) error {
	files, err := listSegments(v.Dir)
	if err != nil {
		return err
	}
	// A file may belong to work under way: then its events are still in wal
	// files, or MANIFEST lists it by now.
	names, err := listWALs(v.Dir)
	if err != nil {
		return err
	}
	wals, err := inspectWALs(v.Dir, names)
	if err != nil {
		return err
	}
	now, err := loadManifest(v.Dir)
	if err != nil {
		return err
	}
	rest := &recovery{dir: v.Dir, m: now, wals: wals}
	for _, f := range files {
		if f.temporary || now.lists(f) || rest.elsewhere(f) != "" {
			continue
		}
		if _, err := os.Stat(f.path); err == nil {
			r.problem(f.path, "MANIFEST does not list this segment, and its events are nowhere else; was an old MANIFEST put back?")
		}
	}
	aside, err := listQuarantined(v.Dir)
	if err != nil {
		return err
	}
	for _, f := range aside {
		r.note(f.path, "quarantined because it is damaged; of a wal file, what could be read is sealed. It can be removed")
	}
	entries, err := os.ReadDir(filepath.Join(v.Dir, walDir))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		if _, ok := parseWALName(e.Name()); !ok && !strings.HasSuffix(e.Name(), damagedSuffix) {
			r.note(filepath.Join(v.Dir, walDir, e.Name()), "does not belong to the journal")
		}
	}
	strays, err := segmentStrays(v.Dir)
	if err != nil {
		return err
	}
	for _, path := range strays {
		r.note(path, "does not belong to the journal")
	}
	if _, err := readManifest(filepath.Join(v.Dir, manifestName+copySuffix)); err != nil && !errors.Is(err, os.ErrNotExist) {
		r.note(filepath.Join(v.Dir, manifestName+copySuffix), "the copy of MANIFEST cannot be read (%v); nullspfd writes it anew when it seals", err)
	}
	if _, err := os.Stat(filepath.Join(v.Dir, manifestName+damagedSuffix)); err == nil {
		r.note(filepath.Join(v.Dir, manifestName+damagedSuffix), "a damaged MANIFEST that was made anew. It can be removed")
	}
	return nil
}
