package journal

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

// sealedDir makes a directory with three segments of ten events each, an hour
// apart, and returns their paths.
func sealedDir(t *testing.T) (s Settings, segments []string) {
	t.Helper()
	s = testSettings(t)
	for k := range 3 {
		j := mustOpen(t, sealSoon(s))
		for id := 10*k + 1; id <= 10*k+10; id++ {
			p := idPacket(id)
			p.Time += int64(24 * time.Hour * time.Duration(k))
			j.Put(p)
		}
		waitUntil(t, "all is sealed", func() bool { return j.Stats().SegmentEvents == uint64(10*k+10) })
		mustClose(t, j)
	}
	m, err := loadManifest(s.Dir)
	if err != nil || len(m.Segments) != 3 {
		t.Fatalf("%d segments, %v", len(m.Segments), err)
	}
	for i := range m.Segments {
		segments = append(segments, filepath.Join(s.Dir, filepath.FromSlash(m.Segments[i].Path())))
	}
	return s, segments
}

func overwrite(t *testing.T, path string, change func([]byte)) (before []byte) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before = bytes.Clone(data)
	change(data)
	if err := os.WriteFile(path, data, 0o640); err != nil {
		t.Fatal(err)
	}
	return before
}

func flipMiddle(b []byte) { b[len(b)/2] ^= 4 }

// logged opens and closes a journal and returns what it logged.
func logged(t *testing.T, s Settings) string {
	t.Helper()
	var log bytes.Buffer
	s.Logger = zerolog.New(&log)
	mustClose(t, mustOpen(t, s))
	return log.String()
}

// TestManifestFromItsCopy: a damaged MANIFEST costs nothing, not even counts.
func TestManifestFromItsCopy(t *testing.T) {
	t.Parallel()
	s, _ := sealedDir(t)
	want, err := loadManifest(s.Dir)
	if err != nil {
		t.Fatal(err)
	}
	overwrite(t, filepath.Join(s.Dir, manifestName), flipMiddle)
	if log := logged(t, s); !strings.Contains(log, "restored from its copy") {
		t.Errorf("log: %s", log)
	}
	got, err := loadManifest(s.Dir)
	if err != nil || !slices.Equal(got.Segments, want.Segments) || got.Age < want.Age {
		t.Errorf("%+v, %v", got, err)
	}
	checkIDs(t, readAll(t, s.Dir), 1, 30)
	checkClean(t, s.Dir)
}

// TestRebuildKeepsDamagedSegment: MANIFEST, its copy and a segment are damaged.
// The other segments are read, the damaged one is quarantined and named, and none
// of its numbers is used again.
func TestRebuildKeepsDamagedSegment(t *testing.T) {
	t.Parallel()
	for k := range 3 {
		s, segments := sealedDir(t)
		// The first page begins behind the magic.
		flipPage := func(b []byte) { b[100] ^= 4 }
		overwrite(t, filepath.Join(s.Dir, manifestName), flipMiddle)
		overwrite(t, filepath.Join(s.Dir, manifestName+copySuffix), flipMiddle)
		overwrite(t, segments[k], flipPage)
		damaged, err := os.ReadFile(segments[k])
		if err != nil {
			t.Fatal(err)
		}
		log := logged(t, s)
		if !strings.Contains(log, segments[k]+damagedSuffix) {
			t.Errorf("segment %d is not named: %s", k, log)
		}
		if kept, err := os.ReadFile(segments[k] + damagedSuffix); err != nil || !bytes.Equal(kept, damaged) {
			t.Errorf("segment %d was not kept: %v", k, err)
		}
		events := readAll(t, s.Dir)
		if len(events) != 20 {
			t.Fatalf("%d events", len(events))
		}
		r := checkClean(t, s.Dir)
		want := Gap{uint64(10*k + 1), uint64(10*k + 10), GapDamaged}
		if len(r.Gaps) != 1 || r.Gaps[0] != want {
			t.Errorf("gaps %v, want %v", r.Gaps, want)
		}
		j := mustOpen(t, s)
		j.Put(idPacket(31))
		mustClose(t, j)
		if events = readAll(t, s.Dir); events[20].Seq != 31 {
			t.Errorf("the next event is number %d", events[20].Seq)
		}
	}
}

// TestReadErrorIsNoAbsence: while the disk does not give a segment, nothing is
// made anew, moved or removed.
func TestReadErrorIsNoAbsence(t *testing.T) {
	t.Parallel()
	s, segments := sealedDir(t)
	overwrite(t, filepath.Join(s.Dir, manifestName), flipMiddle)
	overwrite(t, filepath.Join(s.Dir, manifestName+copySuffix), flipMiddle)
	// Reading a directory fails.
	aside := filepath.Join(t.TempDir(), "segment")
	if err := os.Rename(segments[1], aside); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(segments[1], 0o750); err != nil {
		t.Fatal(err)
	}
	before := listing(t, s.Dir)
	if _, err := Open(s); err == nil || !strings.Contains(err.Error(), segments[1]) {
		t.Errorf("Open: %v", err)
	}
	if after := listing(t, s.Dir); !slices.Equal(before, after) {
		t.Errorf("files before\n%v\nafter\n%v", before, after)
	}
	if err := os.Remove(segments[1]); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(aside, segments[1]); err != nil {
		t.Fatal(err)
	}
	logged(t, s)
	checkIDs(t, readAll(t, s.Dir), 1, 30)
	checkClean(t, s.Dir)
}

