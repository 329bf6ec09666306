package journal

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"nullspf/internal/files"
)

// walDir and segDir are the directories of wal files and of segments.
const (
	walDir = "journal"
	segDir = "seg"
)

const lockName = ".lock"

const (
	walSuffix     = ".wal"
	damagedSuffix = ".damaged"
)

// walName is the name of a wal file: what is known of a file without reading
// it.
type walName struct {
	first, key uint64
}

func (n walName) String() string { return fmt.Sprintf("%020d-%016x%s", n.first, n.key, walSuffix) }

// parseWALName reads the name of a file in the directory journal.
func parseWALName(name string) (n walName, ok bool) {
	base, found := strings.CutSuffix(name, walSuffix)
	first, key, dash := strings.Cut(base, "-")
	if !found || !dash {
		return n, false
	}
	var err1, err2 error
	n.first, err1 = strconv.ParseUint(first, 10, 64)
	n.key, err2 = strconv.ParseUint(key, 16, 64)
	return n, err1 == nil && err2 == nil && n.first > 0 && n.String() == name
}

// listWALs returns the wal files of a directory in order of their sequence
// numbers. A directory without any is not an error.
func listWALs(dir string) ([]walName, error) {
	entries, err := os.ReadDir(filepath.Join(dir, walDir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var names []walName
	for _, e := range entries {
		if n, ok := parseWALName(e.Name()); ok {
			names = append(names, n)
		}
	}
	slices.SortFunc(names, func(a, b walName) int {
		return cmp.Or(cmp.Compare(a.first, b.first), cmp.Compare(a.key, b.key))
	})
	return names, nil
}

const (
	datePrefix    = "date="
	segmentSuffix = ".parquet"
	anonymousMark = "-anonymous"
)

// Path is relative to the directory, with slashes.
func (s *Segment) Path() string {
	name := fmt.Sprintf("%020d-%020d", s.First, s.Last)
	if s.Edition > 0 {
		name += "-" + strconv.Itoa(s.Edition)
	}
	if s.Anonymous {
		name += anonymousMark
	}
	return path.Join(segDir, datePrefix+s.Date, name+segmentSuffix)
}

// parseSegmentName reads the name of a segment file, which has First, Last, Edition and
// Anonymous.
func parseSegmentName(name string) (s Segment, ok bool) {
	base, found := strings.CutSuffix(name, segmentSuffix)
	base, s.Anonymous = strings.CutSuffix(base, anonymousMark)
	a, b, dash := strings.Cut(base, "-")
	b, c, rewritten := strings.Cut(b, "-")
	if !found || !dash || len(a) != 20 || len(b) != 20 {
		return s, false
	}
	var err1, err2 error
	s.First, err1 = strconv.ParseUint(a, 10, 64)
	s.Last, err2 = strconv.ParseUint(b, 10, 64)
	if rewritten {
		var err error
		if s.Edition, err = strconv.Atoi(c); err != nil || s.Edition < 1 || strconv.Itoa(s.Edition) != c {
			return s, false
		}
	}
	return s, err1 == nil && err2 == nil && s.First > 0 && s.First <= s.Last
}

// parseDateDir reads the day in the name of a directory of segments.
func parseDateDir(name string) (date string, ok bool) {
	date, found := strings.CutPrefix(name, datePrefix)
	return date, found && validDate(date)
}

func validDate(date string) bool {
	_, err := time.Parse(time.DateOnly, date)
	return err == nil
}

// segmentPath is a file found below the directory seg.
type segmentPath struct {
	path        string
	date        string
	first, last uint64
	edition     int
	anonymous   bool
	temporary   bool
}

// listSegments returns the files in the directory seg whose names are those of
// segments or of work under way.
func listSegments(dir string) ([]segmentPath, error) {
	root := filepath.Join(dir, segDir)
	entries, err := os.ReadDir(root)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var found []segmentPath
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), files.TemporarySuffix) {
			found = append(found, segmentPath{path: filepath.Join(root, e.Name()), temporary: true})
			continue
		}
		date, ok := parseDateDir(e.Name())
		if !ok {
			continue
		}
		day, err := os.ReadDir(filepath.Join(root, e.Name()))
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			return nil, err
		}
		for _, e := range day {
			if s, ok := parseSegmentName(e.Name()); ok {
				path := filepath.Join(root, datePrefix+date, e.Name())
				found = append(found, segmentPath{path: path, date: date, first: s.First, last: s.Last, edition: s.Edition, anonymous: s.Anonymous})
			}
		}
	}
	return found, nil
}

// removeQuietly removes a file that nothing refers to. What stays is removed
// by the next Open, or reported by CheckDir.
func removeQuietly(path string) { _ = os.Remove(path) }

// quarantinedFile is a file that was quarantined because of damage.
type quarantinedFile struct {
	path    string
	size    int64
	changed time.Time
}

// listQuarantined returns the wal files and segments that were quarantined, the oldest
// first.
func listQuarantined(dir string) ([]quarantinedFile, error) {
	var list []quarantinedFile
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if e.IsDir() || filepath.Dir(path) == filepath.Clean(dir) || !strings.HasSuffix(path, damagedSuffix) {
			return nil
		}
		if info, err := e.Info(); err == nil {
			list = append(list, quarantinedFile{path, info.Size(), info.ModTime()})
		}
		return nil
	})
	slices.SortFunc(list, func(a, b quarantinedFile) int {
		return cmp.Or(a.changed.Compare(b.changed), cmp.Compare(a.path, b.path))
	})
	return list, err
}

// segmentStrays returns what is in the directory seg and is neither of segments nor of work
// under way.
func segmentStrays(dir string) (strays []string, err error) {
	root := filepath.Join(dir, segDir)
	err = filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist), err == nil && path == root:
			return nil
		case err != nil:
			return err
		}
		name := e.Name()
		_, day := parseDateDir(name)
		segment := name
		if base, found := strings.CutSuffix(name, summarySuffix); found {
			segment = base + segmentSuffix
		}
		_, ok := parseSegmentName(segment)
		switch {
		case strings.HasSuffix(name, files.TemporarySuffix), strings.HasSuffix(name, damagedSuffix), name == recentName && filepath.Dir(path) == root:
			return nil
		case day && e.IsDir() && filepath.Dir(path) == root, ok && !e.IsDir() && filepath.Dir(path) != root:
			return nil
		}
		strays = append(strays, path)
		if e.IsDir() {
			return fs.SkipDir
		}
		return nil
	})
	return strays, err
}
