package journal

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
)

// walDir and segDir are the folders of wal files and of segments.
const (
	walDir = "journal"
	segDir = "seg"
)

// walInfo is a wal file in the folder.
type walInfo struct {
	walName
	// end is the sequence number behind the file's last, as far as is known:
	// between the last and end there is no event.
	end  uint64
	size int64
	// inOrder: end follows the last event directly.
	inOrder bool
}

// walList is the list of wal files, shared by writer and sealer.
type walList struct {
	mu sync.Mutex
	// closed are in order of their sequence numbers.
	closed []walInfo
	// active is the one being written.
	active *walInfo
}

func (l *walList) add(name walName, size int64) {
	l.mu.Lock()
	l.active = &walInfo{walName: name, size: size}
	l.mu.Unlock()
}

func (l *walList) setActive(size int64) {
	l.mu.Lock()
	l.active.size = size
	l.mu.Unlock()
}

// closeActive: the active file is complete; end follows its last event.
func (l *walList) closeActive(end uint64, size int64) {
	l.mu.Lock()
	l.active.end, l.active.size, l.active.inOrder = end, size, true
	l.closed = append(l.closed, *l.active)
	l.active = nil
	l.mu.Unlock()
}

// sealable returns the closed files.
func (l *walList) sealable() []walInfo {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.closed)
}

// drop forgets a closed file.
func (l *walList) drop(name walName) {
	l.mu.Lock()
	l.closed = slices.DeleteFunc(l.closed, func(w walInfo) bool { return w.walName == name })
	l.mu.Unlock()
}

// size returns the number of files and their octets.
func (l *walList) size() (n int, bytes int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n = len(l.closed)
	for _, w := range l.closed {
		bytes += w.size
	}
	if l.active != nil {
		n++
		bytes += l.active.size
	}
	return n, bytes
}

// listWALs returns the wal files of a folder in order of their sequence
// numbers. A folder without any is no error.
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

// removeQuietly removes a file that nothing refers to. What stays is removed
// by the next Open, or reported by CheckDir.
func removeQuietly(path string) { _ = os.Remove(path) }
