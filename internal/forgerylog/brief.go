package forgerylog

import (
	"os"
	"runtime"
	"runtime/debug"
)

// firstCollection is when the first garbage collection comes, as a part of 4 MB, the least heap of Go,
// in percent.
const firstCollection = 400

// Brief is for a process that asks about a few events and ends: its first garbage collection comes with 16 MB
// of heap instead of 4 MB, which such a question does not need, and the next ones as always. A
// variable GOGC in the environment prevails.
func Brief() {
	if os.Getenv("GOGC") != "" {
		return
	}
	usual := debug.SetGCPercent(firstCollection)
	// Whatever is not referred to is found to be so by the first collection.
	runtime.AddCleanup(new([2]*byte), func(percent int) { debug.SetGCPercent(percent) }, usual)
}
