package named

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"nullspf/internal/serial"
)

// Journal is a journal of BIND next to a zone file that it does not fit. BIND
// keeps journals of zones that it signs and of those with ixfr-from-differences.
// When the file changes by more than one version while named is not running, the
// journal no longer leads to it, and named refuses to load the zone ("journal out
// of sync with zone"). A zone that BIND signs has two: that of the zone file, and
// that of the signed zone, which no longer fits when named was stopped before it
// had written the signed zone.
type Journal struct {
	Zone string
	// Path is that of the journal.
	Path string
	// Signed is set for the journal of the signed zone.
	Signed bool
	// First and Last are the serial numbers that the journal covers. File is that
	// of the file from which BIND starts: the zone file, or the signed zone when it
	// exists and the journal is its.
	First, Last, File uint32
	// published is the greatest serial number that BIND can have published, when
	// Signed.
	published uint32
}

func (j Journal) String() string {
	return fmt.Sprintf("%s covers the serial numbers %d to %d, the zone file has %d: BIND refuses to load the zone when it starts; run nullspf apply",
		j.Path, j.First, j.Last, j.File)
}

// What BIND appends to the name of a zone file.
const (
	journalSuffix = ".jnl"
	signedSuffix  = ".signed"
)

// StaleJournals returns the journals in the output directory that do not fit
// their zone files, sorted. Those that BIND has not updated since the files were
// written, because it has not been told yet, are among them.
func StaleJournals(output string) ([]Journal, error) {
	dir, err := os.Open(filepath.Join(output, "zones"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	var stale []Journal
	for _, name := range names {
		name, ok := strings.CutSuffix(name, journalSuffix)
		if !ok {
			continue
		}
		name, signed := strings.CutSuffix(name, signedSuffix)
		zone, ok := strings.CutSuffix(name, ".zone")
		if !ok {
			continue
		}
		if j, ok := readJournal(dir.Name(), zone, signed); ok && !j.fits() {
			stale = append(stale, j)
		}
	}
	slices.SortFunc(stale, func(a, b Journal) int {
		return cmp.Or(strings.Compare(a.Zone, b.Zone), strings.Compare(a.Path, b.Path))
	})
	return stale, nil
}

// fits reports whether BIND finds its way from the zone file to the end of the
// journal.
func (j *Journal) fits() bool {
	return !serial.Greater(j.File, j.Last) && !serial.Greater(j.First, j.File)
}

// readJournal reads the serial numbers of a zone's journal, or of that of the
// signed zone, and of its file; ok is false when one of them is missing or not
// what it should be.
func readJournal(dir, zone string, signed bool) (j Journal, ok bool) {
	file := filepath.Join(dir, zone+".zone")
	j = Journal{Zone: zone, Path: journalPath(dir, zone, signed), Signed: signed}
	head := make([]byte, 32)
	if f, err := os.Open(j.Path); err != nil {
		return j, false
	} else {
		_, err = io.ReadFull(f, head)
		f.Close()
		if err != nil {
			return j, false
		}
	}
	// 16 bytes that name format and version, then serial number and offset of the
	// first and the last version (lib/dns/journal.c of BIND).
	if !bytes.HasPrefix(head, []byte(";BIND LOG V9")) {
		return j, false
	}
	j.First, j.Last = binary.BigEndian.Uint32(head[16:]), binary.BigEndian.Uint32(head[24:])
	j.published = j.Last
	if signed {
		// Without it, BIND begins with the zone file.
		if n, err := rawSerial(file + signedSuffix); !errors.Is(err, fs.ErrNotExist) {
			j.File = n
			if serial.Greater(n, j.Last) {
				j.published = n
			}
			return j, err == nil
		}
	}
	j.File, ok = soaSerial(file)
	return j, ok
}

func journalPath(dir, zone string, signed bool) string {
	path := filepath.Join(dir, zone+".zone")
	if signed {
		path += signedSuffix
	}
	return path + journalSuffix
}

// soaSerial reads the serial number from a zone file of nullspf, whose SOA record
// is on one line.
func soaSerial(file string) (uint32, bool) {
	f, err := os.Open(file)
	if err != nil {
		return 0, false
	}
	defer f.Close()
	lines := bufio.NewScanner(io.LimitReader(f, 4096))
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		if i := slices.Index(words, "SOA"); i >= 0 && len(words) > i+3 {
			n, err := strconv.ParseUint(words[i+3], 10, 32)
			return uint32(n), err == nil
		}
	}
	return 0, false
}
