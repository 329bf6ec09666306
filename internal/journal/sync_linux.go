package journal

import (
	"os"

	"golang.org/x/sys/unix"
)

// fdatasync brings a file's content to disk, and of its metadata only what is
// needed to read it.
func fdatasync(f *os.File) error {
	for {
		if err := unix.Fdatasync(int(f.Fd())); err != unix.EINTR {
			return err
		}
	}
}

// yieldToAnswers lowers the priority of the calling thread.
func yieldToAnswers() {
	// Without the permission, the priority stays as it is.
	_ = unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), 10)
}
