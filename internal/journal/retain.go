package journal

import (
	"path/filepath"
	"time"
)

// maxDowntime is the longest time between two runs that adds to the age of a
// directory. More is taken for a clock that was set anew, and does not count.
const maxDowntime = 45 * 24 * time.Hour

// quarantineEvery is how often the files that were quarantined are listed.
const quarantineEvery = time.Minute

// ageAtOpen is the age of a directory, in seconds, when it is opened.
func ageAtOpen(m *Manifest, now time.Time) int64 {
	downtime := now.Unix() - m.Wall
	if m.Wall == 0 || downtime < 0 || downtime > int64(maxDowntime/time.Second) {
		return m.Age
	}
	return m.Age + downtime
}

// retain removes what is too old or too much, the oldest first. The order is
// that of the sequence numbers, and the age counts from the sealing: the times
// of events, which a wrong clock may have given, play no part.
func (s *sealer) retain() error {
	s.retained = s.j.elapsed()
	if limit := time.Duration(s.j.keep.Load()); limit > 0 {
		oldest := s.j.age() - int64(limit/time.Second)
		segments := s.manifest.Load().Segments
		n := 0
		for n < len(segments) && segments[n].Age < oldest {
			n++
		}
		if err := s.expire(n, "age"); err != nil {
			return err
		}
		s.removeDamaged(func(f quarantinedFile, _ int64) bool {
			// The file has no other age than that of its last change.
			return s.j.clockSteady() && s.j.settings.Clock().Sub(f.changed) > limit
		})
	}
	if limit := s.j.maxSize.Load(); limit > 0 {
		return s.shrink(limit)
	}
	return nil
}

// shrink removes files until the directory has at most limit bytes: those with
// damaged blocks, then segments, then wal files that were never sealed.
func (s *sealer) shrink(limit int64) error {
	_, total := s.j.wals.size()
	segments := s.manifest.Load().Segments
	for i := range segments {
		total += segments[i].Bytes + summarySize(s.j.settings.Dir, &segments[i])
	}
	damaged := s.removeDamaged(func(_ quarantinedFile, sum int64) bool { return total+sum > limit })
	total += damaged
	n := 0
	for n < len(segments) && total > limit {
		total -= segments[n].Bytes + summarySize(s.j.settings.Dir, &segments[n])
		n++
	}
	if err := s.expire(n, "size"); err != nil || total <= limit {
		return err
	}
	return s.dropUnsealed(total - limit)
}

// expire removes the n oldest segments.
func (s *sealer) expire(n int, reason string) error {
	if n == 0 {
		return nil
	}
	old := s.manifest.Load()
	m := old.clone()
	rows := uint64(0)
	for i := range n {
		seg := &old.Segments[i]
		m.expire(seg.Last, seg.Rows, seg.Bytes)
		rows += seg.Rows
	}
	m.Segments = m.Segments[n:]
	if err := s.store(m); err != nil {
		return err
	}
	s.expired.Add(rows)
	s.unreadable.forget(m.ExpiredLast)
	for i := range n {
		path := filepath.Join(s.j.settings.Dir, filepath.FromSlash(old.Segments[i].Path()))
		removeSegment(path)
		// The directory of a day goes with its last segment.
		removeQuietly(filepath.Dir(path))
	}
	s.j.log.Info().Str("reason", reason).Int("segments", n).Uint64("events", rows).
		Uint64("first", old.Segments[0].First).Uint64("last", m.ExpiredLast).Msg("removed old events from the journal")
	return nil
}

// dropUnsealed removes the oldest closed wal files. It comes to this only when
// sealing has failed for long.
func (s *sealer) dropUnsealed(excess int64) error {
	s.discard()
	m := s.manifest.Load().clone()
	next := m.Next
	var dropped []walInfo
	for _, f := range s.j.wals.sealable() {
		if excess <= 0 {
			break
		}
		excess -= f.size
		next = max(next, f.end)
		dropped = append(dropped, f)
	}
	if len(dropped) == 0 {
		return nil
	}
	rows := next - m.Next
	m.addGap(m.Next, next-1, GapExpired)
	m.Next = next
	m.Expired += rows
	if err := s.store(m); err != nil {
		return err
	}
	s.expired.Add(rows)
	for _, f := range dropped {
		if err := s.drop(readWAL{name: f.walName}); err != nil {
			return err
		}
	}
	s.j.log.Error().Uint64("events", rows).Msg("removed events that could not be sealed, because the journal exceeded its maximum size")
	return nil
}

// removeDamaged removes files that were quarantined, the oldest first, while
// condition holds for a file and the bytes of all that are left. It returns
// these bytes.
func (s *sealer) removeDamaged(condition func(f quarantinedFile, sum int64) bool) int64 {
	if now := s.j.elapsed(); s.quarantineListed == 0 || now-s.quarantineListed > quarantineEvery {
		s.quarantined, _ = listQuarantined(s.j.settings.Dir)
		s.quarantineListed = now
	}
	sum := int64(0)
	for _, f := range s.quarantined {
		sum += f.size
	}
	for len(s.quarantined) > 0 && condition(s.quarantined[0], sum) {
		f := s.quarantined[0]
		s.quarantined = s.quarantined[1:]
		s.j.log.Warn().Str("file", f.path).Msg("removed a damaged file that had been kept, because of its age or the size of the journal")
		removeQuietly(f.path)
		sum -= f.size
	}
	return sum
}
