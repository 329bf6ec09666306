package forgerylog

import (
	"context"
	"errors"

	"nullspf/internal/eventrow"
	"nullspf/internal/journal"
	"nullspf/spftrack"
)

// JournalStats is what a directory holds.
type JournalStats struct {
	Dir string
	// Server is the identity of the server that writes it, in the form of
	// spftrack.Printable.
	Server string
	// Events are Sealed and Unsealed together, Attempts those that stand for
	// attempts.
	Events, Attempts uint64
	Sealed, Unsealed uint64
	// First and Last are the least and the greatest time of an event,
	// nanoseconds since 1970-01-01 UTC; meaningless without events.
	First, Last int64
	// Segments is the number of sealed files.
	Segments int
	// SegmentBytes and WALBytes are the sizes of sealed and other files.
	SegmentBytes, WALBytes int64
	// Expired events were removed for age or size.
	Expired uint64
	// Lost events were answered but not stored, as the server noted when it
	// sealed last.
	Lost journal.Lost
	// Gaps counts, by reason, the sequence numbers that have no event.
	Gaps map[string]uint64
}

// Stats implements [Engine].
func (f *Journals) Stats(ctx context.Context) ([]JournalStats, error) {
	r, err := f.begin(ctx)
	if err != nil {
		return nil, err
	}
	var list []JournalStats
	for _, v := range r.views {
		// Each directory is told of by itself, a copy too.
		v.held = nil
		var s JournalStats
		if s, err = r.stats(v); err != nil {
			break
		}
		list = append(list, s)
	}
	return list, r.end(err)
}

func (r *run) stats(v *journalView) (JournalStats, error) {
	m := v.Manifest
	s := JournalStats{
		Dir: v.Dir, Server: spftrack.Printable(m.Server), Segments: len(m.Segments), WALBytes: v.WALBytes(),
		Expired: m.Expired, Lost: m.Lost, Gaps: make(map[string]uint64),
	}
	for _, g := range m.Gaps {
		s.Gaps[g.Reason] += g.Last - g.First + 1
	}
	saw := func(first, last int64) {
		if s.Events == 0 {
			s.First, s.Last = first, last
		}
		s.First, s.Last = min(s.First, first), max(s.Last, last)
	}
	for i := range m.Segments {
		segment := &m.Segments[i]
		saw(segment.MinTime, segment.MaxTime)
		s.SegmentBytes += segment.Bytes
		s.Sealed += segment.Rows
		s.Events += segment.Rows
	}
	attempts := newPlan(Query{})
	var rows []int32
	for _, file := range v.Segments() {
		if summary := file.Summary(); summary != nil {
			s.Attempts += summary.Attempts
			continue
		}
		err := r.excuse(r.segment(file, attempts, 0, &rows, func(*eventrow.Row) error {
			s.Attempts++
			return nil
		}))
		if err != nil {
			return s, err
		}
	}
	known := len(r.problems)
	err := r.tail(v, newPlan(Query{Packets: true}), func(row *eventrow.Row) error {
		saw(row.TS, row.TS)
		s.Unsealed++
		s.Events++
		if row.Attempt {
			s.Attempts++
		}
		if s.Server == "" {
			s.Server = row.ServerID
		}
		return nil
	})
	for _, p := range r.problems[known:] {
		var d *journal.Damage
		if errors.As(p, &d) && d.Events() > 0 {
			s.Gaps[journal.GapDamaged] += d.Events()
		}
	}
	return s, err
}
