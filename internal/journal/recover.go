package journal

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/rs/zerolog"

	"nullspf/internal/eventrow"
)

// recoverDir reads a folder as an earlier run left it, however that ended, and
// removes what is left of work under way.
func recoverDir(dir string, log zerolog.Logger) (*Manifest, []walInfo, error) {
	files, err := listSegments(dir)
	if err != nil {
		return nil, nil, err
	}
	m, err := loadManifest(dir)
	if err == nil && len(files) > 0 && !hasManifest(dir) {
		err = fmt.Errorf("%w: it is missing", errManifest)
	}
	if errors.Is(err, errManifest) {
		log.Error().Err(err).Msg("MANIFEST is made anew from the segments; a damaged one is kept as MANIFEST.damaged")
		m, err = rebuildManifest(dir, files)
	}
	if err != nil {
		return nil, nil, err
	}
	names, err := listWALs(dir)
	if err != nil {
		return nil, nil, err
	}
	wals := inspectWALs(dir, names)
	for _, f := range files {
		switch {
		case f.temporary, m.explains(f, wals):
			removeQuietly(f.path)
		case !m.lists(f):
			log.Warn().Str("file", f.path).Msg("the journal holds a segment that MANIFEST does not list; it is left alone and not read")
		}
	}
	return m, wals, nil
}

// lists reports whether a file is one of the segments.
func (m *Manifest) lists(f segmentPath) bool {
	i, ok := slices.BinarySearchFunc(m.Segments, f.first, func(s Segment, first uint64) int { return cmp.Compare(s.First, first) })
	return ok && m.Segments[i].Last == f.last && m.Segments[i].Date == f.date
}

// explains reports whether a segment that is not listed holds nothing that
// could be missed: it was expired, or it was joined or to be joined with
// others, or its events are still in wal files.
func (m *Manifest) explains(f segmentPath, wals []walInfo) bool {
	if m.lists(f) {
		return false
	}
	if f.last <= m.ExpiredLast {
		return true
	}
	if f.first >= m.Next {
		next := m.Next
		for _, w := range wals {
			if w.first <= next {
				next = max(next, w.end)
			}
		}
		return f.last < next
	}
	covered := m.holes(f.first, f.last)
	for i := range m.Segments {
		s := &m.Segments[i]
		if s.First <= f.first && f.last <= s.Last {
			return true
		}
		if f.first <= s.First && s.Last <= f.last {
			covered += s.Last - s.First + 1 - m.holes(s.First, s.Last)
		}
	}
	return covered == f.last-f.first+1
}

// rebuildManifest makes a manifest of the segments that are there. Where one
// contains another, it was made of it.
func rebuildManifest(dir string, files []segmentPath) (*Manifest, error) {
	path := filepath.Join(dir, manifestName)
	if err := os.Rename(path, path+damagedSuffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	files = slices.Clone(files)
	slices.SortFunc(files, func(a, b segmentPath) int {
		return cmp.Or(cmp.Compare(a.first, b.first), cmp.Compare(b.last, a.last))
	})
	m := &Manifest{Next: 1}
	for _, f := range files {
		if f.temporary || f.first < m.Next {
			continue
		}
		s, gaps, err := describeSegment(f)
		if err != nil {
			return nil, err
		}
		if s == nil {
			continue
		}
		m.addGap(m.Next, s.First-1, GapMissing)
		for _, g := range gaps {
			m.addGap(g.First, g.Last, g.Reason)
		}
		m.Segments = append(m.Segments, *s)
		m.Next = s.Last + 1
	}
	return m, m.store(dir)
}

// describeSegment reads what MANIFEST would say of a segment; nil for a file
// that is none.
func describeSegment(f segmentPath) (*Segment, []Gap, error) {
	file, err := os.Open(f.path)
	if err != nil {
		return nil, nil, err
	}
	defer file.Close()
	hash := sha256.New()
	size, err := io.Copy(hash, file)
	if err != nil {
		return nil, nil, err
	}
	s := &Segment{
		Date: f.date, First: f.first, Last: f.last, Bytes: size, SHA256: hex.EncodeToString(hash.Sum(nil)),
	}
	var gaps []Gap
	next := s.First
	opened := &SegmentFile{Segment: *s, f: file}
	err = opened.rows(0, func(rows []eventrow.Row) error {
		for i := range rows {
			ts, seq := rows[i].TS, uint64(rows[i].Seq)
			if s.Rows == 0 {
				s.MinTime, s.MaxTime = ts, ts
			}
			if seq < next || seq > s.Last {
				return errManifest
			}
			if seq > next {
				gaps = append(gaps, Gap{next, seq - 1, GapMissing})
			}
			next = seq + 1
			s.MinTime, s.MaxTime = min(s.MinTime, ts), max(s.MaxTime, ts)
			s.Rows++
		}
		return nil
	})
	if err != nil || next != s.Last+1 {
		return nil, nil, nil
	}
	return s, gaps, nil
}

// inspectWALs finds out what an earlier run left. Where a file was not closed
// in order, its numbers end at its bound, or where the next file begins.
func inspectWALs(dir string, names []walName) []walInfo {
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
		} else if st, err := os.Stat(path); err == nil {
			info.size = st.Size()
		}
		if i+1 < len(names) {
			info.end = min(info.end, names[i+1].first)
		}
		infos[i] = info
	}
	return infos
}
