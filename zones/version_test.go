package zones

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestLaterVersion: what a later version wrote is neither read nor replaced,
// nor taken for damage.
func TestLaterVersion(t *testing.T) {
	for file, text := range map[string]string{
		"manifest": "nullspf-manifest\t1\tx\n",
		"parked":   "nullspf-parked\t3\tx\n",
		".retired": "nullspf-manifest\t7\n",
	} {
		dir := t.TempDir()
		set := readSet(t, "a.example\n")
		build(t, set, dir, Options{})
		path := filepath.Join(dir, file)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := NewPlan(context.Background(), set, dir, Options{Scheme: DateSerial, Now: day("2026-11-20")})
		if !errors.Is(err, errLaterVersion) || !strings.HasPrefix(err.Error(), path+": written by a later version of nullspf, in version ") {
			t.Errorf("%s: %v", file, err)
		}
		if got := readFile(t, dir, file); got != text {
			t.Errorf("%s was overwritten: %q", file, got)
		}
	}
	for _, text := range []string{"", "nullspf-parked", "nullspf-parked\t", "nullspf-parked\t1\tx", "nullspf-parked\t0", "nullspf-parked\t99999999999999999999\t"} {
		if err := checkVersion([]byte(text), parkedMagic, parkedVersion); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestLinkInPlaceOfAZone: a symbolic link is replaced by the zone file, its
// target is left alone, and the zone gets a new serial number, because a server
// may have loaded the target.
func TestLinkInPlaceOfAZone(t *testing.T) {
	for name, target := range map[string]string{
		"own file moved away": "", "no target": "none", "a file of somebody": "hosts\n", "a device": "/dev/zero",
		"a later zone": "@ IN SOA a. b. 2040010100 1 1 1 1\n",
	} {
		dir, elsewhere := t.TempDir(), filepath.Join(t.TempDir(), "target")
		set := readSet(t, "a.example\n")
		build(t, set, dir, Options{})
		path := filepath.Join(dir, "zones", "a.example.zone")
		before := readFile(t, dir, "zones/a.example.zone")
		switch {
		case target == "":
			target = before
			if err := os.Rename(path, elsewhere); err != nil {
				t.Fatal(err)
			}
		case target[0] == '/':
			elsewhere = target
		case target != "none":
			if err := os.WriteFile(elsewhere, []byte(target), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(removeFile(path), os.Symlink(elsewhere, path)); err != nil {
			t.Fatal(err)
		}
		want := uint32(2026112001)
		if strings.Contains(target, "2040") {
			want = 2040010101
		}
		wantChanges(t, build(t, set, dir, Options{}), []Change{{"a.example", "generic", Restored, 2026112000, want}})
		if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() {
			t.Errorf("%s: the zone file is %v, %v", name, info.Mode(), err)
		}
		if target == "none" || target == elsewhere {
			continue
		}
		if text, err := os.ReadFile(elsewhere); err != nil || string(text) != target {
			t.Errorf("%s: the target is %q, %v", name, text, err)
		}
	}
}
