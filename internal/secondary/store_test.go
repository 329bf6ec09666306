package secondary

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"nullspf/internal/wire"
	"nullspf/internal/xfr"
	"nullspf/internal/zonestore"
)

// sameZone reports whether two zones have the same records.
func sameZone(a, b *zonestore.Zone) bool {
	var x, y bytes.Buffer
	return zonestore.WriteText(&x, a.Records) == nil && zonestore.WriteText(&y, b.Records) == nil && bytes.Equal(x.Bytes(), y.Bytes())
}

func TestStoredName(t *testing.T) {
	long := strings.Repeat("a", 60) + "."
	for _, test := range []struct{ name, want string }{
		{".", "@.zone"},
		{"Example.COM.", "example.com.zone"},
		{"_spf.xn--a.test.", "_spf.xn--a.test.zone"},
		{`a\/b.\.\..test.`, "a%2fb.%2e%2e.test.zone"},
		{`\000\255\037.test.`, "%00%ff%25.test.zone"},
		{"@.test.", "%40.test.zone"},
		{long + long + long + long[:50] + ".test.", strings.Repeat("a", 60) + "." + strings.Repeat("a", 39) + "~"},
	} {
		got := storedName(mustName(t, test.name))
		if got != test.want && !(strings.HasSuffix(test.want, "~") && strings.HasPrefix(got, test.want)) {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
		if len(got) > 255 || strings.Contains(got, "/") || got[0] == '.' {
			t.Errorf("%s is not a safe file name", got)
		}
	}
	one, two := storedName(mustName(t, long+long+long+long[:50]+".one.test")), storedName(mustName(t, long+long+long+long[:50]+".two.test"))
	if one == two {
		t.Error("two long names have one file")
	}
}

func TestStore(t *testing.T) {
	st, err := openStore(filepath.Join(t.TempDir(), "a", "b"))
	if err != nil {
		t.Fatal(err)
	}
	z := textZone(t, "Example.TEST.", "@ 60 SOA ns1 h 5 1 2 3 4\n@ 60 NS ns1\nns1 60 A 192.0.2.1\n*.x 5 TXT \"a\" \"B\"\n\\000.y 7 TYPE65280 \\# 3 010203\n")
	at := time.Unix(1_700_000_000, 0)
	if err := st.save(z, at); err != nil {
		t.Fatal(err)
	}
	got, refreshed, err := st.load(z.Name(), xfr.DefaultLimits.Bytes)
	if err != nil || !refreshed.Equal(at) || !sameZone(z, got) {
		t.Fatalf("%v, %v", err, refreshed)
	}
	if err := st.touch(z.Name(), at.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, refreshed, _ = st.load(z.Name(), xfr.DefaultLimits.Bytes); !refreshed.Equal(at.Add(time.Hour)) {
		t.Errorf("refreshed %v", refreshed)
	}
	if err := st.sync(); err != nil {
		t.Error(err)
	}
	for range 2 {
		if err := st.remove(z.Name()); err != nil {
			t.Error(err)
		}
	}
	if got, _, err := st.load(z.Name(), xfr.DefaultLimits.Bytes); got != nil || err != nil {
		t.Errorf("%v, %v", got, err)
	}
}

// TestStoreTorn cuts a file at every byte and changes every byte of it: what a
// kill or a bad disk leaves is never served.
func TestStoreTorn(t *testing.T) {
	z := smallZone(t, "a.test.", 1)
	file := appendStored(nil, z)
	for i := range file {
		if got, err := readStored(file[:i], z.Name()); got != nil || !errors.Is(err, errStored) {
			t.Fatalf("cut at %d: %v", i, err)
		}
		for bit := range 8 {
			changed := bytes.Clone(file)
			changed[i] ^= 1 << bit
			if got, err := readStored(changed, z.Name()); got != nil || !errors.Is(err, errStored) {
				t.Fatalf("bit %d of byte %d changed: %v", bit, i, err)
			}
		}
	}
	for _, b := range [][]byte{nil, append(bytes.Clone(file), 0), []byte("$ORIGIN a.test.\n"), make([]byte, len(file))} {
		if got, err := readStored(b, z.Name()); got != nil || !errors.Is(err, errStored) {
			t.Errorf("%q: %v", b, err)
		}
	}
	if _, err := readStored(file, mustName(t, "b.test")); !errors.Is(err, errStored) {
		t.Errorf("the file of another zone: %v", err)
	}
}

// TestStoreForeignFiles: what else may stand in the place of a file neither
// stops the daemon nor costs it memory, and is replaced by the next transfer.
func TestStoreForeignFiles(t *testing.T) {
	z := smallZone(t, "a.test.", 1)
	for name, make := range map[string]func(path string) error{
		"a named pipe": func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"a link to one": func(path string) error {
			return errors.Join(syscall.Mkfifo(path+"x", 0o600), os.Symlink(path+"x", path))
		},
		"a dangling link": func(path string) error { return os.Symlink(path+"x", path) },
		"3 GB of nothing": func(path string) error { return errors.Join(os.WriteFile(path, nil, 0o600), os.Truncate(path, 3<<30)) },
		"a zone that claims 3 GB": func(path string) error {
			file := appendStored(nil, z)
			binary.LittleEndian.PutUint32(file[12:], uint32(3<<30-storeHeader))
			return errors.Join(os.WriteFile(path, file, 0o600), os.Truncate(path, 3<<30))
		},
	} {
		t.Run(name, func(t *testing.T) {
			st, err := openStore(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			if err := make(st.path(z.Name())); err != nil {
				t.Fatal(err)
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			got, _, err := st.load(z.Name(), xfr.DefaultLimits.Bytes)
			runtime.ReadMemStats(&after)
			if got != nil || err == nil && name != "a dangling link" {
				t.Errorf("%v, %v", got, err)
			}
			if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
				t.Errorf("%d bytes of memory", n)
			}
			if err := st.save(z, time.Now()); err != nil {
				t.Fatal(err)
			}
			if got, _, err := st.load(z.Name(), xfr.DefaultLimits.Bytes); got == nil || err != nil {
				t.Errorf("after a transfer: %v, %v", got, err)
			}
		})
	}
}

// TestStoreName: a directory's name is not a pattern, and what an earlier process
// has left half is removed whatever the name.
func TestStoreName(t *testing.T) {
	for _, name := range []string{"zo[nes", "z*", "a?b", `back\slash`, "ü"} {
		dir := filepath.Join(t.TempDir(), name)
		if _, err := openStore(dir); err != nil {
			t.Fatal(err)
		}
		left := filepath.Join(dir, storeTemp+"17")
		if err := os.WriteFile(left, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := openStore(dir); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Stat(left); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: what was left is there", name)
		}
	}
}

// TestStoreLater: the file of a later version is neither replaced nor removed,
// and the zone is served all the same.
func TestStoreLater(t *testing.T) {
	dir := t.TempDir()
	name := mustName(t, "a.test")
	path := filepath.Join(dir, storedName(name))
	later := []byte("NSPFZON2 in a layout that this version does not know")
	if err := os.WriteFile(path, later, 0o600); err != nil {
		t.Fatal(err)
	}
	var log safeBuffer
	synctest.Test(t, func(t *testing.T) {
		var p fakePrimary
		p.set(smallZone(t, "a.test.", 1), smallZone(t, "b.test.", 1))
		s, primaries := secondaryOf(t, &log, &p)
		defer stop(t, s)
		g := Group{Zones: []wire.Name{name, mustName(t, "b.test")}, Primaries: primaries, Store: dir}
		configure(t, s, g)
		time.Sleep(3 * time.Hour)
		synctest.Wait()
		if st := s.Status(); served(t, s, "a.test") != 1 || st.Unsaved != 1 || st.StoreErrors != 1 {
			t.Errorf("serial %d, %+v", served(t, s, "a.test"), st)
		}
		g.Zones = g.Zones[1:]
		configure(t, s, g)
		synctest.Wait()
	})
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, later) {
		t.Errorf("the file is now %q, %v", got, err)
	}
	if n := strings.Count(log.String(), "written by a later version of nullspfd"); n < 1 || n > 2 {
		t.Errorf("%d lines about it:\n%s", n, log.String())
	}
}

func FuzzReadStored(f *testing.F) {
	z := smallZone(f, "a.test.", 1)
	f.Add(appendStored(nil, z)[storeHeader:], uint32(z.Count()))
	f.Fuzz(func(t *testing.T, body []byte, count uint32) {
		name := wire.Name("\x01a\x04test\x00")
		file := append(appendStored(nil, z)[:storeHeader], body...)
		sealStored(file, count)
		got, err := readStored(file, name)
		if (got == nil) != (err != nil) {
			t.Fatalf("%v, %v", got, err)
		}
		if got == nil {
			return
		}
		if again, err := readStored(appendStored(nil, got), name); err != nil || !sameZone(got, again) {
			t.Fatalf("not the same again: %v", err)
		}
	})
}
