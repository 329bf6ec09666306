//go:build unix && !linux

package files

import (
	"os"

	"golang.org/x/sys/unix"
)

// SyncData writes a file's content to disk.
func SyncData(f *os.File) error { return f.Sync() }

// syncFS starts to write all file systems to disk, and waits for it on systems
// whose sync(2) waits.
func syncFS(*os.File) error {
	_ = unix.Sync()
	return nil
}
