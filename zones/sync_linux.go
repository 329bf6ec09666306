package zones

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// syncAll waits until all that was written to the file system of dir is on
// disk. One call costs less than an fsync a file.
func syncAll(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.Syncfs(int(f.Fd())); err != nil {
		return fmt.Errorf("cannot write %s to disk: %w", dir, err)
	}
	return nil
}
