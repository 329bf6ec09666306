package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Reason says why an event is lost: counted, but not stored.
type Reason uint8

// The reasons.
const (
	// LostRingFull: events came faster than they could be written.
	LostRingFull Reason = iota
	// LostDiskFull: no space, quota or permitted file size was left.
	LostDiskFull
	// LostReadOnly: the file system or directory does not permit writing.
	LostReadOnly
	// LostIOError: the disk or the file system failed otherwise.
	LostIOError
	// LostStalled: the disk did not answer.
	LostStalled
	// LostInvalid: the name was longer than 255 bytes.
	LostInvalid
	// LostShutdown: the journal was closed before the event could be written.
	LostShutdown

	reasons
)

// Reasons lists the reasons.
var Reasons = []Reason{LostRingFull, LostDiskFull, LostReadOnly, LostIOError, LostStalled, LostInvalid, LostShutdown}

var reasonNames = [reasons]string{"ring_full", "disk_full", "read_only", "io_error", "stalled", "invalid", "shutdown"}

// String returns the name of the reason, such as "ring_full".
func (r Reason) String() string {
	if r < reasons {
		return reasonNames[r]
	}
	return fmt.Sprintf("reason%d", uint8(r))
}

// parseReason returns the reason called s.
func parseReason(s string) (Reason, bool) {
	for r, name := range reasonNames {
		if s == name {
			return Reason(r), true
		}
	}
	return 0, false
}

// Lost counts lost events by reason.
type Lost [reasons]uint64

// classify gives the reason for which events are lost after an error.
func classify(err error) Reason {
	var errno unix.Errno
	switch {
	case errors.As(err, &errno) && (errno == unix.ENOSPC || errno == unix.EDQUOT || errno == unix.EFBIG):
		return LostDiskFull
	case errors.As(err, &errno) && errno == unix.EROFS, errors.Is(err, fs.ErrPermission):
		return LostReadOnly
	}
	return LostIOError
}

// lossWatch remembers when events were lost.
type lossWatch struct {
	mu     sync.Mutex
	last   Lost
	began  bool
	losses []loss
}

type loss struct {
	at     time.Duration
	events uint64
	reason Reason
}

// note takes the counts of lost events at a time.
func (l *lossWatch) note(now time.Duration, lost Lost) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.began && lost != l.last {
		for r := range lost {
			if n := lost[r] - l.last[r]; n > 0 {
				l.losses = append(l.losses, loss{now, n, Reason(r)})
			}
		}
	}
	l.began, l.last = true, lost
	for len(l.losses) > 0 && now-l.losses[0].at > recentLoss {
		l.losses = l.losses[1:]
	}
}

// recent sums up the losses of the last minute.
func (l *lossWatch) recent(now time.Duration) (events uint64, reason Reason) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, x := range l.losses {
		if now-x.at <= recentLoss {
			events += x.events
			reason = x.reason
		}
	}
	return events, reason
}
