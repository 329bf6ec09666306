package journal

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// Worker takes the events of one goroutine. Its methods must not be called
// concurrently.
type Worker struct {
	ring ring
	lost [reasons]atomic.Uint64
	j    *Journal
	// durable is the position in the ring up to which events are on disk.
	durable atomic.Uint64
	// undurable is the position up to which events were written when a sync
	// failed last.
	undurable atomic.Uint64
}

// errNotDurable is returned by [Worker.Flush] when events are not known to be
// on disk.
var errNotDurable = errors.New("events are not on disk yet")

// Put copies a packet into the ring. It neither waits nor allocates. False: the
// event is lost, and counted by reason. The event reaches the writer with the
// next Commit.
func (w *Worker) Put(p *Packet) bool {
	if len(p.Name) > maxName {
		w.lost[LostInvalid].Add(1)
		return false
	}
	if w.ring.put(p) {
		return true
	}
	w.ring.publish()
	w.lost[w.j.lossReason()].Add(1)
	return false
}

// Commit hands what was put to the writer. It neither waits nor allocates. A
// worker calls it once a batch, before it sends the answers.
func (w *Worker) Commit() { w.ring.publish() }

// Flush commits and waits until everything that was put is on disk. It returns
// an error that wraps [errNotDurable] after [Settings.FlushTimeout], and at
// once while the journal cannot write: answers must go on. The events are not
// lost by that; they are stored as soon as it is possible.
func (w *Worker) Flush() error {
	w.Commit()
	err := w.wait(w.ring.head)
	if err != nil {
		w.j.flushFailures.Add(1)
	}
	return err
}

// wait waits until everything before a position in the ring is on disk.
func (w *Worker) wait(target uint64) error {
	if w.durable.Load() >= target && w.undurable.Load() < target {
		return nil
	}
	if reason, ok := w.j.trouble(); ok {
		return fmt.Errorf("%w: %s", errNotDurable, reason)
	}
	timeout := time.NewTimer(w.j.settings.FlushTimeout)
	defer timeout.Stop()
	for {
		synced := w.j.syncer.done()
		if w.undurable.Load() >= target {
			return fmt.Errorf("%w: %s", errNotDurable, LostIOError)
		}
		if w.durable.Load() >= target {
			return nil
		}
		wake(w.j.writer.wake)
		select {
		case <-synced:
		case <-timeout.C:
			return fmt.Errorf("%w: the disk took longer than %s", errNotDurable, w.j.settings.FlushTimeout)
		}
	}
}

// wake fills a channel of capacity 1.
func wake(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
