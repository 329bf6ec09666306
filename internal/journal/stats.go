package journal

import (
	"errors"
	"fmt"
	"time"
)

// Stats counts what happened since the journal was opened. Accepted + lost
// before it is the number of events put, and Accepted = Stored + Pending, plus
// what Close could not write: exactly so whenever no worker is in Put.
type Stats struct {
	// Accepted events entered a ring.
	Accepted uint64
	// Stored events were written to a wal file.
	Stored uint64
	// Pending events are in a ring.
	Pending uint64
	// Lost events by reason. Those with LostShutdown were accepted before.
	Lost Lost
	// FlushFailures counts the calls of Flush that returned an error.
	FlushFailures uint64

	// NextSeq is the next sequence number.
	NextSeq uint64
	// WALFiles and WALBytes are files not sealed yet.
	WALFiles int
	WALBytes int64
	// Segments, SegmentBytes and SegmentEvents are what MANIFEST lists.
	Segments      int
	SegmentBytes  int64
	SegmentEvents uint64
	// Sealed events were moved from wal files to segments.
	Sealed uint64
	// Damaged events were in damaged blocks of wal files.
	Damaged uint64
	// Expired events were removed for age or size.
	Expired uint64
	// Compactions counts segments made of smaller ones.
	Compactions uint64
	// DamagedSegments are those found damaged since the journal was opened.
	DamagedSegments int
	// Panics of background work that were contained.
	Panics uint64
}

// Stats returns a snapshot.
func (j *Journal) Stats() Stats {
	var s Stats
	// Stored first: it must not overtake accepted.
	s.Stored = j.writer.stored.Load()
	for _, w := range j.all {
		s.Accepted += w.ring.publishedCount.Load()
		for r := range w.lost {
			s.Lost[r] += w.lost[r].Load()
		}
	}
	s.Lost[LostShutdown] += j.abandoned.Load()
	s.Pending = s.Accepted - s.Stored - j.abandoned.Load()
	s.FlushFailures = j.flushFailures.Load()
	s.NextSeq = j.writer.nextSeq.Load()
	s.WALFiles, s.WALBytes = j.wals.size()
	m := j.sealer.manifest.Load()
	s.Segments = len(m.Segments)
	for i := range m.Segments {
		s.SegmentBytes += m.Segments[i].Bytes
		s.SegmentEvents += m.Segments[i].Rows
	}
	s.Sealed = j.sealer.sealed.Load()
	s.Damaged = j.sealer.damaged.Load()
	s.Expired = j.sealer.expired.Load()
	s.Compactions = j.sealer.compactions.Load()
	s.DamagedSegments = j.sealer.unreadable.count()
	s.Panics = j.guard.count()
	return s
}

// recentLoss is how long Health speaks of lost events.
const recentLoss = time.Minute

// Health returns nil, or what is wrong: that the journal cannot write or seal,
// that events were lost within the last minute, or that a segment is damaged.
func (j *Journal) Health() error {
	var errs []error
	if reason, ok := j.trouble(); ok {
		detail := ""
		if err := j.writer.lastError(); err != nil && reason != LostStalled {
			detail = ": " + err.Error()
		}
		errs = append(errs, fmt.Errorf("journal: events cannot be stored (%s)%s; queries are still answered", reason, detail))
	}
	if err := j.removal(); err != nil {
		errs = append(errs, err)
	}
	if n, reason := j.losses.recent(j.elapsed()); n > 0 {
		errs = append(errs, fmt.Errorf("journal: %d events lost within the last minute (last reason %s)", n, reason))
	}
	if err := j.sealer.failure(); err != nil {
		errs = append(errs, fmt.Errorf("journal: events are stored but cannot be sealed: %w", err))
	}
	if err := j.sealer.unreadable.err(); err != nil {
		errs = append(errs, fmt.Errorf("journal: a segment cannot be read: %w", err))
	}
	return errors.Join(errs...)
}
