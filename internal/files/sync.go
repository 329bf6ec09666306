package files

import (
	"errors"
	"fmt"
	"os"
)

// SyncDir writes the entries of a directory to disk: names of files that were
// made, renamed and removed, not their contents.
func SyncDir(dir string) error {
	return withDir(dir, (*os.File).Sync)
}

// SyncFS writes all data of the file system of dir to disk.
// For many files this costs less than an fsync each.
func SyncFS(dir string) error {
	return withDir(dir, syncFS)
}

func withDir(dir string, sync func(*os.File) error) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	if err := errors.Join(sync(f), f.Close()); err != nil {
		return fmt.Errorf("cannot write directory %s to disk: %w", dir, err)
	}
	return nil
}
