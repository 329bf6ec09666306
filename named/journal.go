package named

import (
	"bufio"
	"bytes"
	"context"
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
	"time"

	"nullspf/internal/serial"
)

// Journal is a journal of BIND next to a zone file that it does not fit. BIND
// keeps journals of zones that it signs and of those with ixfr-from-differences.
// When the file changes by more than one version while named is not running, the
// journal no longer leads to it, and named refuses to load the zone ("journal out
// of sync with zone").
type Journal struct {
	Zone string
	// Path is that of the journal.
	Path string
	// First and Last are the serial numbers that the journal covers, File is that
	// of the zone file.
	First, Last, File uint32
}

func (j Journal) String() string {
	return fmt.Sprintf("%s covers the serial numbers %d to %d, the zone file has %d: BIND refuses to load the zone when it starts; run nullspf apply",
		j.Path, j.First, j.Last, j.File)
}

// journalSuffix is what BIND appends to the name of a zone file.
const journalSuffix = ".jnl"

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
		zone, ok := strings.CutSuffix(name, ".zone"+journalSuffix)
		if !ok {
			continue
		}
		if j, ok := readJournal(dir.Name(), zone); ok && !j.fits() {
			stale = append(stale, j)
		}
	}
	slices.SortFunc(stale, func(a, b Journal) int { return strings.Compare(a.Zone, b.Zone) })
	return stale, nil
}

// fits reports whether BIND finds its way from the zone file to the end of the
// journal.
func (j *Journal) fits() bool {
	return !serial.Greater(j.File, j.Last) && !serial.Greater(j.First, j.File)
}

// readJournal reads the serial numbers of a zone's journal and of its file; ok is
// false when one of them is missing or not what it should be.
func readJournal(dir, zone string) (j Journal, ok bool) {
	file := filepath.Join(dir, zone+".zone")
	j = Journal{Zone: zone, Path: file + journalSuffix}
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
	j.File, ok = soaSerial(file)
	return j, ok
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

// journals is what BIND keeps next to the zone files that a command makes it read.
type journals struct {
	command []string // rndc
	dir     string   // of the zone files
	zone    string   // "" for all
	view    string   // "" for none
}

const (
	// journalWait is how long BIND may take, after a command, until its journals
	// begin to follow the zone files.
	journalWait = 2 * time.Second
	whyJournal  = "the journal is out of sync with the zone"
)

// after makes up for zones that BIND has refused because of their journals. err
// is that of the command.
func (j *journals) after(ctx context.Context, s Step, err error, w io.Writer) error {
	if j.zone == "" {
		if err != nil {
			return err
		}
		return j.healAll(ctx, w)
	}
	if err == nil || !strings.Contains(err.Error(), "out of range") {
		return err
	}
	return j.heal(ctx, j.zone, w)
}

// heal removes the journal of a zone that is not loaded, and loads it. Where the
// zone files are on another machine, BIND removes it itself, together with that of
// the signed zone, whose serial number can then fall.
func (j *journals) heal(ctx context.Context, zone string, w io.Writer) error {
	path := filepath.Join(j.dir, zone+".zone"+journalSuffix)
	switch err := os.Remove(path); {
	case err == nil:
		fmt.Fprintf(w, "rm %s  # %s\n", shellQuote(path), whyJournal)
	case !errors.Is(err, fs.ErrNotExist):
		return err
	default:
		if err := j.run(ctx, w, append([]string{"sync", "-clean"}, inView(zone, j.view)...)...); err != nil {
			return err
		}
	}
	return j.run(ctx, w, append([]string{"reload"}, inView(zone, j.view)...)...)
}

func (j *journals) run(ctx context.Context, w io.Writer, words ...string) error {
	s := Step{Argv: append(slices.Clone(j.command), words...), Why: whyJournal}
	if err := Show(w, []Step{s}, ""); err != nil {
		return err
	}
	return s.run(ctx, stepTimeout)
}

// healAll waits until BIND has brought its journals up to the zone files, which a
// command for all zones does not tell, and heals the zones where it has not.
func (j *journals) healAll(ctx context.Context, w io.Writer) error {
	stale, err := StaleJournals(filepath.Dir(j.dir))
	for last := time.Now(); err == nil && len(stale) > 0 && time.Since(last) < journalWait; {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(50 * time.Millisecond):
		}
		before := len(stale)
		if stale, err = StaleJournals(filepath.Dir(j.dir)); len(stale) < before {
			last = time.Now()
		}
	}
	if err != nil || len(stale) == 0 {
		return err
	}
	if len(stale) <= maxRefresh {
		// One by one, because only then BIND tells whether it loads a zone.
		for i, s := range stale {
			if i == maxShown {
				fmt.Fprintf(w, "and %d more\n", len(stale)-i)
				w = io.Discard
			}
			if err := j.heal(ctx, s.Zone, w); err != nil {
				return err
			}
		}
		return nil
	}
	for _, s := range stale {
		if err := os.Remove(s.Path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	fmt.Fprintf(w, "rm %s and %d more  # journals are out of sync with their zones\n", shellQuote(stale[0].Path), len(stale)-1)
	return j.run(ctx, w, "reload")
}
