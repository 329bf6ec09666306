package journal

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The directory is removed, moved away, or loses its lock: that is noticed
// within a second, the next events are stored, and nobody else may write there.
func TestDirectoryRemoved(t *testing.T) {
	t.Parallel()
	for name, remove := range map[string]func(dir string) error{
		"removed": os.RemoveAll,
		"moved":   func(dir string) error { return os.Rename(dir, dir+".old") },
		"emptied": func(dir string) error {
			return errors.Join(os.RemoveAll(filepath.Join(dir, walDir)), os.RemoveAll(filepath.Join(dir, segDir)), os.Remove(filepath.Join(dir, lockName)))
		},
		"lock":     func(dir string) error { return os.Remove(filepath.Join(dir, lockName)) },
		"segments": func(dir string) error { return os.RemoveAll(filepath.Join(dir, segDir)) },
		"wal":      func(dir string) error { return os.RemoveAll(filepath.Join(dir, walDir)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := testSettings(t)
			s.Dir = filepath.Join(s.Dir, "var")
			s.SegmentAge = 100 * time.Millisecond
			j := mustOpen(t, s)
			putAll(t, j, 1, 2000)
			waitUntil(t, "events are sealed", func() bool { return j.Stats().Sealed > 0 })
			putAll(t, j, 2001, 2100)
			waitUntil(t, "all is stored", func() bool { return j.Stats().Pending == 0 })
			if err := remove(s.Dir); err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			waitUntil(t, "it is noticed", func() bool {
				err := j.Health()
				return err != nil && strings.Contains(err.Error(), "was removed or replaced")
			})
			if took := time.Since(start); took > time.Second {
				t.Errorf("noticed after %v", took)
			}
			waitUntil(t, "it is made anew", func() bool { _, failing := j.trouble(); return j.removed.Load() != 0 && !failing })
			if _, err := Open(s); !errors.Is(err, errLocked) {
				t.Errorf("a second journal: %v", err)
			}
			putAll(t, j, 2101, 2200)
			waitUntil(t, "all is stored again", func() bool { return j.Stats().Pending == 0 })
			waitUntil(t, "all is sealed", func() bool { return j.Stats().WALFiles == 0 })
			mustClose(t, j)
			mustClose(t, mustOpen(t, s))
			events := readAll(t, s.Dir)
			switch name {
			case "lock":
				checkIDs(t, events, 1, 2200)
			case "segments", "wal":
				// What was in the other directory is there still.
				if len(events) <= 100 || len(events) >= 2200 {
					t.Fatalf("%d events", len(events))
				}
				checkIDs(t, events[len(events)-100:], 2101, 2200)
			default:
				checkIDs(t, events, 2101, 2200)
			}
			checkClean(t, s.Dir)
		})
	}
}

// Another journal in the place of the directory is left alone.
func TestDirectoryTaken(t *testing.T) {
	t.Parallel()
	s := testSettings(t)
	s.Dir = filepath.Join(s.Dir, "var")
	other := s
	other.Dir += ".other"
	second := mustOpen(t, other)
	putAll(t, second, 1, 10)
	mustClose(t, second)
	j := mustOpen(t, s)
	putAll(t, j, 11, 20)
	waitUntil(t, "all is stored", func() bool { return j.Stats().Pending == 0 })
	if err := errors.Join(os.Rename(s.Dir, s.Dir+".old"), os.Rename(other.Dir, s.Dir)); err != nil {
		t.Fatal(err)
	}
	waitUntil(t, "it is noticed", func() bool {
		err := j.Health()
		return err != nil && strings.Contains(err.Error(), "io_error") && strings.Contains(err.Error(), "another journal")
	})
	putAll(t, j, 21, 30)
	// A second nullspfd may write there, and then keeps the first one out.
	second = mustOpen(t, s)
	waitUntil(t, "the other is noticed", func() bool {
		err := j.Health()
		return err != nil && strings.Contains(err.Error(), errLocked.Error())
	})
	mustClose(t, second)
	if err := j.Close(); err == nil || !strings.Contains(err.Error(), "10 events could not be written") {
		t.Errorf("closing: %v", err)
	}
	checkIDs(t, readAll(t, s.Dir), 1, 10)
	checkIDs(t, readAll(t, s.Dir+".old"), 11, 20)
}
