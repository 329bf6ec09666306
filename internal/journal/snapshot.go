package journal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"nullspf/internal/attempt"
	"nullspf/spftrack"
)

// ReadOptions are the parameters of readers.
type ReadOptions struct {
	// Known gives, for a zone, the function that tells our domains from
	// others; see [Zone.Known]. nil knows nothing.
	Known func(zone string) func(domain string) bool
	// Parsed keeps what was parsed of segments for further views; nil keeps nothing.
	Parsed *Parsed
}

// View is what a directory held at one moment: all of its segments, and the
// events that were not sealed yet. Its files are open, so that sealing,
// compaction and retention do not change it.
type View struct {
	Dir      string
	Manifest *Manifest
	// Unreadable are the wal files, if any, of which nothing can be read.
	Unreadable []string

	options  ReadOptions
	segments []*SegmentFile
	wals     []*walReader
	// unreadable are the wal files without header. One that is not longer than
	// a header is being made, or was when nullspfd was killed.
	unreadable []walName
}

const (
	snapshotTries = 50
	snapshotPause = 20 * time.Millisecond
)

// Snapshot returns a view of a directory, which another process may be writing,
// or which was copied. It fails when there is no journal, when MANIFEST is
// damaged, and when it lists a segment that is not there.
func Snapshot(dir string, options ReadOptions) (*View, error) {
	if err := isJournal(dir); err != nil {
		return nil, err
	}
	var err error
	for range snapshotTries {
		var v *View
		var again bool
		v, again, err = tryView(dir, options)
		if err == nil && !again {
			return v, nil
		}
		if err != nil && !again {
			break
		}
		time.Sleep(snapshotPause)
	}
	return nil, snapshotError(dir, err)
}

// snapshotError tells why there is no snapshot, and what to do; nil is that everything changes.
func snapshotError(dir string, err error) error {
	switch {
	case err == nil:
		err = errors.New("MANIFEST changes all the time")
	case errors.Is(err, fs.ErrNotExist):
		err = fmt.Errorf("MANIFEST lists a file that is not there; copy the directory again: %w", err)
	case errors.Is(err, errManifest):
		err = fmt.Errorf("%w; the next start of nullspfd takes its copy, or makes it anew from the segments", err)
	case errors.Is(err, fs.ErrPermission):
		err = fmt.Errorf("%w; read it as root, as the user of nullspfd, or as a member of its group", err)
	}
	return fmt.Errorf("journal %s: %w", dir, err)
}

// isJournal fails when a directory holds no journal.
func isJournal(dir string) error {
	if _, err := os.Stat(filepath.Join(dir, walDir)); errors.Is(err, fs.ErrNotExist) && !hasManifest(dir) {
		return fmt.Errorf("%s holds no journal: neither %s nor %s is there", dir, manifestName, walDir)
	}
	return nil
}

// tryView opens everything. again: a file vanished, or MANIFEST was replaced
// meanwhile, which explains why files may be missing.
func tryView(dir string, options ReadOptions) (v *View, again bool, err error) {
	m, err := loadManifest(dir)
	if err != nil {
		return nil, false, err
	}
	m.Lost.raise(readLost(dir))
	v = &View{Dir: dir, Manifest: m, options: options}
	err = v.open()
	if err == nil {
		after, e := loadManifest(dir)
		// A wal file is only dropped after MANIFEST was replaced: the same
		// MANIFEST means that every event is in what was opened.
		if e == nil && after.Next == m.Next && slices.Equal(after.Segments, m.Segments) {
			return v, false, nil
		}
		err = e
	}
	v.Close()
	return nil, err == nil || errors.Is(err, fs.ErrNotExist), err
}

func (v *View) open() error {
	for i := range v.Manifest.Segments {
		s, err := openSegment(v.Dir, &v.Manifest.Segments[i])
		if err != nil {
			return err
		}
		s.parsed = v.options.Parsed
		v.segments = append(v.segments, s)
	}
	names, err := listWALs(v.Dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		path := filepath.Join(v.Dir, walDir, name.String())
		w, err := openWAL(path, name)
		if errors.Is(err, errHeader) {
			info, err := os.Stat(path)
			if err != nil {
				return err
			}
			v.unreadable = append(v.unreadable, name)
			if info.Size() > 2*walSlot {
				v.Unreadable = append(v.Unreadable, path)
			}
			continue
		}
		if err != nil {
			return err
		}
		v.wals = append(v.wals, w)
	}
	return v.checkManifest()
}

