package nameserver

import (
	"time"

	"golang.org/x/sys/unix"
)

const (
	// gatherTime is how long messages may gather. The kernel adds the timer slack of
	// the thread, 50 us unless something else is said (prctl(2) PR_SET_TIMERSLACK).
	gatherTime = 50 * time.Microsecond
	// gatherFrom is the time between two messages below which they gather. Where the
	// processor that answers also takes packets from the interface, messages wait for it
	// anyway, and to sleep for fewer costs more than to be woken.
	gatherFrom = 15 * time.Microsecond
	// gatherSpan is how long messages are counted, so that a burst among few is none.
	gatherSpan = 4 * time.Millisecond
	// gatherUpTo is the number of messages of a batch from which on waiting saves
	// nothing.
	gatherUpTo = batchSize / 2
)

// gatherer decides whether a worker waits a moment before it receives. To be woken
// for every few messages costs more than to take what has come meanwhile: many
// messages gather for [gatherTime], a few are answered at once.
type gatherer struct {
	// begin is when count messages began to come.
	begin time.Time
	count int
	// fast: those that were counted before came fast; gather: also those that
	// were received last were few.
	fast, gather bool
}

// received notes that n messages were received.
func (g *gatherer) received(n int, now time.Time) {
	g.count += n
	if took := now.Sub(g.begin); took >= gatherSpan {
		g.fast = took < time.Duration(g.count)*gatherFrom
		g.begin, g.count = now, 0
	}
	g.gather = g.fast && n < gatherUpTo
}

// wait lets messages gather.
func (g *gatherer) wait() {
	if g.gather {
		// time.Sleep takes a millisecond or more where nothing else runs. When a
		// signal ends it early, nothing is lost.
		_ = unix.Nanosleep(&unix.Timespec{Nsec: int64(gatherTime)}, nil)
	}
}
