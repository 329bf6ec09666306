package journal

import (
	"fmt"
	"slices"
	"sync"
)

// unreadable are the segments that were found damaged, or that the disk does not
// give. They are named, and left as they are.
type unreadable struct {
	mu   sync.Mutex
	list []unreadableSegment
}

type unreadableSegment struct {
	first uint64
	err   error
}

// add notes a segment by its first number; false when it is known.
func (u *unreadable) add(first uint64, err error) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if slices.ContainsFunc(u.list, func(s unreadableSegment) bool { return s.first == first }) {
		return false
	}
	u.list = append(u.list, unreadableSegment{first, err})
	return true
}

func (u *unreadable) has(first uint64) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.ContainsFunc(u.list, func(s unreadableSegment) bool { return s.first == first })
}

// forget drops what has expired.
func (u *unreadable) forget(last uint64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.list = slices.DeleteFunc(u.list, func(s unreadableSegment) bool { return s.first <= last })
}

func (u *unreadable) count() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.list)
}

// err names the first and tells how many more there are.
func (u *unreadable) err() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch n := len(u.list); n {
	case 0:
		return nil
	case 1:
		return u.list[0].err
	default:
		return fmt.Errorf("%w; and %d more", u.list[0].err, n-1)
	}
}
