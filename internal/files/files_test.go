package files

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestReplace(t *testing.T) {
	dir := t.TempDir()
	path, elsewhere := filepath.Join(dir, "file"), filepath.Join(dir, "elsewhere")
	old := unix.Umask(0o077)
	t.Cleanup(func() { unix.Umask(old) })
	for _, step := range []struct {
		name    string
		prepare func() error
		data    string
		mode    fs.FileMode
	}{
		{"new", nil, "first", 0o644},
		{"same path, other mode", nil, "second", 0o600},
		{"left by a killed process", func() error { return os.WriteFile(path+TemporarySuffix, []byte("half"), 0o644) }, "third", 0o640},
		{"empty", nil, "", 0o400},
		{"links are not followed", func() error {
			return errors.Join(os.WriteFile(elsewhere, []byte("kept"), 0o600), os.Remove(path),
				os.Symlink(elsewhere, path), os.Symlink(elsewhere, path+TemporarySuffix))
		}, "fourth", 0o644},
	} {
		if step.prepare != nil {
			if err := step.prepare(); err != nil {
				t.Fatalf("%s: %v", step.name, err)
			}
		}
		if err := Replace(path, []byte(step.data), Attributes{Mode: step.mode}); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		text, err := os.ReadFile(path)
		info, serr := os.Lstat(path)
		if err := errors.Join(err, serr); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		if string(text) != step.data || info.Mode() != step.mode {
			t.Errorf("%s: %q with mode %v", step.name, text, info.Mode())
		}
		if _, err := os.Lstat(path + TemporarySuffix); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: the temporary file is still there: %v", step.name, err)
		}
	}
	if text, err := os.ReadFile(elsewhere); err != nil || string(text) != "kept" {
		t.Errorf("the target of the link holds %q, %v", text, err)
	}
}

// TestReplaceFails: an error leaves what was there, and nothing else.
func TestReplaceFails(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	if err := os.MkdirAll(filepath.Join(path, "inside"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := Replace(path, []byte("new"), Attributes{Mode: 0o644}); err == nil {
		t.Error("a directory that is not empty was replaced")
	}
	if err := Replace(filepath.Join(dir, "none", "file"), nil, Attributes{Mode: 0o644}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("in a missing directory: %v", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("%v, %v", entries, err)
	}
}

func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	first, err := Lock(path, 0o640)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm()&^0o640 != 0 {
		t.Errorf("%v, %v", info, err)
	}
	if _, err := Lock(path, 0o640); !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), path) {
		t.Errorf("second lock: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Lock(path, 0o640)
	if err != nil {
		t.Fatalf("after the first was closed: %v", err)
	}
	defer again.Close()

	link := path + "2"
	if err := os.Symlink(path+"3", link); err != nil {
		t.Fatal(err)
	}
	if _, err := Lock(link, 0o640); !errors.Is(err, unix.ELOOP) {
		t.Errorf("a link: %v", err)
	}
}

func TestSync(t *testing.T) {
	dir := t.TempDir()
	f, err := os.Create(filepath.Join(dir, "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := errors.Join(SyncData(f), SyncDir(dir), SyncFS(dir)); err != nil {
		t.Error(err)
	}
	missing := filepath.Join(dir, "missing")
	for name, sync := range map[string]func(string) error{"SyncDir": SyncDir, "SyncFS": SyncFS} {
		if err := sync(missing); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
