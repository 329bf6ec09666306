package journal

import "golang.org/x/sys/unix"

// yieldToAnswers lowers the priority of the calling thread.
func yieldToAnswers() {
	// Without the permission, the priority stays as it is.
	_ = unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), 10)
}
