package secondary

import (
	"bytes"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"nullspf/internal/wire"
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
			t.Errorf("%s is no safe name of a file", got)
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
	got, refreshed, err := st.load(z.Name())
	if err != nil || !refreshed.Equal(at) || !sameZone(z, got) {
		t.Fatalf("%v, %v", err, refreshed)
	}
	if err := st.touch(z.Name(), at.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, refreshed, _ = st.load(z.Name()); !refreshed.Equal(at.Add(time.Hour)) {
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
	if got, _, err := st.load(z.Name()); got != nil || err != nil {
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
		changed := bytes.Clone(file)
		changed[i] ^= 0x10
		if got, err := readStored(changed, z.Name()); got != nil || err == nil {
			t.Fatalf("changed at %d: %v", i, err)
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
