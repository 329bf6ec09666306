package files

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// ErrLocked is returned by [Lock] when the file is locked already, by another
// process or by this one.
var ErrLocked = errors.New("locked by another process")

// Lock locks the file at path until the result is closed or the process ends.
// A missing file is made with the given mode, less the umask, and stays: it
// means nothing without its process. A symbolic link is not followed. On a
// file system that is read-only, a file that exists is locked.
func Lock(path string, mode fs.FileMode) (io.Closer, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|unix.O_NOFOLLOW, mode)
	if errors.Is(err, unix.EROFS) {
		f, err = os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW, 0)
	}
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("%s: %w", path, ErrLocked)
		}
		return nil, &os.PathError{Op: "flock", Path: path, Err: err}
	}
	return heldLock{f}, nil
}

// heldLock is a file that is locked.
type heldLock struct{ *os.File }

// Close unlocks the file first: a process that is being started at this moment
// holds the file open, and with it the lock, until it runs its program.
func (l heldLock) Close() error {
	return errors.Join(unix.Flock(int(l.Fd()), unix.LOCK_UN), l.File.Close())
}
