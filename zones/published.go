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

// Published is a zone as the manifest of an output directory lists it.
type Published struct {
	// Name is without final dot.
	Name, Group string
	Serial      uint32
}

// PublishedZones returns the zones in the manifest of an output directory whose names
// begin with prefix, the first of them in byte order of the names, at most so many. It
// searches in the file, which it does not read whole. The error wraps fs.ErrNotExist
// when nothing was built there.
func PublishedZones(dir, prefix string, most int) ([]Published, error) {
	list, err := searchManifest(dir, prefix, most)
	if err != nil {
		return nil, fmt.Errorf("cannot read the manifest: %w", err)
	}
	return list, nil
}

// FindPublished returns the zone of a name, nil when the manifest has none.
func FindPublished(dir, name string) (*Published, error) {
	list, err := PublishedZones(dir, name, 1)
	if err != nil || len(list) == 0 || list[0].Name != name {
		return nil, err
	}
	return &list[0], nil
}

func searchManifest(dir, prefix string, most int) ([]Published, error) {
	f, info, err := files.Open(filepath.Join(dir, manifestFile))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	// From the first line that begins at this offset or later.
	var readErr error
	offset := sort.Search(int(info.Size()), func(offset int) bool {
		line, err := linesFrom(f, int64(offset), info.Size()).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			readErr = err
		}
		return err != nil || line >= prefix
	})
	if readErr != nil {
		return nil, readErr
	}
	var list []Published
	groups := make(map[string]string)
	for lines := linesFrom(f, int64(offset), info.Size()); len(list) < most; {
		line, err := lines.ReadString('\n')
		if errors.Is(err, io.EOF) || err == nil && !strings.HasPrefix(line, prefix) {
			break
		}
		if err != nil {
			return nil, err
		}
		e, err := parseManifestLine(line[:len(line)-1], groups)
		if err != nil {
			return nil, fmt.Errorf("%w: %q", err, shorten(line))
		}
		list = append(list, Published{e.name, e.group, e.serial})
	}
	return list, nil
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
