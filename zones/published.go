package zones

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sort"
	"strings"

	"nullspf/internal/files"
)

// PublishedNames returns the names in the manifest of an output directory that
// begin with prefix, the first of them in byte order, at most so many. It
// searches in the file, which it does not read whole.
func PublishedNames(dir, prefix string, most int) ([]string, error) {
	f, info, err := files.Open(filepath.Join(dir, manifestFile))
	if err != nil {
		return nil, fmt.Errorf("cannot read the manifest: %w", err)
	}
	defer f.Close()
	// From the first line that begins at this offset or later.
	var readErr error
	offset := sort.Search(int(info.Size()), func(offset int) bool {
		name, err := nextName(linesFrom(f, int64(offset), info.Size()))
		if err != nil && !errors.Is(err, io.EOF) {
			readErr = err
		}
		return err != nil || name >= prefix
	})
	var names []string
	for lines := linesFrom(f, int64(offset), info.Size()); len(names) < most && readErr == nil; {
		name, err := nextName(lines)
		if err != nil && !errors.Is(err, io.EOF) {
			readErr = err
		}
		if err != nil || !strings.HasPrefix(name, prefix) {
			break
		}
		names = append(names, name)
	}
	if readErr != nil {
		return nil, fmt.Errorf("cannot read the manifest: %w", readErr)
	}
	return names, nil
}

// linesFrom reads from the first line that begins at an offset or later.
func linesFrom(f io.ReaderAt, offset, size int64) *bufio.Reader {
	if offset == 0 {
		return bufio.NewReader(io.NewSectionReader(f, 0, size))
	}
	r := bufio.NewReader(io.NewSectionReader(f, offset-1, size-offset+1))
	_, _ = r.ReadString('\n') // the next read has the same error
	return r
}

// nextName reads a line and returns the name in it.
func nextName(r *bufio.Reader) (string, error) {
	line, err := r.ReadString('\n')
	name, _, _ := strings.Cut(line, "\t")
	return name, err
}
