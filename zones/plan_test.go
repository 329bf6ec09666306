package zones

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"nullspf/internal/files"
	"nullspf/internal/peers"
)

func TestBuildFollowsTheList(t *testing.T) {
	dir := t.TempDir()
	got := build(t, readSet(t, "b.example\na.example\n"), dir, Options{})
	want := []Change{
		{"a.example", "generic", Added, 0, 2026112000},
		{"b.example", "generic", Added, 0, 2026112000},
	}
	wantChanges(t, got, want)
	wantChanges(t, build(t, readSet(t, "a.example\nb.example\n"), dir, Options{Now: day("2027-01-01")}), nil)

	wantChanges(t, build(t, readSet(t, "a.example\nc.example\n"), dir, Options{}), []Change{
		{"c.example", "generic", Added, 0, 2026112000},
		{"b.example", "generic", Removed, 2026112000, 0},
	})
	if _, err := os.Stat(filepath.Join(dir, "zones", "b.example.zone")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the removed zone's file: %v, want none", err)
	}
	lines := strings.Split(strings.TrimSpace(readFile(t, dir, "manifest")), "\n")
	if len(lines) != 2 || !strings.HasPrefix(lines[0], "a.example\tgeneric\t2026112000\t") {
		t.Errorf("manifest:\n%s", strings.Join(lines, "\n"))
	}
	left, _ := filepath.Glob(filepath.Join(dir, ".stage*"))
	if left != nil {
		t.Errorf("left behind: %v", left)
	}
}

func wantChanges(t *testing.T, got, want []Change) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("changes\n got %v\nwant %v", got, want)
	}
}

// TestUnchangedFilesStay checks that neither zone files nor others are
// rewritten when nothing changed.
func TestUnchangedFilesStay(t *testing.T) {
	dir := t.TempDir()
	file := File{Path: "sub/list.conf", Mode: 0o600, Write: func(w *bufio.Writer, _ uint32) error {
		_, err := w.WriteString("x\n")
		return err
	}}
	set := readSet(t, "a.example\n")
	build(t, set, dir, Options{}, file)
	paths := []string{"zones/a.example.zone", "sub/list.conf"}
	var before []os.FileInfo
	for _, p := range paths {
		before = append(before, readInfo(t, dir, p))
	}
	build(t, set, dir, Options{Now: day("2030-01-01")}, file)
	for i, p := range paths {
		if after := readInfo(t, dir, p); !os.SameFile(before[i], after) || !after.ModTime().Equal(before[i].ModTime()) {
			t.Errorf("%s was written again", p)
		}
	}
	if mode := readInfo(t, dir, "sub/list.conf").Mode().Perm(); mode != 0o600 {
		t.Errorf("mode %o, want 600", mode)
	}
	build(t, set, dir, Options{})
	build(t, set, dir, Options{}, File{Path: "other.conf", Mode: 0o644, Write: file.Write})
	if _, err := os.Stat(filepath.Join(dir, "sub/list.conf")); err == nil {
		t.Error("a file that is no longer made was left behind")
	}
}

// TestSecretsOfTheGroup checks that the group of an output directory with the
// setgid bit reads the secrets in it, and nobody else does.
func TestSecretsOfTheGroup(t *testing.T) {
	dir := t.TempDir()
	secret := File{Path: "sub/key", Mode: 0o600, Write: func(w *bufio.Writer, _ uint32) error {
		_, err := w.WriteString("x\n")
		return err
	}}
	build(t, readSet(t, "a.example\n"), dir, Options{}, secret)
	if err := os.Chmod(dir, 0o755|os.ModeSetgid); err != nil {
		t.Fatal(err)
	}
	for i, list := range []string{"a.example\nb.example\n", "a.example\n"} {
		build(t, readSet(t, list), dir, Options{}, secret)
		if mode := readInfo(t, dir, "sub/key").Mode().Perm(); mode != 0o640 {
			t.Errorf("run %d: mode %o, want 640", i, mode)
		}
	}
}

