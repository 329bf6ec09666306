package journal

import "time"

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
		_ = j.contain("the monitor", j.observe)
	}
}

// observe looks once.
func (j *Journal) observe() error {
	now := j.elapsed()
	stalled := false
	for _, since := range []int64{j.writer.busy.Load(), j.syncer.busy.Load()} {
		stalled = stalled || since != 0 && now-time.Duration(since) > stallAfter
	}
	if j.stalled.Swap(stalled) != stalled {
		if stalled {
			j.log.Error().Msg("the disk of the journal does not respond; events wait in memory and queries are still answered; check the disk")
		} else {
			j.log.Info().Msg("the disk of the journal responds again")
		}
	}
	j.losses.note(now, j.lostEver())
	return nil
}
