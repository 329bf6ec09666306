package evidence

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"nullspf/internal/peers"
)

// TestBeginWithFullDisk: an import that finds no room for its directory leaves nothing, so
// that the next one can begin.
func TestBeginWithFullDisk(t *testing.T) {
	t.Parallel()
	full := peers.Mount(t, "mount -t tmpfs -o size=64k tmpfs DIR")
	mine := filepath.Join(full, "mine")
	if err := os.Mkdir(mine, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{filepath.Join(full, "new"), mine} {
		// What is left has room for none, one and both copies of MANIFEST.
		for free := range 3 {
			filler := filepath.Join(full, "filler")
			if err := os.WriteFile(filler, make([]byte, (16-free)*4096), 0o600); err != nil {
				t.Fatal(err)
			}
			i := newImport(t, copyOf(t, "bind-querylog.txt"))
			i.Dir = dir
			if _, err := i.Run(t.Context()); !errors.Is(err, syscall.ENOSPC) {
				t.Fatalf("%d pages: %v", free, err)
			}
			entries, err := os.ReadDir(dir)
			if len(entries) > 0 || errors.Is(err, os.ErrNotExist) != (dir != mine) {
				t.Fatalf("%d pages: %v, %v", free, entries, err)
			}
			if err := os.Remove(filler); err != nil {
				t.Fatal(err)
			}
		}
	}
}