// TestOwnersAreKept gives files to other users: a new version stays theirs, as a
// nameserver that has dropped its privileges needs it, and a secret stays one.
func TestOwnersAreKept(t *testing.T) {
	peers.RequireRoot(t, "giving files away")
	dir := t.TempDir()
	text := "one\n"
	write := func(w *bufio.Writer, _ uint32) error {
		_, err := w.WriteString(text)
		return err
	}
	list := []File{{Path: "sub/key", Mode: 0o600, Write: write}, {Path: "sub/wide.key", Mode: 0o600, Write: write}, {Path: "public.conf", Mode: 0o644, Write: write}}
	build(t, readSet(t, "a.example\n"), dir, Options{}, list...)
	for path, mode := range map[string]os.FileMode{"sub/key": 0o640, "sub/wide.key": 0o644, "public.conf": 0o640} {
		if err := errors.Join(os.Chown(filepath.Join(dir, path), 4001, 4002), os.Chmod(filepath.Join(dir, path), mode)); err != nil {
			t.Fatal(err)
		}
	}
	text = "two\n"
	build(t, readSet(t, "a.example\nb.example\n"), dir, Options{}, list...)
	for _, f := range list {
		info := readInfo(t, dir, f.Path)
		owner, _ := files.OwnerOf(info)
		if owner != (files.Owner{User: 4001, Group: 4002}) || info.Mode() != 0o640 || info.Size() != 4 {
			t.Errorf("%s belongs to %+v and has mode %v", f.Path, owner, info.Mode())
		}
	}
}

