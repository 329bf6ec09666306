package journal

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestLossesSurviveKill: what a copy of a directory in use has, as after kill -9,
// knows of the losses up to a second before.
func TestLossesSurviveKill(t *testing.T) {
	t.Parallel()
	s := testSettings(t)
	j := mustOpen(t, s)
	long := &Packet{Name: make([]byte, 256)}
	lose := func(total uint64) {
		t.Helper()
		for j.Stats().Lost[LostInvalid] < total {
			j.Worker(0).Put(long)
		}
		for begin := time.Now(); readLost(s.Dir)[LostInvalid] != total; time.Sleep(10 * time.Millisecond) {
			if time.Since(begin) > 10*time.Second {
				t.Fatalf("LOST has %v, want %d", readLost(s.Dir), total)
			}
		}
	}
	lose(3)
	lose(7)
	text, err := os.ReadFile(filepath.Join(s.Dir, lostName))
	if err != nil {
		t.Fatal(err)
	}

	after := testSettings(t)
	if err := os.WriteFile(filepath.Join(after.Dir, lostName), text, 0o640); err != nil {
		t.Fatal(err)
	}
	k := mustOpen(t, after)
	if n := k.lostEver()[LostInvalid]; n != 7 {
		t.Errorf("the next run begins with %d", n)
	}
	k.Worker(0).Put(long)
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	if m, err := loadManifest(after.Dir); err != nil || m.Lost[LostInvalid] != 8 {
		t.Errorf("MANIFEST has %v, %v", m, err)
	}
	if err := writeLost(after.Dir, 1, Lost{LostInvalid: 9}); err != nil {
		t.Fatal(err)
	}
	v, err := Snapshot(after.Dir, ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	if v.Manifest.Lost[LostInvalid] != 9 {
		t.Errorf("a reader sees %v", v.Manifest.Lost)
	}
}

// TestDamagedLost: each bit of LOST, changed, costs at most the newer slot.
func TestDamagedLost(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for slot, n := range []uint64{5, 6} {
		if err := writeLost(dir, int64(slot), Lost{LostStalled: n}); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, lostName)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for bit := range 8 * len(whole) {
		text := append([]byte(nil), whole...)
		text[bit/8] ^= 1 << (bit % 8)
		if err := os.WriteFile(path, text, 0o640); err != nil {
			t.Fatal(err)
		}
		if lost := readLost(dir); lost != (Lost{LostStalled: 5}) && lost != (Lost{LostStalled: 6}) {
			t.Fatalf("bit %d: %v", bit, lost)
		}
	}
}
