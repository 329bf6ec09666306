package peers

import (
	"encoding/binary"
	"errors"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// HoldOpen keeps everybody who opens a file waiting, as a slow file system would,
// until release is called (fanotify(7)). held is closed when somebody waits.
func HoldOpen(t TB, path string) (held <-chan struct{}, release func()) {
	t.Helper()
	fd, err := unix.FanotifyInit(unix.FAN_CLASS_CONTENT|unix.FAN_CLOEXEC|unix.FAN_NONBLOCK, unix.O_RDONLY|unix.O_CLOEXEC)
	if err == nil {
		err = unix.FanotifyMark(fd, unix.FAN_MARK_ADD, unix.FAN_OPEN_PERM, unix.AT_FDCWD, path)
		if err != nil {
			err = errors.Join(err, unix.Close(fd))
		}
	}
	if err != nil {
		Lack(t, "no opening of a file can be held: %v", err)
		return nil, func() {}
	}
	events := os.NewFile(uintptr(fd), "fanotify")
	waits, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		// struct fanotify_event_metadata, whose last words are a file descriptor and a
		// process ID. Closing the queue answers the event.
		var event [24]byte
		if n, err := events.Read(event[:]); err == nil && n == len(event) {
			_ = unix.Close(int(int32(binary.NativeEndian.Uint32(event[16:]))))
			close(waits)
		}
	}()
	release = sync.OnceFunc(func() {
		_ = events.Close()
		<-done
	})
	t.Cleanup(release)
	return waits, release
}
