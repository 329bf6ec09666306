package forgerylog

import (
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

// TestBrief: only the first garbage collection comes later.
func TestBrief(t *testing.T) {
	t.Setenv("GOGC", "")
	const usual = 137
	before := debug.SetGCPercent(usual)
	defer debug.SetGCPercent(before)
	percent := func() int {
		p := debug.SetGCPercent(usual)
		debug.SetGCPercent(p)
		return p
	}
	Brief()
	runtime.GC()
	for tries := 0; percent() != usual; tries++ {
		if tries == 1000 {
			t.Fatal("collections stay rare")
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Setenv("GOGC", "50")
	if Brief(); percent() != usual {
		t.Error("GOGC does not prevail")
	}
}
