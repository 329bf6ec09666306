package journal

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"
)

// copyPart copies a file or directory as rsync does: what vanishes meanwhile is
// skipped, what is there already is replaced.
func copyPart(t *testing.T, from, to, part string) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(from, part), func(path string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(from, path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || d.IsDir() {
			return errors.Join(err, os.MkdirAll(filepath.Join(to, rel), 0o750))
		}
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return errors.Join(err, os.WriteFile(filepath.Join(to, rel), data, 0o640))
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestCopyWhileWriting copies a directory in the order that the manual gives: the
// copy holds everything that was stored before it began.
func TestCopyWhileWriting(t *testing.T) {
	t.Parallel()
	s := sealSoon(testSettings(t))
	j := mustOpen(t, s)
	var stop atomic.Bool
	done := make(chan int)
	go func() {
		id := 0
		for !stop.Load() {
			putAll(t, j, id+1, id+200)
			id += 200
			time.Sleep(time.Millisecond)
		}
		done <- id
	}()
	whole := 0
	enough := func() bool { return whole >= 10 && j.Stats().Segments > 3 }
	for deadline := time.Now().Add(time.Minute); !enough() && time.Now().Before(deadline); {
		before := j.Stats().Stored
		to := t.TempDir()
		copyPart(t, s.Dir, to, walDir)
		copyPart(t, s.Dir, to, segDir)
		copyPart(t, s.Dir, to, manifestName)
		copyPart(t, s.Dir, to, segDir)
		events, err := tryReadAll(to)
		if errors.Is(err, fs.ErrNotExist) {
			continue // a segment was joined in between
		}
		if err != nil {
			t.Fatal(err)
		}
		if uint64(len(events)) < before {
			t.Errorf("%d events in the copy, %d were stored before", len(events), before)
		}
		checkIDs(t, events, 1, len(events))
		whole++
	}
	stop.Store(true)
	<-done
	if !enough() {
		t.Errorf("%d copies were whole, %+v", whole, j.Stats())
	}
	t.Logf("%d copies", whole)
}
