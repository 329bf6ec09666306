package zones

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"nullspf/internal/dnsname"
	"nullspf/internal/files"
)

// The directories and files of an output directory that this package owns.
const (
	zonesDir     = "zones"
	manifestFile = "manifest"
	// manifestMagic and a number begin a manifest in any other form than this
	// one, which has no such line.
	manifestMagic = "nullspf-manifest\t"
)

// manifestEntry is a line of the manifest: what a zone file holds.
//
//	name <tab> group <tab> serial <tab> content hash <newline>
type manifestEntry struct {
	name   string
	group  string
	serial uint32
	hash   Hash
}

// manifest is what the output directory held after the last complete run, in
// byte order of the names.
type manifest struct {
	entries []manifestEntry
	// written is the modification time of the file: a zone file that is not
	// older was changed after it.
	written time.Time
	// lost is set when there was no readable manifest; entries then come from
	// the zone files that were found.
	lost bool
}

// find returns the entry of a name, or nil.
func (m *manifest) find(name string) *manifestEntry {
	i, ok := slices.BinarySearchFunc(m.entries, name, func(e manifestEntry, n string) int { return cmp.Compare(e.name, n) })
	if !ok {
		return nil
	}
	return &m.entries[i]
}

// loadManifest reads the manifest of an output directory. Without one, or with a
// damaged one, the zone files themselves are listed.
func loadManifest(dir string) (*manifest, error) {
	path := filepath.Join(dir, manifestFile)
	text, err := files.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return surveyZones(dir)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the manifest: %w", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the manifest: %w", err)
	}
	m := &manifest{written: info.ModTime()}
	m.entries, err = parseManifest(text)
	if errors.Is(err, errLaterVersion) {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if err != nil {
		return surveyZones(dir)
	}
	return m, nil
}

func parseManifest(text []byte) ([]manifestEntry, error) {
	if err := checkVersion(text, manifestMagic, 0); err != nil {
		return nil, err
	}
	entries := make([]manifestEntry, 0, bytes.Count(text, []byte{'\n'}))
	groups := make(map[string]string)
	rest := string(text)
	for n := 1; rest != ""; n++ {
		line, after, whole := strings.Cut(rest, "\n")
		rest = after
		e, err := parseManifestLine(line, groups)
		if err != nil || !whole {
			return nil, fmt.Errorf("manifest:%d: not a line of a manifest: %q", n, shorten(line))
		}
		if n > 1 && entries[n-2].name >= e.name {
			return nil, fmt.Errorf("manifest:%d: %s is out of order", n, e.name)
		}
		entries = append(entries, e)
	}
	return entries, nil
}

var errManifestLine = errors.New("damaged line")

func parseManifestLine(line string, groups map[string]string) (e manifestEntry, err error) {
	name, rest, _ := strings.Cut(line, "\t")
	group, rest, _ := strings.Cut(rest, "\t")
	serial, sum, ok := strings.Cut(rest, "\t")
	n, perr := strconv.ParseUint(serial, 10, 32)
	if !ok || perr != nil || len(sum) != hex.EncodedLen(len(e.hash)) {
		return e, errManifestLine
	}
	// Files are removed by these names.
	if !dnsname.IsLDH(name) {
		return e, errManifestLine
	}
	for i := range e.hash {
		hi, lo := unhex(sum[2*i]), unhex(sum[2*i+1])
		if hi|lo > 0xf {
			return e, errManifestLine
		}
		e.hash[i] = hi<<4 | lo
	}
	interned, known := groups[group]
	if !known {
		interned = group
		groups[group] = group
	}
	e.name, e.group, e.serial = name, interned, uint32(n)
	return e, nil
}

func unhex(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	}
	return 0xff
}

// writeManifest writes the lines of a manifest.
func writeManifest(w *bufio.Writer, entries func(yield func(manifestEntry) bool)) error {
	var line []byte
	for e := range entries {
		line = append(append(line[:0], e.name...), '\t')
		line = append(append(line, e.group...), '\t')
		line = append(strconv.AppendUint(line, uint64(e.serial), 10), '\t')
		line = append(hex.AppendEncode(line, e.hash[:]), '\n')
		if _, err := w.Write(line); err != nil {
			return err
		}
	}
	return nil
}

// madeBy marks the first line of every zone file that this package wrote.
var madeBy = []byte("), written by nullspf:")

// surveyZones stands in for a lost manifest: it lists the zone files that
// this package wrote. Their groups and hashes are unknown, which makes every
// zone's file be read and compared.
func surveyZones(dir string) (*manifest, error) {
	m := &manifest{lost: true}
	found, err := os.ReadDir(filepath.Join(dir, zonesDir))
	if errors.Is(err, fs.ErrNotExist) {
		return m, nil
	}
	if err != nil {
		return nil, fmt.Errorf("the manifest is lost, and the zone files cannot be listed: %w", err)
	}
	for _, d := range found {
		name := zoneOfFile(d.Name())
		if !dnsname.IsLDH(name) || !d.Type().IsRegular() || ZoneFile(name) != d.Name() {
			continue
		}
		file, err := readZoneFile(filepath.Join(dir, zonesDir, d.Name()))
		if err != nil {
			return nil, err
		}
		first, _, _ := bytes.Cut(file, []byte{'\n'})
		if serial, ok := readSerial(file, name); ok && bytes.Contains(first, madeBy) {
			m.entries = append(m.entries, manifestEntry{name: name, serial: serial})
		}
	}
	slices.SortFunc(m.entries, func(a, b manifestEntry) int { return cmp.Compare(a.name, b.name) })
	return m, nil
}

// findStrays returns the zone files that a killed run had put in place for
// zones that neither the manifest nor the set has. That a run was killed shows
// in the stage that it left.
func findStrays(dir string, set *Set, m *manifest) ([]string, error) {
	if _, err := os.Stat(filepath.Join(dir, stageDir)); err != nil {
		return nil, nil
	}
	survey, err := surveyZones(dir)
	if err != nil {
		return nil, err
	}
	var strays []string
	for _, e := range survey.entries {
		if set.Find(e.name) == nil && m.find(e.name) == nil {
			strays = append(strays, filepath.Join(dir, zonesDir, ZoneFile(e.name)))
		}
	}
	return strays, nil
}

// readZoneFile reads a zone file of a bounded size.
func readZoneFile(path string) ([]byte, error) {
	f, info, err := files.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info.Size() > maxZoneFile {
		return nil, fmt.Errorf("%s: the file has %d bytes and was not written by nullspf; move it away", path, info.Size())
	}
	return io.ReadAll(io.LimitReader(f, maxZoneFile))
}

// ReadSerials returns the serial numbers of the manifest of an output directory.
// The error wraps fs.ErrNotExist when nothing was built there.
func ReadSerials(dir string) (func(name string) (serial uint32, ok bool), error) {
	text, err := files.ReadFile(filepath.Join(dir, manifestFile))
	if err != nil {
		return nil, fmt.Errorf("cannot read the manifest: %w", err)
	}
	entries, err := parseManifest(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	m := &manifest{entries: entries}
	return func(name string) (uint32, bool) {
		e := m.find(name)
		if e == nil {
			return 0, false
		}
		return e.serial, true
	}, nil
}
