package secondary

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"path/filepath"
	"time"

	"nullspf/internal/files"
	"nullspf/internal/zonestore"
)

// dating says by which clock the files of a store are dated, so that an age that
// only a wrong clock makes of them expires no zone:
//
//   - In the same boot of the machine the time since the boot, which nobody sets,
//     tells how far the time of day was set ahead since.
//   - In another boot there is no such time. But when the time of day lay before
//     times that it had shown already, it may have been behind, and the files may
//     be younger than they seem: they count as new.
//
// It is kept in the file "clock" of the store, one line:
//
//	NSPFCLK1 BOOT AHEAD LATEST CRC
//
// BOOT is the id of the boot, "-" if unknown; AHEAD how far the time of day was
// ahead of the time since the boot, and LATEST the latest time of day, both in
// nanoseconds; CRC is the CRC-32C of all before it, in hexadecimal.
type dating struct {
	boot   string
	ahead  time.Duration
	latest time.Time
	// behind: the time of day was before latest.
	behind bool
}

const (
	datingFile  = "clock"
	datingMagic = "NSPFCLK1"
	datingLine  = datingMagic + " %s %d %d %t"
	// noBoot stands for an unknown boot.
	noBoot = "-"
	// maxDating is more than a line has.
	maxDating = 256
)

var errDating = errors.New("it is not a line " + datingMagic + " with its checksum")

// dating returns what files are dated by now.
func (c *clock) dating(latest time.Time) dating {
	now := c.Now().Round(0)
	d := dating{boot: noBoot, latest: latest, behind: now.Before(latest.Add(-leastJump))}
	if now.After(latest) {
		d.latest = now
	}
	if c.Boot != nil {
		if id, age := c.Boot(); id != "" {
			d.boot, d.ahead = id, time.Duration(now.UnixNano())-age
		}
	}
	return d
}

// basis is what tells the age of a file.
type basis uint8

const (
	byDay     basis = iota // the time of day, which may be wrong
	byBoot                 // the time since the boot: the age is exact
	byNothing              // nothing: the file counts as new
)

// since returns what is to be added to the times of files that are dated by d,
// when clocks are like now, and what tells their age then.
func (d *dating) since(now *dating) (add time.Duration, b basis) {
	switch {
	case d.boot == now.boot && d.boot != noBoot:
		if add = now.ahead - d.ahead; add < leastJump {
			add = 0 // set back: what lies in the future counts as now
		}
		return add, byBoot
	case d.behind:
		return 0, byNothing
	}
	return 0, byDay
}

func (d *dating) line() []byte {
	line := fmt.Appendf(nil, datingLine, d.boot, int64(d.ahead), d.latest.UnixNano(), d.behind)
	return fmt.Appendf(line, " %08x\n", crc32.Checksum(line, castagnoli))
}

// readDating returns what the files of a store are dated by; nil without an error
// when that is not known.
func (s *store) readDating() (*dating, error) {
	path := filepath.Join(s.dir, datingFile)
	f, info, err := openStored(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	defer f.Close()
	text := make([]byte, min(info.Size(), maxDating))
	if _, err := f.ReadAt(text, 0); err != nil {
		return nil, err
	}
	var d dating
	var latest int64
	var sum uint32
	_, err = fmt.Sscanf(string(text), datingLine+" %x\n", &d.boot, &d.ahead, &latest, &d.behind, &sum)
	d.latest = time.Unix(0, latest)
	if err != nil || string(d.line()) != string(text) {
		return nil, fmt.Errorf("%s: %w", path, errDating)
	}
	return &d, nil
}

// writeDating replaces what is kept.
func (s *store) writeDating(d *dating) error {
	s.dirty.Store(true)
	return files.Replace(filepath.Join(s.dir, datingFile), d.line(), files.Attributes{Mode: 0o640})
}

// dates are of the store of a group. The lock of the schedule guards them, except
// while the zones are loaded.
type dates struct {
	// read: what was kept has been read; add is what times of files lack, and basis
	// what tells their age then.
	read  bool
	add   time.Duration
	basis basis
	// latest is the latest time of day that is known of.
	latest time.Time
	// due: the file is to be written, when all zones that are owed are.
	due bool
}

// readDates finds out by which clock the files of a store are dated.
func (k *keeper) readDates(st *store) {
	if st.dates.read {
		return
	}
	st.dates = dates{read: true, due: true}
	before, err := st.readDating()
	if err != nil {
		k.counts.storeErrors.Add(1)
		k.log.Warn().Err(err).Msg("by which clock the copies of zones are dated is not known; it is noted again")
	}
	if before == nil {
		return
	}
	st.dates.latest = before.latest
	now := k.clock.dating(before.latest)
	st.dates.add, st.dates.basis = before.since(&now)
	if st.dates.again() {
		k.log.Warn().Str("store", st.dir).Msg("the clock was wrong when copies of zones were dated; they are dated again, and none expires because of it")
	}
}

// again reports whether the files are to be dated again.
func (d *dates) again() bool { return d.add > 0 || d.basis == byNothing }

// restore makes a copy from the store, refreshed by the time of its file, the
// version of a new zone. It reports whether the file is to be dated again.
func (k *keeper) restore(z *zone, have *zonestore.Zone, refreshed time.Time, b *Bounds) (again bool) {
	d := &z.group.store.dates
	now := k.clock.now()
	at := k.clock.instant(refreshed.Add(d.add))
	again = d.again() || at > now
	if d.basis == byNothing || at > now {
		at = now
	}
	z.restore(have, at, now, b)
	z.filed = d.basis == byDay && !again
	return again
}

// datingDue has it noted by which clock the files of all stores are dated: the
// clock was set. The lock of the schedule is held.
func (k *keeper) datingDue(back bool) {
	for _, g := range k.schedule.groups {
		g.store.dates.due = true
		if back {
			g.store.dates.latest = time.Time{}
		}
	}
}

// date notes by which clock the files of stores are dated, where none waits to be
// dated again.
func (k *keeper) date(groups []*group) {
	for _, g := range groups {
		st := g.store
		k.schedule.mu.Lock()
		due, latest := st.dates.due, st.dates.latest
		for z := range k.unsaved {
			due = due && z.group.store != st
		}
		k.schedule.mu.Unlock()
		if !due {
			continue
		}
		now := k.clock.dating(latest)
		err := st.writeDating(&now)
		k.schedule.mu.Lock()
		st.dates.due, st.dates.latest = err != nil, now.latest
		k.schedule.mu.Unlock()
		if err != nil {
			k.counts.storeErrors.Add(1)
			k.log.Error().Err(err).Str("store", st.dir).Msg("by which clock the copies of zones are dated could not be noted; it is tried again")
		}
	}
}
