package zones

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestFileChanges(t *testing.T) {
	dir := t.TempDir()
	set := readSet(t, "a.example\nb.example\n")
	file := func(path, head string, mode os.FileMode, set *Set) File {
		return File{Path: path, Mode: mode, Write: func(w *bufio.Writer, _ uint32) error {
			fmt.Fprintln(w, head)
			for i := range set.Entries {
				fmt.Fprintf(w, "zone:\n\tname: %q\n\tfile: /x/%[1]s.zone\n", set.Entries[i].Name)
			}
			return nil
		}}
	}
	old := []File{file("conf", "listen 53", 0o644, set), file("key", "secret one", 0o600, set), file("old.conf", "x", 0o644, set), file("same", "x", 0o644, set)}
	build(t, set, dir, Options{}, old...)
	changes := func(set *Set, files ...File) []FileChange {
		t.Helper()
		p, err := NewPlan(t.Context(), set, dir, Options{Scheme: DateSerial, Now: day("2026-11-20")})
		if err != nil {
			t.Fatal(err)
		}
		got, err := p.FileChanges(files, Hash{1})
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got := changes(set, old...); len(got) > 0 {
		t.Errorf("nothing has changed: %+v", got)
	}
	set = readSet(t, "a.example\nc.example\n")
	if got := changes(set, file("conf", "listen 53", 0o644, set), file("key", "secret one", 0o600, set), file("old.conf", "x", 0o644, set), file("same", "x", 0o644, set)); len(got) > 0 {
		t.Errorf("only zones have changed: %+v", got)
	}
	got := changes(set, file("conf", "listen 5353", 0o644, set), file("key", "secret two", 0o600, set), file("new.conf", "x", 0o644, set), file("same", "x", 0o644, set))
	want := []FileChange{
		{Path: "conf", Kind: Changed, RecordDiff: RecordDiff{Removed: []string{"listen 53"}, Added: []string{"listen 5353"}}},
		{Path: "key", Kind: Changed},
		{Path: "new.conf", Kind: Added},
		{Path: "old.conf", Kind: Removed},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("changes: %+v, want %+v", got, want)
	}
	var long strings.Builder
	for i := range maxFileLines + 7 {
		fmt.Fprintln(&long, "line", i)
	}
	if got := changes(set, file("conf", long.String(), 0o644, set)); len(got[0].Added) != maxFileLines || got[0].More != 7 {
		t.Errorf("%d lines are kept of many, and %d left out", len(got[0].Added), got[0].More)
	}
	if _, err := os.Stat(filepath.Join(dir, "new.conf")); err == nil {
		t.Error("a file was written")
	}
}
