package peers

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// Unprivileged runs a function that opens files as a user who is not root; it
// must not leave that to other goroutines.
func Unprivileged(f func()) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const nobody = 65534
	if before, err := unix.SetfsuidRetUid(nobody); err == nil {
		defer func() { _, _ = unix.SetfsuidRetUid(before) }()
	}
	f()
}
