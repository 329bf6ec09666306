package journal

import (
	"slices"
	"sync"
)

// walInfo is a wal file in the directory.
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

// writing reports whether a file is being written.
func (l *walList) writing() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.active != nil
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

// size returns the number of files and their bytes.
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
