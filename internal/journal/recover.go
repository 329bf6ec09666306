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

	"github.com/rs/zerolog"
)

// recovery reads a directory as an earlier run left it, however that ended.
// Nothing is removed but what an interrupted run had begun or finished with: what
// is in no manifest and cannot be had elsewhere is left, and named.
type recovery struct {
	dir string
	log zerolog.Logger
	m   *Manifest
	// wals are the wal files in order.
	wals []walInfo
}

// recoverDir makes a directory ready to be written to.
func recoverDir(dir string, log zerolog.Logger) (*Manifest, []walInfo, error) {
	r := &recovery{dir: dir, log: log}
	segments, err := listSegments(dir)
	if err != nil {
		return nil, nil, err
	}
	names, err := listWALs(dir)
	if err != nil {
		return nil, nil, err
	}
	if r.wals, err = inspectWALs(dir, names); err != nil {
		return nil, nil, err
	}
	if err := r.loadManifest(segments); err != nil {
		return nil, nil, err
	}
	r.m.Lost.raise(readLost(dir))
	for _, f := range segments {
		if err := r.tidy(f); err != nil {
			return nil, nil, err
		}
	}
	removeOrphans(dir)
	return r.m, r.wals, nil
}

// loadManifest reads MANIFEST; when it is damaged, its copy; when that is damaged
// too, it makes one anew from the segments.
func (r *recovery) loadManifest(segments []segmentPath) (err error) {
	r.m, err = loadManifest(r.dir)
	if err == nil && !hasManifest(r.dir) && len(segments) > 0 {
		err = fmt.Errorf("%s: %w: it is missing", filepath.Join(r.dir, manifestName), errManifest)
	}
	if !errors.Is(err, errManifest) {
		return err
	}
	lost := err
	path := filepath.Join(r.dir, manifestName)
	if r.m, err = readManifest(path + copySuffix); err == nil {
		r.log.Error().Err(lost).Msg("MANIFEST was missing or damaged and was restored from its copy; a damaged one is kept as MANIFEST.damaged")
	} else if errors.Is(err, errManifest) || errors.Is(err, fs.ErrNotExist) {
		r.log.Error().Err(lost).Msg("MANIFEST was missing or damaged and was rebuilt from the segments; a damaged one is kept as MANIFEST.damaged")
		r.m, err = r.rebuild(segments)
	}
	if err != nil {
		return err
	}
	if err := os.Rename(path, path+damagedSuffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return r.m.store(r.dir)
}

// tidy removes a file that an interrupted run had not finished, or had finished
// with: its events are elsewhere, which is verified, or had expired.
func (r *recovery) tidy(f segmentPath) error {
	if f.temporary {
		removeQuietly(f.path)
		return nil
	}
	if r.m.lists(f) {
		return nil
	}
	reason := r.elsewhere(f)
	switch {
	case reason != "":
		r.log.Info().Str("file", f.path).Str("reason", reason).Msg("removed a file that interrupted work left in the journal")
		removeQuietly(f.path)
		return nil
	case f.first >= r.m.Next && len(r.wals) > 0:
		// The name may be needed for what can be read of the wal files.
		r.log.Error().Str("file", f.path+damagedSuffix).Msg("MANIFEST does not list a segment, and the wal files do not have all of its events; the file was renamed and is not read; run nullspf log check")
		return os.Rename(f.path, f.path+damagedSuffix)
	default:
		r.log.Warn().Str("file", f.path).Msg("MANIFEST does not list a segment of the journal; the file was left as it is and is not read; run nullspf log check")
		return nil
	}
}

// elsewhere says why a segment that is not listed holds nothing that could be
// missed, or "".
func (r *recovery) elsewhere(f segmentPath) string {
	switch {
	case f.last <= r.m.ExpiredLast:
		return "its events have expired"
	case r.inSegments(f):
		return "its events are in other segments"
	case r.inWALs(f):
		return "its events are in wal files"
	}
	return ""
}

// inSegments reports whether listed segments, which are verified, have all events
// of a file: it was joined with others, or was to be made of them.
func (r *recovery) inSegments(f segmentPath) bool {
	if r.m.lost(f.first, f.last) {
		return false
	}
	covered := r.m.holes(f.first, f.last)
	for i := range r.m.Segments {
		s := &r.m.Segments[i]
		if s.Last < f.first || s.First > f.last || !r.whole(s) {
			continue
		}
		if s.First <= f.first && f.last <= s.Last {
			return true
		}
		first, last := max(s.First, f.first), min(s.Last, f.last)
		covered += last - first + 1 - r.m.holes(first, last)
	}
	return covered == f.last-f.first+1
}

// whole reports whether a listed segment is what it was when it was written.
func (r *recovery) whole(s *Segment) bool {
	f, err := openSegment(r.dir, s)
	if err != nil {
		return false
	}
	defer f.close()
	return f.verify() == nil
}

// inWALs reports whether wal files, which are read, have all events of a file.
func (r *recovery) inWALs(f segmentPath) bool {
	next := f.first
	if next < r.m.Next {
		return false
	}
	for _, info := range r.wals {
		if info.end <= next {
			continue
		}
		if info.first > next || !wholeWAL(r.dir, info) {
			return false
		}
		if next = info.end; next > f.last {
			return true
		}
	}
	return false
}

// wholeWAL reports whether every block of a file can be read.
func wholeWAL(dir string, info walInfo) bool {
	w, err := openWAL(filepath.Join(dir, walDir, info.String()), info.walName)
	if err != nil {
		return false
	}
	defer w.Close()
	for next := info.first; ; {
		blk, err := w.next()
		if err == io.EOF {
			return w.damaged == 0
		}
		if err != nil || blk.first != next {
			return false
		}
		next += uint64(blk.count)
	}
}

// lists reports whether a file is one of the segments.
func (m *Manifest) lists(f segmentPath) bool {
	i, ok := slices.BinarySearchFunc(m.Segments, f.first, func(s Segment, first uint64) int { return cmp.Compare(s.First, first) })
	return ok && m.Segments[i].Last == f.last && m.Segments[i].Date == f.date && m.Segments[i].Edition == f.edition && m.Segments[i].Anonymous == f.anonymous
}

// inspectWALs finds out what an earlier run left. Where a file was not closed
// in order, its numbers end at its bound, or where the next file begins. It fails
// when a file is of a later version.
func inspectWALs(dir string, names []walName) ([]walInfo, error) {
	infos := make([]walInfo, len(names))
	for i, name := range names {
		info := walInfo{walName: name, end: name.first + walReserve}
		path := filepath.Join(dir, walDir, name.String())
		if w, err := openWAL(path, name); err == nil {
			info.end, info.size = w.header.bound, w.size
			if next, ok := w.trailer(); ok {
				info.end, info.inOrder = next, true
			}
			w.Close()
		} else if errors.Is(err, errWALVersion) {
			return nil, err
		} else if st, err := os.Stat(path); err == nil {
			info.size = st.Size()
		}
		if i+1 < len(names) {
			info.end = min(info.end, names[i+1].first)
		}
		infos[i] = info
	}
	return infos, nil
}
