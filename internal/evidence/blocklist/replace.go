package blocklist

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"nullspf/internal/files"
)

// GrowthError is the refusal of a list with too many new addresses.
type GrowthError struct {
	// Path is the file, Growth how many entries it lacks, Cap how many it may lack.
	Path        string
	Growth, Cap int
}

// Error tells the way out.
func (e *GrowthError) Error() string {
	return fmt.Sprintf("the list would have %d addresses that %s lacks; more than evidence.cap, %d, need --allow-growth %d; look at some with nullspf log why",
		e.Growth, e.Path, e.Cap, e.Growth)
}

// Replace makes the file at path hold a list, whole, and tells how many entries it has
// and how many of them are new. More new ones than cap, unless allowed is their exact
// number, are refused with a *[GrowthError]; the file then stays as it was. Beside
// it is a file that is locked meanwhile, with the suffix ".lock".
func (f *Format) Replace(path string, l *List, cap, allowed int) (entries, growth int, err error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return 0, 0, fmt.Errorf("%s is a directory; name a file in it", path)
	}
	lock, err := files.Lock(path+".lock", 0o600)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, 0, fmt.Errorf("cannot write %s: there is no directory %s", path, filepath.Dir(path))
	}
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	text, entries := f.Bytes(l)
	mode := fs.FileMode(0o644)
	earlier, info, err := files.Open(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		growth, err = f.Growth(strings.NewReader(""), l)
	case err != nil:
		return 0, 0, fmt.Errorf("cannot read the list before: %w", err)
	default:
		defer earlier.Close()
		mode = info.Mode().Perm()
		growth, err = f.Growth(earlier, l)
	}
	if err != nil {
		return 0, 0, fmt.Errorf("%s is no list: %w; name another file", path, err)
	}
	if growth > cap && growth != allowed {
		return 0, 0, &GrowthError{path, growth, cap}
	}
	return entries, growth, files.Replace(path, text, files.Attributes{Mode: mode})
}
