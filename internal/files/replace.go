package files

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// TemporarySuffix ends the names of files that Replace has not put in place.
const TemporarySuffix = ".tmp"

// Attributes are what a file has besides its content.
type Attributes struct {
	// Mode holds whatever the umask is.
	Mode fs.FileMode
}

// Replace makes the file at path hold data, whole and on disk: by a temporary
// file beside it, fsync, rename, and fsync of the directory. Until the rename
// an error, or the end of the process, leaves what was there; a symbolic link
// is replaced, not followed. The temporary file is path and [TemporarySuffix]:
// what a killed process left there is overwritten, and those who may replace
// the same file at once exclude each other, by [Lock].
func Replace(path string, data []byte, a Attributes) error {
	temporary := path + TemporarySuffix
	if err := writeTemporary(temporary, data, a); err != nil {
		return err
	}
	if err := os.Rename(temporary, path); err != nil {
		return errors.Join(err, os.Remove(temporary))
	}
	return SyncDir(filepath.Dir(path))
}

// writeTemporary writes a new file and syncs it, or leaves none.
func writeTemporary(path string, data []byte, a Attributes) (err error) {
	// Not truncated: whoever may write to the directory could have put a link
	// there.
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, a.Mode&0o600)
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, f.Close())
		if err != nil {
			err = errors.Join(err, os.Remove(path))
		}
	}()
	if _, err := f.Write(data); err != nil {
		return err
	}
	if err := f.Chmod(a.Mode); err != nil {
		return err
	}
	return f.Sync()
}
