package named

import (
	"context"
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

// journals is what BIND keeps next to the zone files that a command makes it read.
type journals struct {
	command []string // rndc
	dir     string   // of the zone files
	zone    string   // "" for all
	view    string   // "" for none
	signed  bool     // BIND signs the zones
}

const (
	// journalWait is how long BIND may take, after a command, until its journals
	// begin to follow the zone files.
	journalWait = 2 * time.Second
	// loadWait is how long BIND may take, after a command that loads a zone, until
	// it has loaded the signed zone, which the command does not wait for.
	loadWait   = 10 * time.Second
	whyJournal = "the journal is out of sync with the zone"
)

// after makes up for zones that BIND has refused because of their journals. err
// is that of the command.
func (j *journals) after(ctx context.Context, err error, w io.Writer) error {
	switch {
	case j.zone == "" && err == nil:
		return j.healAll(ctx, w)
	case j.zone != "" && err == nil && j.signed:
		// BIND has read the zone file; it does not tell when it refuses the signed
		// zone. A command that cannot be asked does not spoil what has been done.
		if _, err := j.status(ctx, j.zone); notLoaded(err) {
			return j.heal(ctx, j.zone, false, w)
		}
	case j.zone != "" && err != nil && strings.Contains(err.Error(), "out of range"):
		return j.heal(ctx, j.zone, true, w)
	}
	return err
}

// heal removes the journals that keep a zone from being loaded, and loads it;
// refused is set when BIND has said that a journal does not fit. With its journal
// goes the signed zone: BIND then signs the zone file, whose serial number is
// above those of the journal, where an older signed zone would let it fall. Both
// go before BIND reads the zone file: when it has read that and refuses the signed
// zone, it does not load it before it is started again. Where the zone files are
// on another machine, BIND removes the journals itself; the serial number can then
// fall.
func (j *journals) heal(ctx context.Context, zone string, refused bool, w io.Writer) error {
	removed := 0
	remove := func(path string) error {
		err := os.Remove(path)
		if err == nil {
			removed++
			fmt.Fprintf(w, "rm %s  # %s\n", shellQuote(path), whyJournal)
		} else if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	unsigned, ok := readJournal(j.dir, zone, false)
	if refused || ok && !unsigned.fits() {
		if err := remove(unsigned.Path); err != nil {
			return err
		}
	}
	signed, err := j.refused(ctx, zone)
	if err != nil {
		return err
	}
	if signed != nil {
		if err := errors.Join(remove(signed.Path), remove(strings.TrimSuffix(signed.Path, journalSuffix))); err != nil {
			return err
		}
	}
	if refused && removed == 0 {
		if err := j.run(ctx, w, append([]string{"sync", "-clean"}, inView(zone, j.view)...)...); err != nil {
			return err
		}
	}
	if refused || removed > 0 {
		if err := j.run(ctx, w, append([]string{"reload"}, inView(zone, j.view)...)...); err != nil {
			return err
		}
	}
	return j.verify(ctx, zone, signed)
}

// refused returns the journal of a signed zone when it does not fit and BIND has
// not loaded the zone; of a zone that it has loaded, it has only not written the
// signed zone yet.
func (j *journals) refused(ctx context.Context, zone string) (*Journal, error) {
	signed, ok := readJournal(j.dir, zone, true)
	if !ok || signed.fits() {
		return nil, nil
	}
	if _, err := j.status(ctx, zone); !notLoaded(err) {
		return nil, err
	}
	return &signed, nil
}

// verify waits until BIND has loaded a zone; when the journal of the signed zone
// has been removed, until its serial number is above those that were published.
func (j *journals) verify(ctx context.Context, zone string, signed *Journal) error {
	for start := time.Now(); ; {
		now, err := j.status(ctx, zone)
		switch late := time.Since(start) > loadWait; {
		case err == nil && (signed == nil || serial.Greater(now, signed.published)):
			return nil
		case err == nil && late:
			return fmt.Errorf("the serial number of %s has fallen from %d to %d: secondaries keep the old zone until it is transferred anew (rndc retransfer), or the lists change",
				zone, signed.published, now)
		case err != nil && !notLoaded(err):
			return err
		case err != nil && late:
			return fmt.Errorf("BIND does not load %s, its log says why: if a journal is out of sync with the signed zone, stop named, remove %s and start named again",
				zone, journalPath(j.dir, zone, true))
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// status asks BIND about a zone, and returns the serial number of the signed zone,
// 0 when BIND does not sign it.
func (j *journals) status(ctx context.Context, zone string) (uint32, error) {
	text, err := j.step(append([]string{"zonestatus"}, inView(zone, j.view)...)...).output(ctx, stepTimeout)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(text) {
		if n, ok := strings.CutPrefix(line, "signed serial: "); ok {
			published, err := strconv.ParseUint(strings.TrimSpace(n), 10, 32)
			return uint32(published), err
		}
	}
	return 0, nil
}

// notLoaded reports whether an error of status says that BIND has not loaded the
// zone.
func notLoaded(err error) bool { return err != nil && strings.Contains(err.Error(), "not loaded") }

func (j *journals) step(words ...string) Step {
	return Step{Argv: append(slices.Clone(j.command), words...), Why: whyJournal}
}

func (j *journals) run(ctx context.Context, w io.Writer, words ...string) error {
	s := j.step(words...)
	if err := Show(w, []Step{s}, ""); err != nil {
		return err
	}
	_, err := s.output(ctx, stepTimeout)
	return err
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
	if len(stale) > maxRefresh {
		return j.healMany(ctx, stale, w)
	}
	// One by one, because only then BIND tells whether it loads a zone.
	names := make([]string, len(stale))
	for i, s := range stale {
		names[i] = s.Zone
	}
	names = slices.Compact(names)
	for i, zone := range names {
		if i == maxShown {
			fmt.Fprintf(w, "and %d more\n", len(names)-i)
			w = io.Discard
		}
		if err := j.heal(ctx, zone, false, w); err != nil {
			return err
		}
	}
	return nil
}

// healMany does what heal does with one command for all. Of the zones that BIND
// does not sign, it verifies the first maxRefresh.
func (j *journals) healMany(ctx context.Context, stale []Journal, w io.Writer) error {
	var removed []Journal
	for _, s := range stale {
		if !s.Signed {
			removed = append(removed, s)
			continue
		}
		signed, err := j.refused(ctx, s.Zone)
		if err != nil {
			return err
		}
		if signed != nil {
			removed = append(removed, *signed)
		}
	}
	if len(removed) == 0 {
		return nil
	}
	for _, s := range removed {
		paths := []string{s.Path}
		if s.Signed {
			paths = append(paths, strings.TrimSuffix(s.Path, journalSuffix))
		}
		for _, path := range paths {
			if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	fmt.Fprintf(w, "rm %s and %d more  # journals are out of sync with their zones\n", shellQuote(removed[0].Path), len(removed)-1)
	if err := j.run(ctx, w, "reload"); err != nil {
		return err
	}
	for i, s := range removed {
		var err error
		if s.Signed {
			err = j.verify(ctx, s.Zone, &s)
		} else if i < maxRefresh {
			err = j.verify(ctx, s.Zone, nil)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
