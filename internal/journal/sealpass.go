package journal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"time"

	"nullspf/internal/attempt"
	"nullspf/spftrack"
)

// output collects the segments of a pass.
type output struct {
	dir      string
	age      int64
	maxRows  uint64
	cur      *segmentWriter
	finished []Segment
	days     int
	dayStart int64
	gaps     []Gap
	events   uint64
	damaged  uint64
	// wals are the files that were read to their end, with the number that
	// follows it.
	wals []readWAL
}

// readWAL is a wal file that was read to its end.
type readWAL struct {
	name    walName
	end     uint64
	damaged bool
}

// begin makes a fold that knows the latest sealed events.
func (s *sealer) begin(m *Manifest) error {
	fold := attempt.New(attempt.Default, s.out.add)
	if err := primeFold(fold, s.j.settings.Dir, m); err != nil {
		return err
	}
	s.out.dir = s.j.settings.Dir
	s.read = m.Next
	s.fold = fold
	return nil
}

// readFile reads the events of a closed file into the fold.
func (s *sealer) readFile(f walInfo) error {
	path := filepath.Join(s.j.settings.Dir, walDir, f.String())
	if f.first > s.read {
		s.out.gap(s.read, f.first-1, GapMissing)
		s.read = f.first
	}
	w, err := openWAL(path, f.walName)
	switch {
	case errors.Is(err, errHeader):
		// How many of the reserved numbers were used is not known. A file that
		// is not longer than a header was never completed.
		possible := min(f.end, f.first+uint64(max(f.size-2*walSlot, 0))/recordFixed)
		s.out.gap(s.read, possible-1, GapDamaged)
		s.out.gap(max(s.read, possible), f.end-1, GapRestart)
		s.read = max(s.read, f.end)
		s.out.wals = append(s.out.wals, readWAL{f.walName, s.read, f.size > 2*walSlot})
		return nil
	case errors.Is(err, fs.ErrNotExist):
		s.out.gap(s.read, f.end-1, GapMissing)
		s.read = max(s.read, f.end)
		s.out.wals = append(s.out.wals, readWAL{name: f.walName, end: s.read})
		return nil
	case err != nil:
		return err
	}
	defer w.Close()
	decoder := newDecoder(w.header, s.j.zones.known)
	damaged := w.damagedHeader
	for {
		blk, err := w.next()
		if errors.Is(err, errTorn) {
			damaged = true
			break
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if blk.first > s.read {
			s.out.gap(s.read, blk.first-1, GapDamaged)
			s.read = blk.first
		}
		if closed(s.stop) {
			return errStopping
		}
		if next := blk.first + uint64(blk.count); next > s.read {
			if err := decoder.events(&blk, s.read, s.fold.Push); err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
			s.read = next
		}
	}
	if f.end > s.read {
		reason := GapRestart
		if f.inOrder {
			reason = GapDamaged
		}
		s.out.gap(s.read, f.end-1, reason)
		s.read = f.end
	}
	s.out.wals = append(s.out.wals, readWAL{f.walName, s.read, damaged || w.damaged > 0})
	return nil
}

// gap notes that the numbers from first to last hold no event.
func (o *output) gap(first, last uint64, reason string) {
	if first > last {
		return
	}
	o.gaps = append(o.gaps, Gap{first, last, reason})
	if reason == GapDamaged {
		o.damaged += last - first + 1
	}
}

// add writes an event. A segment holds the events of one UTC day, apart from
// stragglers, and as long as the clock does not jump all the time.
func (o *output) add(e *spftrack.Event) error {
	const day = int64(24 * time.Hour)
	if o.cur != nil {
		other := e.Time >= o.dayStart+day || e.Time < o.dayStart-int64(daySlack)
		if other && o.days < maxDays || o.cur.Rows >= o.maxRows {
			if err := o.finish(); err != nil {
				return err
			}
		}
	}
	if o.cur == nil {
		w, err := newSegmentWriter(o.dir)
		if err != nil {
			return err
		}
		o.cur = w
		o.days++
		o.dayStart = time.Unix(0, e.Time).UTC().Truncate(24 * time.Hour).UnixNano()
	}
	o.events++
	return o.cur.add(e)
}

func (o *output) finish() error {
	segment, err := o.cur.finish(o.age)
	if err != nil {
		return err
	}
	o.finished = append(o.finished, segment)
	o.cur = nil
	return nil
}
