package files

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestWatched(t *testing.T) {
	dir := t.TempDir()
	w := Watched{Path: filepath.Join(dir, "list")}
	at := time.Unix(1763600000, 0)
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := errors.Join(os.WriteFile(path, []byte(text), 0o600), os.Chtimes(path, at, at)); err != nil {
			t.Fatal(err)
		}
	}
	check := func(what string, want bool, wantErr error) {
		t.Helper()
		if _, changed, err := w.Changed(); changed != want || !errors.Is(err, wantErr) {
			t.Errorf("%s: %v, %v", what, changed, err)
		}
	}
	check("no file", false, fs.ErrNotExist)
	write("list", "one")
	check("new", true, nil)
	check("as it was", false, nil)
	write("list", "longer")
	check("another size", true, nil)
	at = at.Add(time.Second)
	write("list", "LONGER")
	check("another time", true, nil)
	write("other", "lOnGeR")
	if err := os.Rename(filepath.Join(dir, "other"), w.Path); err != nil {
		t.Fatal(err)
	}
	check("another file of the same size and time", true, nil)
	if err := os.Remove(w.Path); err != nil {
		t.Fatal(err)
	}
	check("removed", true, fs.ErrNotExist)
	check("still away", false, fs.ErrNotExist)
}
