package journal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"time"

	"nullspf/internal/attempt"
	"nullspf/spftrack"
)

// sealing is what is under way between wal files and MANIFEST.
//
//	closed wal files -> fold (marks attempts) -> segment writer -> finished segments
//
// It writes new files only. What it has read, made and noted is put into a
// manifest by complete; when that is stored, settle tells which wal files are
// done with.
type sealing struct {
	dir   string
	known knownFunc
	stop  <-chan struct{}
	fold  *attempt.Fold
	// memory has the texts of the events that are in the fold or wait to be
	// written.
	memory arena

	// read is the number of the next event to read: all before it are in the
	// fold or in segments.
	read uint64
	// wals are the files that were read to their end and of which something is
	// not in MANIFEST yet.
	wals []readWAL
	gaps []Gap

	// age and maxRows are parameters of segments.
	age     int64
	maxRows uint64
	// cur is the segment being written, nil for none; dayStart begins its day.
	cur      *segmentWriter
	dayStart int64
	// days counts the segments of this pass.
	days     int
	finished []Segment
	// events and damaged count those of this pass that were written, and that
	// were in damaged blocks.
	events, damaged uint64
}

// readWAL is a wal file that was read to its end.
type readWAL struct {
	name    walName
	end     uint64
	damaged bool
	// lost are the events that were in damaged blocks.
	lost []Gap
}

// beginSealing begins after what a manifest lists, with a fold that knows the
// latest sealed events.
func beginSealing(dir string, m *Manifest, known knownFunc, stop <-chan struct{}, unreadable func(first uint64, err error)) (*sealing, error) {
	u := &sealing{dir: dir, known: known, stop: stop, read: m.Next}
	u.fold = attempt.New(attempt.Default, u.add)
	if err := primeFold(u.fold, dir, m, unreadable); err != nil {
		return nil, err
	}
	return u, nil
}

// waiting reports whether events wait in the fold.
func (u *sealing) waiting() bool {
	_, waits := u.fold.Waiting()
	return waits
}

// hasRead reports whether a file was read to its end.
func (u *sealing) hasRead(name walName) bool {
	return slices.ContainsFunc(u.wals, func(w readWAL) bool { return w.name == name })
}

