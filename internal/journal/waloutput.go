package journal

import (
	"io"
	"os"

	"nullspf/internal/files"
)

// walOutput is the file to which the writer appends.
type walOutput interface {
	io.Writer
	// Sync writes everything to disk (fdatasync).
	Sync() error
	Truncate(size int64) error
	Close() error
}

// osFile is a walOutput on a file system.
type osFile struct{ *os.File }

func (f osFile) Sync() error { return files.SyncData(f.File) }

// createWAL makes a file that does not exist yet.
func createWAL(path string) (walOutput, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o640)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}
