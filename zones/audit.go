package zones

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"nullspf/internal/files"
	"nullspf/internal/value"
)

// Audit reads everything that an output directory holds and returns what is not
// as the manifest says: zone files that are missing or were changed, and files
// among them that are not zones of the manifest. It does not compare the
// directory with the lists; see [NewPlan] for that.
func Audit(ctx context.Context, dir string, progress func(done, total int)) ([]string, error) {
	text, err := files.ReadFile(filepath.Join(dir, manifestFile))
	if errors.Is(err, fs.ErrNotExist) {
		return []string{dir + " has no manifest: nothing was built there yet"}, nil
	}
	if err != nil {
		return nil, err
	}
	entries, err := parseManifest(text)
	if errors.Is(err, errLaterVersion) {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, manifestFile), err)
	}
	if err != nil {
		return []string{filepath.Join(dir, err.Error()) + "; `nullspf zones` makes a new manifest from the zone files"}, nil
	}
	var mu sync.Mutex
	var faults []string
	err = eachChunk(ctx, len(entries), progress, func() func(i int) error {
		return func(i int) error {
			if fault := auditZone(dir, &entries[i]); fault != "" {
				mu.Lock()
				faults = append(faults, fault)
				mu.Unlock()
			}
			return nil
		}
	})
	if err != nil {
		return nil, err
	}
	m := manifest{entries: entries}
	found, err := os.ReadDir(filepath.Join(dir, zonesDir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, d := range found {
		if name := zoneOfFile(withoutServerSuffix(d.Name())); m.find(name) == nil {
			faults = append(faults, value.Visible(filepath.Join(dir, zonesDir, d.Name()))+" belongs to no published zone; remove it")
		}
	}
	return faults, nil
}

// withoutServerSuffix takes off what BIND appends to the name of a zone file
// for the files that it keeps beside it: journals and the signed zone.
func withoutServerSuffix(file string) string {
	for _, suffix := range []string{".jnl", ".jbk", ".signed"} {
		file = strings.TrimSuffix(file, suffix)
	}
	return file
}

// auditZone holds a zone file against its line of the manifest and returns
// what is wrong, or "".
func auditZone(dir string, e *manifestEntry) string {
	path := filepath.Join(dir, zonesDir, ZoneFile(e.name))
	file, err := readZoneFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return path + " is missing; `nullspf zones` restores it"
	}
	if err != nil {
		return err.Error()
	}
	serial, start, end, ok := findSerial(file)
	if !ok || contentHash(file, start, end) != e.hash {
		return path + " was changed by somebody else; `nullspf zones` restores it"
	}
	if serial != e.serial {
		return fmt.Sprintf("%s has serial %d, the manifest %d; `nullspf zones` corrects it", path, serial, e.serial)
	}
	return ""
}
