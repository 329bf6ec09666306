//go:build !linux

package secondary

import (
	"errors"
	"os"
)

// syncFolder writes the names of the files in a folder to the disk.
func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