// checkManifest fails when MANIFEST was lost. Before the first sealing there is
// none; then the wal files begin with the first event.
func (v *View) checkManifest() error {
	if len(v.wals) > 0 && v.wals[0].first == 1 || hasManifest(v.Dir) {
		return nil
	}
	segments, err := listSegments(v.Dir)
	if err != nil || len(segments) == 0 {
		return err
	}
	// The first events may have been stored and sealed since the wal files were
	// listed.
	names, err := listWALs(v.Dir)
	if err != nil {
		return err
	}
	if len(names) > 0 && names[0].first == 1 || hasManifest(v.Dir) {
		return fmt.Errorf("%s: %w", filepath.Join(v.Dir, manifestName), fs.ErrNotExist)
	}
	return fmt.Errorf("%w: it is missing, but there are segments", errManifest)
}

// Close closes the files.
func (v *View) Close() error {
	var errs []error
	for _, s := range v.segments {
		errs = append(errs, s.close())
	}
	for _, w := range v.wals {
		errs = append(errs, w.Close())
	}
	return errors.Join(errs...)
}

// Segments returns the segments in order. Their footers are not read yet; see
// [SegmentFile.Load].
func (v *View) Segments() []*SegmentFile { return v.segments }

// Tail calls yield with the events that are not sealed, in order, marked as if
// no further one came. Events and their texts must not be kept, unless cloned.
// It returns yield's error, or that of a file that cannot be read. Damaged blocks
// are skipped; the error then is [Damages], and all other events have been
// yielded.
func (v *View) Tail(yield func(*spftrack.Event) error) error {
	if len(v.wals) == 0 {
		return nil
	}
	fold := attempt.New(attempt.Default, yield)
	unmarked := v.prime(fold)
	damage, err := v.unsealed(fold.PushAll)
	if err == nil {
		err = fold.Flush()
	}
	if err == nil {
		err = damage.err()
	}
	if err == nil {
		err = unmarked
	}
	return err
}

// prime lets a fold remember the latest sealed events. A segment that cannot be
// read costs marks, not events; the error names it.
func (v *View) prime(fold *attempt.Fold) (err error) {
	if events, ok := readRecent(v.Dir, v.Manifest); ok {
		rememberAll(fold, events)
		return nil
	}
	for _, s := range v.segments[len(v.segments)-primed(v.Manifest.Segments):] {
		if e := s.recent(fold.Remember); e != nil {
			err = e
		}
	}
	return err
}

// unsealed calls yield with the events that are not sealed, unmarked. damage is
// what could not be read of them.
func (v *View) unsealed(yield func([]spftrack.Event) error) (damage Damages, err error) {
	next := v.Manifest.Next
	for _, w := range v.wals {
		d, err := v.unsealedOf(w, &next, yield)
		if damage = append(damage, d...); err != nil {
			return damage, err
		}
	}
	return damage, nil
}

// unsealedOf reads a wal file; next is the number of the first event that is
// neither sealed nor yielded.
func (v *View) unsealedOf(w *walReader, next *uint64, yield func([]spftrack.Event) error) (damage Damages, err error) {
	r := w.blockReader
	decoder := newDecoder(w.header, v.options.Known)
	for expected := w.first; ; {
		offset := r.offset
		blk, err := r.next()
		if err == io.EOF {
			return damage, nil
		}
		if errors.Is(err, errTorn) {
			if bytes, events := r.lostEnd(); bytes > 0 && w.bound > v.Manifest.Next {
				damage = append(damage, &Damage{w.path, offset, bytes, expected, expected + events - 1})
			}
			return damage, nil
		}
		if err != nil {
			return damage, fmt.Errorf("%s: %w", w.path, err)
		}
		if blk.first > expected && blk.first > v.Manifest.Next {
			damage = append(damage, &Damage{w.path, offset, r.offset - offset - blk.length(), max(expected, v.Manifest.Next), blk.first - 1})
		}
		expected = blk.first + uint64(blk.count)
		if expected > *next {
			if err := decoder.events(&blk, *next, yield); err != nil {
				return damage, err
			}
			*next = expected
		}
	}
}

// WALBytes is the size of the wal files together, in bytes.
func (v *View) WALBytes() int64 {
	n := int64(0)
	for _, w := range v.wals {
		n += w.size
	}
	return n
}
