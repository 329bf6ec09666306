package secondary

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// syncFolder writes the file system that a folder is in to the disk.
func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(unix.Syncfs(int(f.Fd())), f.Close())
}
