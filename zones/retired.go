package zones

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"nullspf/internal/files"
	"nullspf/internal/serial"
)

// retiredFile holds, in the form of the manifest, what the zones had that were
// removed: a zone that comes back goes on from its last serial number, because
// a secondary may still have it.
const retiredFile = ".retired"

// loadRetired reads the retired zones of an output directory.
func loadRetired(dir string) (*manifest, error) {
	text, err := files.ReadFile(filepath.Join(dir, retiredFile))
	if errors.Is(err, fs.ErrNotExist) {
		return &manifest{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the serial numbers of removed zones: %w", err)
	}
	entries, err := parseManifest(text)
	if errors.Is(err, errLaterVersion) {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, retiredFile), err)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w; remove the file if no secondary still has removed zones", filepath.Join(dir, retiredFile), err)
	}
	return &manifest{entries: entries}, nil
}

// writeRetired writes the retired zones as they are after the plan. A run that was
// killed has retired zones that its manifest does not know of: those are removed once
// more, and the newest serial number counts.
func (p *Plan) writeRetired(w *bufio.Writer, _ uint32) error {
	retired := slices.DeleteFunc(slices.Clone(p.retired.entries), func(e manifestEntry) bool { return p.set.Find(e.name) != nil })
	for _, e := range p.removed {
		if p.old.lost {
			e.group = "-" // a survey of zone files does not tell
		}
		retired = append(retired, e)
	}
	slices.SortStableFunc(retired, func(a, b manifestEntry) int { return strings.Compare(a.name, b.name) })
	one := retired[:0]
	for _, e := range retired {
		if last := len(one) - 1; last < 0 || one[last].name != e.name {
			one = append(one, e)
		} else if serial.Greater(e.serial, one[last].serial) {
			one[last] = e
		}
	}
	return writeManifest(w, slices.Values(one))
}
