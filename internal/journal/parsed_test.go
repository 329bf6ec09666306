package journal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"sync"
	"testing"
	"time"

	"nullspf/internal/eventrow"
)

// age makes all files of a directory an hour old.
func age(t *testing.T, dir string) {
	t.Helper()
	old := time.Now().Add(-time.Hour)
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		return os.Chtimes(path, old, old)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// sealedOf reads all segments of a view.
func sealedOf(v *View) (rows []eventrow.Row, err error) {
	for _, s := range v.Segments() {
		err := s.EachBatch(func(batch []eventrow.Row) error {
			for i := range batch {
				rows = append(rows, batch[i].Clone())
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return rows, nil
}

// TestParsed: views share what was parsed of a file for as long as it does not change.
func TestParsed(t *testing.T) {
	t.Parallel()
	s := sealSoon(testSettings(t))
	j := mustOpen(t, s)
	putAll(t, j, 1, 40)
	waitUntil(t, "all is sealed", func() bool { return j.Stats().SegmentEvents == 40 && j.Stats().WALFiles == 0 })
	mustClose(t, j)
	m, err := loadManifest(s.Dir)
	if err != nil {
		t.Fatal(err)
	}
	// The first segment has a summary.
	if err := writeSummary(s.Dir, &m.Segments[0]); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(s.Dir, filepath.FromSlash(m.Segments[0].Path()))
	age(t, s.Dir)
	view := func(p *Parsed) *View {
		t.Helper()
		v, err := Snapshot(s.Dir, ReadOptions{Parsed: p})
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	plain := view(nil)
	defer plain.Close()
	want, err := sealedOf(plain)
	if err != nil || len(want) != 40 {
		t.Fatal(len(want), err)
	}

	var p Parsed
	var views []*View
	for range 4 {
		views = append(views, view(&p))
	}
	var reading sync.WaitGroup
	for _, v := range views {
		reading.Go(func() {
			if got, err := sealedOf(v); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%v: %d rows", err, len(got))
			}
			if v.Segments()[0].Summary() == nil {
				t.Error("no summary")
			}
		})
	}
	reading.Wait()
	first := views[0].Segments()[0]
	footer, summary := first.File, first.Summary()
	for _, v := range views[1:] {
		if s := v.Segments()[0]; s.File != footer || s.Summary() != summary {
			t.Error("a view has its own")
		}
	}
	// The last one to leave closes the files.
	for i, v := range views {
		if got, err := sealedOf(v); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("view %d: %v", i, err)
		}
		if err := v.Close(); err != nil {
			t.Error(err)
		}
	}
	if n := len(p.segments.files); n != len(m.Segments) {
		t.Errorf("%d segments of %d are kept", n, len(m.Segments))
	}
	for id, k := range p.segments.files {
		if k.users != 0 || k.file != nil {
			t.Errorf("%+v is open", id)
		}
	}
	again := view(&p)
	if got, err := sealedOf(again); err != nil || !reflect.DeepEqual(got, want) || again.Segments()[0].File != footer {
		t.Errorf("from what was kept: %v", err)
	}
	again.Close()

	// Whoever copies another content of the same size and time into a file changes it nevertheless.
	if runtime.GOOS != "linux" {
		return
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte{0xff, 0xff, 0xff, 0xff}, 100); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	age(t, s.Dir)
	changed := view(&p)
	defer changed.Close()
	if _, err := sealedOf(changed); err == nil {
		t.Error("a changed file was taken for the one that was parsed")
	}
}

// TestParsedIsNotKept: of files that may change without a sign, and of damaged ones, nothing is kept.
func TestParsedIsNotKept(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	var s shelf[int]
	if s.use(path, "") != nil || s.use(path+"x", "") != nil {
		t.Error("kept")
	}
	age(t, filepath.Dir(path))
	k := s.use(path, "")
	failed := errors.New("damaged")
	for range 2 {
		if _, err := k.get(func(io.ReaderAt) (int, int64, error) { return 0, 1, failed }); err != failed {
			t.Error(err)
		}
	}
	if k.leave(); len(s.files) != 0 || s.size != 0 {
		t.Errorf("%d files of %d bytes are kept", len(s.files), s.size)
	}
}

// TestParsedIsLeft: a segment that cannot be read is tried again, and is open no longer than its view.
func TestParsedIsLeft(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "segment"+segmentSuffix)
	if err := os.WriteFile(path, []byte("no segment"), 0o600); err != nil {
		t.Fatal(err)
	}
	age(t, filepath.Dir(path))
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	var p Parsed
	s := &SegmentFile{Segment: Segment{Bytes: 10}, f: f, verified: true, parsed: &p}
	for range 2 {
		if s.load() == nil {
			t.Error("read")
		}
	}
	if err := s.close(); err != nil {
		t.Error(err)
	}
	if n := len(p.segments.files); n != 0 {
		t.Errorf("%d files are in use", n)
	}
}

// TestParsedIsBounded: what is in use can be read, even when others have taken its place.
func TestParsedIsBounded(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var s shelf[string]
	var all []*shelved[string]
	for i := range 20 {
		path := filepath.Join(dir, fmt.Sprint(i))
		if err := os.WriteFile(path, []byte(path), 0o600); err != nil {
			t.Fatal(err)
		}
		age(t, dir)
		k := s.use(path, "")
		all = append(all, k)
		got, err := k.get(func(r io.ReaderAt) (string, int64, error) { return path, maxShelf / 5, nil })
		if err != nil || got != path {
			t.Error(got, err)
		}
		if s.size > maxShelf || len(s.files) > 5 || s.files[k.id] != k {
			t.Errorf("%d files of %d bytes are kept", len(s.files), s.size)
		}
	}
	for i, k := range all {
		b := make([]byte, 4096)
		n, err := k.ReadAt(b, 0)
		if err != io.EOF || string(b[:n]) != filepath.Join(dir, fmt.Sprint(i)) {
			t.Errorf("%d: %q, %v", i, b[:n], err)
		}
		if k.leave(); k.file != nil {
			t.Error("open")
		}
	}
}
