package zones

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"nullspf/internal/files"
)

const lockFile = ".lock"

// errLocked is returned when another run works on the same output directory.
var errLocked = errors.New("another run is writing to this directory; wait until it has ended")

// Lock makes the output directory, when it is missing, and keeps other runs out
// of it until unlock is called or the process ends.
func Lock(dir string) (unlock func(), err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("cannot make the output directory: %w", err)
	}
	lock, err := files.Lock(filepath.Join(dir, lockFile), 0o644)
	if errors.Is(err, files.ErrLocked) {
		return nil, fmt.Errorf("%s: %w", dir, errLocked)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot lock the output directory: %w", err)
	}
	return func() { lock.Close() }, nil
}
