package files

import (
	"os"

	"golang.org/x/sys/unix"
)

// SyncData writes a file's content to disk, and of its metadata only what is
// needed to read it.
func SyncData(f *os.File) error {
	for {
		if err := unix.Fdatasync(int(f.Fd())); err != unix.EINTR {
			return err
		}
	}
}

func syncFS(f *os.File) error { return unix.Syncfs(int(f.Fd())) }