// readFile reads the events of a closed file into the fold.
func (u *sealing) readFile(f walInfo) error {
	path := filepath.Join(u.dir, walDir, f.String())
	known := len(u.gaps)
	if f.first > u.read {
		u.gap(u.read, f.first-1, GapMissing)
		u.read = f.first
	}
	w, err := openWAL(path, f.walName)
	switch {
	case errors.Is(err, errHeader):
		// How many of the reserved numbers were used is not known. A file that
		// is not longer than a header was never completed.
		possible := min(f.end, f.first+uint64(max(f.size-2*walSlot, 0))/minPacked)
		u.gap(u.read, possible-1, GapDamaged)
		u.gap(max(u.read, possible), f.end-1, GapRestart)
		u.read = max(u.read, f.end)
		u.wals = append(u.wals, readWAL{f.walName, u.read, f.size > 2*walSlot, damagedGaps(u.gaps[known:])})
		return nil
	case errors.Is(err, fs.ErrNotExist):
		u.gap(u.read, f.end-1, GapMissing)
		u.read = max(u.read, f.end)
		u.wals = append(u.wals, readWAL{name: f.walName, end: u.read})
		return nil
	case err != nil:
		return err
	}
	defer w.Close()
	w.memory = &u.memory
	decoder := newDecoder(w.header, u.known)
	damaged := w.damagedHeader
	for {
		blk, err := w.next()
		if errors.Is(err, errTorn) {
			damaged = true
			if _, events := w.lostEnd(); events > 0 {
				last := min(u.read+events, f.end) - 1
				u.gap(u.read, last, GapDamaged)
				u.read = max(u.read, last+1)
			}
			break
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if blk.first > u.read {
			u.gap(u.read, blk.first-1, GapDamaged)
			u.read = blk.first
		}
		if closed(u.stop) {
			return errStopping
		}
		if next := blk.first + uint64(blk.count); next > u.read {
			if err := decoder.events(&blk, u.read, u.fold.PushAll); err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
			u.read = next
		}
		u.memory.release(u.oldest())
	}
	if f.end > u.read {
		reason := GapRestart
		if f.inOrder {
			reason = GapDamaged
		}
		u.gap(u.read, f.end-1, reason)
		u.read = f.end
	}
	u.wals = append(u.wals, readWAL{f.walName, u.read, damaged || w.damaged > 0, damagedGaps(u.gaps[known:])})
	return nil
}

// oldest is the number of the first event that is not written yet.
func (u *sealing) oldest() uint64 {
	if u.cur != nil && u.cur.pending > 0 {
		return uint64(u.cur.rows[0].Seq)
	}
	if seq, ok := u.fold.Waiting(); ok {
		return seq
	}
	return u.read
}

// damagedGaps keeps those of events in damaged blocks.
func damagedGaps(gaps []Gap) []Gap {
	return slices.DeleteFunc(slices.Clone(gaps), func(g Gap) bool { return g.Reason != GapDamaged })
}

// gap notes that the numbers from first to last hold no event.
func (u *sealing) gap(first, last uint64, reason string) {
	if first > last {
		return
	}
	u.gaps = append(u.gaps, Gap{first, last, reason})
	if reason == GapDamaged {
		u.damaged += last - first + 1
	}
}

// add writes an event. A segment holds the events of one UTC day, apart from
// stragglers, and as long as the clock does not jump all the time.
func (u *sealing) add(e *spftrack.Event) error {
	const day = int64(24 * time.Hour)
	if u.cur != nil {
		other := e.Time >= u.dayStart+day || e.Time < u.dayStart-int64(daySlack)
		if other && u.days < maxDays || u.cur.Rows >= u.maxRows {
			if err := u.finishSegment(); err != nil {
				return err
			}
		}
	}
	if u.cur == nil {
		w, err := newSegmentWriter(u.dir)
		if err != nil {
			return err
		}
		u.cur = w
		u.days++
		u.dayStart = time.Unix(0, e.Time).UTC().Truncate(24 * time.Hour).UnixNano()
	}
	u.events++
	return u.cur.add(e)
}

// finishSegment completes the segment being written, if there is one.
func (u *sealing) finishSegment() error {
	if u.cur == nil {
		return nil
	}
	segment, err := u.cur.finish(u.age)
	if err != nil {
		return err
	}
	u.finished = append(u.finished, segment)
	u.cur = nil
	return nil
}

// complete finishes the segments and notes in a manifest what it may refer to
// from now on.
func (u *sealing) complete(m *Manifest) error {
	if err := u.finishSegment(); err != nil {
		return err
	}
	m.Next = u.read
	if seq, ok := u.fold.Waiting(); ok {
		m.Next = seq
	}
	later := u.gaps[:0:0]
	for _, g := range u.gaps {
		if g.First < m.Next {
			m.addGap(g.First, g.Last, g.Reason)
		} else {
			later = append(later, g)
		}
	}
	m.addSegments(u.finished...)
	u.gaps, u.finished = later, nil
	return nil
}

// settle forgets what a stored manifest refers to, and returns the files of which
// nothing is left to seal.
func (u *sealing) settle(next uint64) (done []readWAL) {
	left := u.wals[:0:0]
	for _, w := range u.wals {
		if w.end > next {
			left = append(left, w)
		} else {
			done = append(done, w)
		}
	}
	u.wals = left
	u.events, u.damaged, u.days = 0, 0, 0
	return done
}

// abort removes the segments that no manifest refers to. Their events are still
// in wal files.
func (u *sealing) abort() {
	if u.cur != nil {
		u.cur.abort()
	}
	for i := range u.finished {
		removeSegment(filepath.Join(u.dir, filepath.FromSlash(u.finished[i].Path())))
	}
}
