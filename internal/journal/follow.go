package journal

import (
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"time"

	"nullspf/internal/attempt"
	"nullspf/internal/eventrow"
	"nullspf/spftrack"
)

// Follower reads events as they come, from another process.
type Follower struct {
	dir     string
	options ReadOptions
	hold    time.Duration
	fold    *attempt.Fold
	// last is when the fold got its last event.
	last time.Time
	// next is the number of the next event to read.
	next uint64
	// file is the wal file being read, nil before the first; finished is the
	// key of the last one that was read to its end.
	file     *walReader
	decoder  *decoder
	finished uint64
	yield    func(*spftrack.Event) error
	damage   Damages
}

// Damage is what could not be read so far.
func (f *Follower) Damage() Damages { return f.damage }

// Follow returns a follower that goes on where the view ends. It holds an
// event back until later ones, or as much time, have passed hold: an exists:
// query is not an attempt of its own when the exp= query follows.
func (v *View) Follow(hold time.Duration) (*Follower, error) {
	f := &Follower{dir: v.Dir, options: v.options, hold: hold, next: v.Manifest.Next}
	// What the view holds is marked, and yielded to nobody.
	f.yield = func(*spftrack.Event) error { return nil }
	windows := attempt.Default
	windows.Hold = hold
	f.fold = attempt.New(windows, func(e *spftrack.Event) error { return f.yield(e) })
	// A segment that cannot be read is named by whoever reads the view.
	_ = v.prime(f.fold)
	damage, err := v.unsealed(func(list []spftrack.Event) error {
		if len(list) > 0 {
			f.next = list[len(list)-1].Seq + 1
		}
		return f.fold.PushAll(list)
	})
	f.damage = damage
	if err == nil {
		err = f.fold.Flush()
	}
	return f, err
}

// Poll calls yield with the events that have come since the last call, in
// order. It returns yield's error, or that of a file that cannot be read.
func (f *Follower) Poll(yield func(*spftrack.Event) error) error {
	f.yield = yield
	for {
		if f.file == nil {
			again, err := f.open()
			if err != nil {
				return err
			}
			if again {
				continue
			}
			if f.file == nil {
				break
			}
		}
		// Whether a later file exists is asked before the rest of this one is
		// read: then nothing more comes to it.
		later, err := f.laterFile()
		if err != nil {
			return err
		}
		if err := f.readFile(); err != nil {
			return err
		}
		if !later && !f.file.end {
			break
		}
		f.finished = f.file.key
		f.file.Close()
		f.file = nil
	}
	if _, waits := f.fold.Waiting(); waits && time.Since(f.last) > f.hold {
		return f.fold.Flush()
	}
	return nil
}

// Close closes the file.
func (f *Follower) Close() error {
	if f.file == nil {
		return nil
	}
	return f.file.Close()
}

// open opens the wal file that holds the next event, or the first after it.
// What was sealed before it could be read is read from segments. again: things
// changed meanwhile.
func (f *Follower) open() (again bool, err error) {
	m, err := loadManifest(f.dir)
	if err != nil {
		return false, err
	}
	if m.Next > f.next {
		return true, f.readSealed(m)
	}
	names, err := listWALs(f.dir)
	if err != nil {
		return false, err
	}
	pick := -1
	for i, n := range names {
		if n.key != f.finished && (pick < 0 || n.first <= f.next) {
			pick = i
		}
		if n.key == f.finished {
			pick = -1
		}
	}
	if pick < 0 {
		return false, nil
	}
	w, err := openWAL(filepath.Join(f.dir, walDir, names[pick].String()), names[pick])
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if errors.Is(err, errHeader) {
		// It may have been made a moment ago.
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if w.first > f.next {
		// What lies between may have been sealed since MANIFEST was read.
		if m, err := loadManifest(f.dir); err != nil || m.Next > f.next {
			w.Close()
			return true, err
		}
	}
	f.file, f.decoder = w, newDecoder(w.header, f.options.Known)
	return false, nil
}

// readSealed reads from segments up to the manifest's next event.
func (f *Follower) readSealed(m *Manifest) error {
	for i := range m.Segments {
		s := &m.Segments[i]
		if s.Last < f.next {
			continue
		}
		file, err := openSegment(f.dir, s)
		if errors.Is(err, fs.ErrNotExist) {
			// It was joined with others: the next manifest tells.
			return nil
		}
		if err != nil {
			return err
		}
		var e spftrack.Event
		err = file.rows(f.next, func(rows []eventrow.Row) error {
			for i := range rows {
				rows[i].Event(&e)
				f.next = e.Seq + 1
				f.last = time.Now()
				if err := f.fold.Push(&e); err != nil {
					return err
				}
			}
			return nil
		})
		file.close()
		if err != nil {
			return err
		}
	}
	f.next = m.Next
	return nil
}

// readFile reads what has come to the file.
func (f *Follower) readFile() error {
	if err := f.file.refresh(); err != nil {
		return err
	}
	for {
		offset := f.file.offset
		blk, err := f.file.next()
		if err == io.EOF || errors.Is(err, errTorn) {
			return nil
		}
		if err != nil {
			return err
		}
		end := blk.first + uint64(blk.count)
		if end <= f.next {
			continue
		}
		if blk.first > f.next && f.next >= f.file.first {
			f.damage = append(f.damage, &Damage{f.file.path, offset, f.file.offset - offset - blk.length(), f.next, blk.first - 1})
		}
		f.last = time.Now()
		if err := f.decoder.events(&blk, f.next, f.fold.PushAll); err != nil {
			return err
		}
		f.next = end
	}
}

// laterFile reports whether the writer has gone on to another file.
func (f *Follower) laterFile() (bool, error) {
	names, err := listWALs(f.dir)
	if err != nil {
		return false, err
	}
	for _, n := range names {
		if n.first > f.file.first || n.first == f.file.first && n.key != f.file.key {
			return true, nil
		}
	}
	return false, nil
}