func listing(t *testing.T, dir string) (paths []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		paths = append(paths, path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

// TestUnlistedSegmentOutlivesItsWAL: the process ended between segment and
// MANIFEST, and the wal file is damaged since: the segment has what the file has
// no more.
func TestUnlistedSegmentOutlivesItsWAL(t *testing.T) {
	t.Parallel()
	s, _ := sealedDir(t)
	j := mustOpen(t, s)
	putAll(t, j, 31, 40)
	mustClose(t, j)
	unsealed := parts(t, s.Dir)
	j = mustOpen(t, sealSoon(s))
	waitUntil(t, "all is sealed", func() bool { return j.Stats().SegmentEvents == 40 })
	mustClose(t, j)
	s.Dir = assemble(t, only(parts(t, s.Dir), "seg/"), unsealed)
	wal := onlyWAL(t, s.Dir)
	overwrite(t, wal, func(b []byte) { b[bytes.Index(b, idLabel(35))] ^= 4 })
	log := logged(t, s)
	aside, err := listQuarantined(s.Dir)
	if err != nil || len(aside) != 1 || !strings.Contains(log, aside[0].path) {
		t.Errorf("quarantined: %v, %v; log %s", aside, err, log)
	}
}

// TestDamagedPart: parts of a joined segment, which a killed process had not
// removed yet, stay when the joined one is damaged.
func TestDamagedPart(t *testing.T) {
	t.Parallel()
	s, segments := sealedDir(t)
	old := parts(t, s.Dir)
	// Another day makes nothing of these join; so join by hand.
	m, err := loadManifest(s.Dir)
	if err != nil {
		t.Fatal(err)
	}
	w, err := newSegmentWriter(s.Dir)
	if err != nil {
		t.Fatal(err)
	}
	j := &Journal{settings: s}
	sealer := newSealer(j, m)
	for i := range m.Segments {
		if err := sealer.copySegment(w, &m.Segments[i], nil); err != nil {
			t.Fatal(err)
		}
	}
	joined, err := w.finish(0)
	if err != nil {
		t.Fatal(err)
	}
	m.Segments = []Segment{joined}
	if err := m.store(s.Dir); err != nil {
		t.Fatal(err)
	}
	whole := parts(t, s.Dir)
	overwrite(t, filepath.Join(s.Dir, filepath.FromSlash(joined.Path())), flipMiddle)
	logged(t, s)
	for _, path := range segments {
		if _, err := os.Stat(path); err != nil {
			t.Errorf("a part is lost: %v", err)
		}
	}
	// With the joined one whole, they go.
	s.Dir = assemble(t, whole, only(old, "seg/"))
	logged(t, s)
	files, err := listSegments(s.Dir)
	if err != nil || len(files) != 1 {
		t.Errorf("%v, %v", files, err)
	}
	checkIDs(t, readAll(t, s.Dir), 1, 30)
}

// TestQuarantinedUntilRetention: files that were quarantined go by age, are named
// when they do, and stay while the clock is not to be believed.
func TestQuarantinedUntilRetention(t *testing.T) {
	t.Parallel()
	s, segments := sealedDir(t)
	s.Retain = time.Hour
	var log bytes.Buffer
	s.Logger = zerolog.New(&log)
	aside := []string{segments[0] + damagedSuffix, filepath.Join(s.Dir, walDir, "x"+damagedSuffix)}
	for _, path := range aside {
		if err := os.WriteFile(path, []byte("x"), 0o640); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, time.Time{}, time.Now().Add(-2*time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	ahead := false
	j := &Journal{settings: s, log: s.Logger, opened: time.Now(), openedWall: time.Now()}
	j.SetLimits(Limits{s.MaxSize, s.Retain, s.RetainRaw})
	j.settings.Clock = func() time.Time {
		if ahead {
			return time.Now().AddDate(1, 0, 0)
		}
		return time.Now()
	}
	m, err := loadManifest(s.Dir)
	if err != nil {
		t.Fatal(err)
	}
	sealer := newSealer(j, m)
	ahead = true
	if err := sealer.retain(); err != nil {
		t.Fatal(err)
	}
	if list, err := listQuarantined(s.Dir); err != nil || len(list) != 2 {
		t.Errorf("with a clock that jumped: %v, %v", list, err)
	}
	ahead = false
	if err := sealer.retain(); err != nil {
		t.Fatal(err)
	}
	if list, err := listQuarantined(s.Dir); err != nil || len(list) != 0 {
		t.Errorf("%v, %v", list, err)
	}
	for _, path := range aside {
		if !strings.Contains(log.String(), path) {
			t.Errorf("%s is not named: %s", path, &log)
		}
	}
	if _, err := os.Stat(filepath.Join(s.Dir, walDir)); err != nil {
		t.Error(err)
	}
	checkIDs(t, readAll(t, s.Dir), 1, 30)
}
