package journal

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// walOutput is the file to which the writer appends.
type walOutput interface {
	io.Writer
	// Sync brings everything to disk (fdatasync).
	Sync() error
	Truncate(size int64) error
	Close() error
}

// osFile is a walOutput on a file system.
type osFile struct{ *os.File }

func (f osFile) Sync() error { return fdatasync(f.File) }

// createWAL makes a file that does not exist yet.
func createWAL(path string) (walOutput, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o640)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

// syncDir brings the entries of a folder to disk.
func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Sync(); err != nil {
		return fmt.Errorf("cannot bring the folder %s to disk: %w", dir, err)
	}
	return nil
}

// writeFile replaces a file as a whole: temporary file, fsync, rename, fsync
// of the folder.
func writeFile(path string, data []byte) (err error) {
	temporary := path + temporarySuffix
	f, err := os.OpenFile(temporary, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o640)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(temporary)
		}
	}()
	if _, err = f.Write(data); err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	if err = os.Rename(temporary, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

const temporarySuffix = ".tmp"
