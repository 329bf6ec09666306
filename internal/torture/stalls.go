package torture

import (
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Stalls measures, until stop is called, how long a process that has little to do waits on
// this machine for the processor and for a write: the longest time of all.
func Stalls(t testing.TB) (worst func() time.Duration, stop func()) {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "stalls"))
	if err != nil {
		t.Fatal(err)
	}
	var longest atomic.Int64
	end := make(chan bool)
	var done sync.WaitGroup
	done.Go(func() {
		const pause = 5 * time.Millisecond
		for last := time.Now(); ; {
			select {
			case <-end:
				return
			case <-time.After(pause):
			}
			if _, err := f.WriteAt(make([]byte, 4096), 0); err != nil {
				t.Error(err)
				return
			}
			now := time.Now()
			longest.Store(max(longest.Load(), int64(now.Sub(last)-pause)))
			last = now
		}
	})
	return func() time.Duration { return time.Duration(longest.Load()) }, func() {
		close(end)
		done.Wait()
		_ = f.Close()
	}
}
