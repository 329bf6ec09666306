package journal

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"nullspf/internal/files"
)

const (
	// placeEvery is how often the writer looks whether the directory is there.
	placeEvery = 400 * time.Millisecond
	// removalKnown is how long Health speaks of a directory that was removed.
	removalKnown = time.Hour
)

// place is the directory on the disk, which is locked. Both are kept open, so
// that nothing that takes their place can be mistaken for them.
type place struct {
	path string
	dir  *os.File
	lock io.Closer
	// made and locked tell them from others, wals and segments the directories in it.
	made, locked, wals, segments os.FileInfo
}

// takePlace makes what is missing of a directory, and locks it until the result
// is closed.
func takePlace(path string) (p *place, err error) {
	p = &place{path: path}
	if err := p.makeWALs(); err != nil {
		return nil, err
	}
	if err := p.makeSegments(); err != nil {
		return nil, err
	}
	if p.lock, err = lockDir(path); err != nil {
		return nil, err
	}
	if p.dir, err = os.Open(path); err == nil {
		if p.made, err = p.dir.Stat(); err == nil {
			p.locked, err = os.Lstat(filepath.Join(path, lockName))
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("journal %s: %w", path, err), p.Close())
	}
	return p, nil
}

// Close unlocks the directory.
func (p *place) Close() error {
	err := p.lock.Close()
	if p.dir != nil {
		err = errors.Join(err, p.dir.Close())
	}
	return err
}

// gone reports whether a path is known not to lead to a file any more.
func gone(path string, file os.FileInfo, stat func(string) (os.FileInfo, error)) bool {
	now, err := stat(path)
	return errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(now, file)
}

// replaced reports whether the path leads to another directory, or to none.
func (p *place) replaced() bool { return gone(p.path, p.made, os.Stat) }

// unlocked reports whether another process could lock the directory.
func (p *place) unlocked() bool {
	return p.replaced() || gone(filepath.Join(p.path, lockName), p.locked, os.Lstat)
}

// lost reports whether another process could lock the directory, or whether there
// is no place for wal files any more.
func (p *place) lost() bool {
	return gone(filepath.Join(p.path, walDir), p.wals, os.Stat) || p.unlocked()
}

// lostSegments reports whether the directory of the segments is gone.
func (p *place) lostSegments() bool {
	return gone(filepath.Join(p.path, segDir), p.segments, os.Stat)
}

func (p *place) makeWALs() (err error) {
	p.wals, err = p.makeDir(walDir)
	return err
}

func (p *place) makeSegments() (err error) {
	p.segments, err = p.makeDir(segDir)
	return err
}

// makeDir makes a directory in the directory unless it is there.
func (p *place) makeDir(name string) (os.FileInfo, error) {
	dir := filepath.Join(p.path, name)
	err := os.MkdirAll(dir, 0o750)
	if err == nil {
		var made os.FileInfo
		if made, err = os.Stat(dir); err == nil {
			return made, nil
		}
	}
	return nil, fmt.Errorf("journal %s: %w", p.path, err)
}

// again takes the place once more. In another directory it begins only when that
// holds no journal. When only the place for wal files is gone, the result has the same
// lock.
func (p *place) again() (*place, error) {
	if !p.unlocked() {
		next := *p
		return &next, next.makeWALs()
	}
	next, err := takePlace(p.path)
	if err != nil || os.SameFile(next.made, p.made) {
		return next, err
	}
	wals, err := listWALs(p.path)
	if err == nil && (len(wals) > 0 || hasManifest(p.path)) {
		err = fmt.Errorf("journal %s: another journal has taken its place; restart nullspfd to store events there", p.path)
	}
	if err != nil {
		return nil, errors.Join(err, next.Close())
	}
	return next, nil
}

// errRemoved: the directory, its lock or one of its parts was taken away.
var errRemoved = errors.New("the directory or a part of it was removed or replaced while nullspfd runs; what it stored there is gone")

// checkPlace notices that the directory, a part of it, or the file being written was
// taken away. A directory is made anew after the error, at the next call.
func (w *writer) checkPlace() error {
	w.start()
	defer w.finish()
	j := w.j
	switch {
	case !j.place.Load().lost():
		w.removed = false
	case !w.removed:
		w.removed = true
		w.closeFile(false)
		return fmt.Errorf("journal %s: %w", j.settings.Dir, errRemoved)
	default:
		next, err := j.place.Load().again()
		if err != nil {
			return err
		}
		j.sealer.lookForSegments.Store(true)
		if before := j.place.Swap(next); before.lock != next.lock {
			_ = before.Close() // nobody can see that lock any more
		}
		j.removed.Store(int64(j.elapsed()))
		w.removed = false
		j.log.Warn().Str("journal", j.settings.Dir).Msg("the directory of the journal is made anew")
	}
	j.checkSegments()
	if w.file != nil && gone(w.path, w.made, os.Lstat) {
		j.log.Error().Str("file", w.path).Msg("the file that the journal writes was removed; its events are gone, another one is begun")
		w.closeFile(false)
	}
	return nil
}

// checkSegments makes the directory of the segments anew when it was taken away. As
// long as this fails, sealing fails and says so; events are stored all the same.
func (j *Journal) checkSegments() {
	next := *j.place.Load()
	if !next.lostSegments() || next.makeSegments() != nil {
		return
	}
	if len(j.sealer.manifest.Load().Segments) > 0 {
		j.removed.Store(int64(j.elapsed()))
	}
	j.place.Store(&next)
	j.sealer.lookForSegments.Store(true)
	j.log.Warn().Str("journal", j.settings.Dir).Msg("the directory of the segments was removed or replaced, and is made anew")
}

// removal speaks of a directory that was removed not long ago.
func (j *Journal) removal() error {
	at := time.Duration(j.removed.Load())
	if at == 0 || j.elapsed()-at > removalKnown {
		return nil
	}
	return fmt.Errorf("journal: %w; it was made anew", errRemoved)
}

// forgetSegments drops the segments from MANIFEST that were taken away together
// with the directory.
func (s *sealer) forgetSegments() error {
	s.discard()
	m := s.manifest.Load().clone()
	m.forget(func(segment *Segment) bool {
		_, err := os.Lstat(filepath.Join(s.j.settings.Dir, filepath.FromSlash(segment.Path())))
		return errors.Is(err, fs.ErrNotExist)
	})
	if err := s.store(m); err != nil {
		return err
	}
	s.lookForSegments.Store(false)
	return nil
}

// forget turns segments into gaps.
func (m *Manifest) forget(missing func(*Segment) bool) {
	m.Segments = slices.DeleteFunc(m.Segments, func(s Segment) bool {
		if !missing(&s) {
			return false
		}
		m.Gaps = slices.DeleteFunc(m.Gaps, func(g Gap) bool { return g.First >= s.First && g.Last <= s.Last })
		m.Gaps = append(m.Gaps, Gap{s.First, s.Last, GapMissing})
		return true
	})
	slices.SortFunc(m.Gaps, func(a, b Gap) int { return cmp.Compare(a.First, b.First) })
}

// lockDir locks the directory until the result is closed.
func lockDir(dir string) (io.Closer, error) {
	lock, err := files.Lock(filepath.Join(dir, lockName), 0o640)
	if errors.Is(err, files.ErrLocked) {
		return nil, fmt.Errorf("journal %s: %w; stop it, or give each server a directory of its own", dir, errLocked)
	}
	if err != nil {
		return nil, fmt.Errorf("journal %s: cannot lock the directory: %w", dir, err)
	}
	return lock, nil
}
