package journal

import (
	"sync"
	"time"
)

const (
	monitorEvery = 200 * time.Millisecond
	// stallAfter is how long a system call may take before the disk counts as
	// stalled.
	stallAfter = time.Second
)

// monitor notices that writer or syncer hang in a system call.
func (j *Journal) monitor(stop <-chan struct{}) {
	ticker := time.NewTicker(monitorEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-stop:
			return
		}
		now := j.elapsed()
		stalled := false
		for _, since := range []int64{j.writer.busy.Load(), j.syncer.busy.Load()} {
			stalled = stalled || since != 0 && now-time.Duration(since) > stallAfter
		}
		if j.stalled.Swap(stalled) != stalled {
			if stalled {
				j.log.Error().Msg("the disk of the journal does not answer; events wait in memory, answers go on")
			} else {
				j.log.Info().Msg("the disk of the journal answers again")
			}
		}
		j.losses.note(now, j.lostEver())
	}
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