func readInfo(t *testing.T, elem ...string) os.FileInfo {
	t.Helper()
	info, err := os.Stat(filepath.Join(elem...))
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// TestSerials goes through everything that may happen to a zone between two
// runs: its serial number rises exactly when its content changed.
func TestSerials(t *testing.T) {
	const name = "a.example"
	for _, c := range []struct {
		what    string
		between func(t *testing.T, dir string, g *Group)
		scheme  Scheme
		now     string
		kind    Kind
		serial  uint32
	}{
		{"nothing", func(*testing.T, string, *Group) {}, "", "2026-11-21", Unchanged, 2026112000},
		{"text changed next day", changeText, "", "2026-11-21", Changed, 2026112100},
		{"text changed same day", changeText, "", "2026-11-20", Changed, 2026112001},
		{"clock back", changeText, "", "2020-01-01", Changed, 2026112001},
		{"other scheme", changeText, UnixTime, "2026-11-21", Changed, 2026112001},
		{"other scheme, counting", changeText, Increment, "2026-11-21", Changed, 2026112001},
		{"more than 99 changes", func(t *testing.T, dir string, g *Group) {
			replaceInFile(t, filepath.Join(dir, "manifest"), "2026112000", "2026112099")
			replaceInFile(t, filepath.Join(dir, "zones", name+".zone"), "2026112000", "2026112099")
			changeText(t, dir, g)
		}, "", "2026-11-20", Changed, 2026112100},
		{"manifest lost", func(t *testing.T, dir string, _ *Group) { remove(t, dir, "manifest") },
			"", "2026-11-21", Unchanged, 2026112000},
		{"manifest lost, text changed, clock back", func(t *testing.T, dir string, g *Group) {
			remove(t, dir, "manifest")
			changeText(t, dir, g)
		}, "", "2020-01-01", Changed, 2026112001},
		{"manifest damaged", func(t *testing.T, dir string, _ *Group) {
			replaceInFile(t, filepath.Join(dir, "manifest"), "\tgeneric", " generic")
		}, "", "2026-11-21", Unchanged, 2026112000},
		{"file lost", func(t *testing.T, dir string, _ *Group) { remove(t, dir, "zones", name+".zone") },
			"", "2026-11-21", Restored, 2026112000},
		{"file edited", func(t *testing.T, dir string, _ *Group) {
			replaceInFile(t, filepath.Join(dir, "zones", name+".zone"), "no email", "NO email")
		}, "", "2026-11-20", Restored, 2026112001},
		{"file edited, serial raised by hand", func(t *testing.T, dir string, _ *Group) {
			path := filepath.Join(dir, "zones", name+".zone")
			replaceInFile(t, path, "no email", "NO email")
			replaceInFile(t, path, "2026112000", "2026112050")
		}, "", "2026-11-20", Restored, 2026112051},
		{"file edited by an editor that splits the SOA", func(t *testing.T, dir string, _ *Group) {
			path := filepath.Join(dir, "zones", name+".zone")
			replaceInFile(t, path, "2026112000 7200", "(\n 2026112030 ; serial\n 7200")
			replaceInFile(t, path, " 300\n", " 300 )\n")
		}, "", "2026-11-20", Restored, 2026112031},
		{"file emptied", func(t *testing.T, dir string, _ *Group) {
			if err := os.WriteFile(filepath.Join(dir, "zones", name+".zone"), nil, 0o644); err != nil {
				t.Fatal(err)
			}
		}, "", "2026-11-20", Restored, 2026112001},
	} {
		t.Run(c.what, func(t *testing.T) {
			dir := t.TempDir()
			set := readSet(t, name+"\n")
			build(t, set, dir, Options{})
			c.between(t, dir, set.Groups[0])
			changes := build(t, set, dir, Options{Scheme: c.scheme, Now: day(c.now)})
			if c.kind == Unchanged && len(changes) > 0 || c.kind != Unchanged && (len(changes) != 1 || changes[0].Kind != c.kind) {
				t.Errorf("changes %v, want %v", changes, c.kind)
			}
			text := readFile(t, dir, "zones", name+".zone")
			if serial, _, _, ok := findSerial([]byte(text)); !ok || serial != c.serial {
				t.Errorf("serial %d, want %d", serial, c.serial)
			}
			want, _, _ := set.Template(&set.Entries[0]).Append(nil, name, c.serial)
			if text != string(want) {
				t.Errorf("zone file:\n%s\nwant:\n%s", text, want)
			}
			wantChanges(t, build(t, set, dir, Options{Now: day("2035-01-01")}), nil)
		})
	}
}

func changeText(_ *testing.T, _ string, g *Group) { g.TXT = []string{"changed"} }

func remove(t *testing.T, elem ...string) {
	t.Helper()
	if err := os.Remove(filepath.Join(elem...)); err != nil {
		t.Fatal(err)
	}
}

func TestRemovalLimit(t *testing.T) {
	var list strings.Builder
	for i := range 400 {
		fmt.Fprintf(&list, "d%03d.example\n", i)
	}
	dir := t.TempDir()
	build(t, readSet(t, list.String()), dir, Options{})
	for _, c := range []struct {
		lines, allowed int
		refused        bool
	}{
		{400, 0, false}, {380, 0, false}, {379, 0, true}, {379, 20, true}, {379, 21, false}, {379, 22, true}, {1, 399, false},
	} {
		set := readSet(t, list.String()[:c.lines*len("d000.example\n")])
		plan, err := NewPlan(context.Background(), set, dir, Options{Scheme: DateSerial, Now: day("2026-11-20")})
		if err != nil {
			t.Fatal(err)
		}
		var refusal *RemovalError
		if err := plan.CheckRemovals(c.allowed); errors.As(err, &refusal) != c.refused {
			t.Errorf("%d of 400 left, %d allowed: %v", c.lines, c.allowed, err)
		}
	}
	remove(t, dir, "manifest")
	plan, err := NewPlan(context.Background(), readSet(t, "d000.example\n"), dir, Options{Scheme: DateSerial, Now: day("2026-11-20")})
	if err != nil {
		t.Fatal(err)
	}
	if err := plan.CheckRemovals(0); err == nil {
		t.Error("without a manifest, 399 removals were not noticed")
	}
}

func TestSecondRunIsRefused(t *testing.T) {
	dir := t.TempDir()
	unlock, err := Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Lock(dir); !errors.Is(err, errLocked) {
		t.Errorf("second lock: %v, want ErrLocked", err)
	}
	unlock()
	again, err := Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	again()
}

// TestRemovedZoneComesBack checks that a zone goes on from its last serial
// number: a secondary may still have it.
func TestRemovedZoneComesBack(t *testing.T) {
	dir := t.TempDir()
	opts := Options{Scheme: Increment}
	both := readSet(t, "a.example\nb.example\n")
	build(t, both, dir, opts)
	changeText(t, dir, both.Groups[0])
	build(t, both, dir, opts)
	one := readSet(t, "a.example\n")
	changeText(t, dir, one.Groups[0])
	wantChanges(t, build(t, one, dir, opts), []Change{{"b.example", "generic", Removed, 2, 0}})
	wantChanges(t, build(t, one, dir, opts), nil)
	wantChanges(t, build(t, both, dir, opts), []Change{{"b.example", "generic", Added, 0, 3}})
	if text := readFile(t, dir, retiredFile); text != "" {
		t.Errorf("%s still holds %q", retiredFile, text)
	}
}

// TestKilledWhileRetiring: a run that is killed has the removed zones retired, and the old
// manifest, with their files or without.
func TestKilledWhileRetiring(t *testing.T) {
	for _, left := range [][]string{{manifestFile}, {manifestFile, "zones/b.example.zone"}} {
		dir := t.TempDir()
		opts := Options{Scheme: Increment}
		both, one := readSet(t, "a.example\nb.example\n"), readSet(t, "a.example\n")
		build(t, both, dir, opts)
		before := make(map[string]string)
		for _, name := range left {
			before[name] = readFile(t, dir, name)
		}
		build(t, one, dir, opts)
		want := readFile(t, dir, retiredFile)
		for name, text := range before {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		build(t, one, dir, opts)
		if got := readFile(t, dir, retiredFile); got != want || strings.Count(got, "\n") != 1 {
			t.Errorf("%v: %s holds %q, want %q", left, retiredFile, got, want)
		}
		wantChanges(t, build(t, one, dir, opts), nil)
		wantChanges(t, build(t, both, dir, opts), []Change{{"b.example", "generic", Added, 0, 2}})
	}
}

// TestForgedManifest checks that names from the manifest cannot lead out of
// the output directory.
func TestForgedManifest(t *testing.T) {
	dir := t.TempDir()
	set := readSet(t, "a.example\n")
	build(t, set, dir, Options{})
	victim := filepath.Join(filepath.Dir(dir), "victim.zone")
	if err := os.WriteFile(victim, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	forged := "../../victim\tgeneric\t1\t00000000000000000000000000000000\n" + readFile(t, dir, "manifest")
	if err := os.WriteFile(filepath.Join(dir, "manifest"), []byte(forged), 0o644); err != nil {
		t.Fatal(err)
	}
	build(t, set, dir, Options{})
	if _, err := os.Stat(victim); err != nil {
		t.Errorf("a file outside of the output directory was removed: %v", err)
	}
}

// TestZoneAmongFiles checks that a catalog-like file keeps its serial number
// until its content changes.
func TestZoneAmongFiles(t *testing.T) {
	dir := t.TempDir()
	content := "one"
	catalog := File{Path: "catalog.zone", Mode: 0o644, Zone: "catalog.invalid", Write: func(w *bufio.Writer, serial uint32) error {
		_, err := fmt.Fprintf(w, "@ 0 IN SOA invalid. invalid. %d 3600 600 86400 60\n; %s\n", serial, content)
		return err
	}}
	serialAfter := func(now string) string {
		build(t, readSet(t, "a.example\n"), dir, Options{Now: day(now)}, catalog)
		remove(t, dir, ".inputs")
		return strings.Fields(readFile(t, dir, "catalog.zone"))[6]
	}
	if got := serialAfter("2026-11-20"); got != "2026112000" {
		t.Errorf("first serial %s", got)
	}
	if got := serialAfter("2026-11-21"); got != "2026112000" {
		t.Errorf("serial of unchanged content %s", got)
	}
	content = "two"
	if got := serialAfter("2026-11-20"); got != "2026112001" {
		t.Errorf("serial of changed content %s", got)
	}
}
