package named

import (
	"bufio"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"nullspf/zones"
)

// bigSet makes a set without lists.
func bigSet(n int) *zones.Set {
	set := &zones.Set{Groups: []*zones.Group{{Name: "generic"}, {Name: "other"}}}
	for i := range n {
		set.Entries = append(set.Entries, zones.Entry{Name: fmt.Sprintf("domain-%07d.example", i)})
	}
	return set
}

// discard writes files nowhere and returns their size.
func discard(t testing.TB, files []zones.File) int {
	t.Helper()
	var n counter
	w := bufio.NewWriterSize(&n, 64<<10)
	for _, f := range files {
		if err := f.Write(w, 1); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return int(n)
}

type counter int

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// TestAllocations holds that writing needs no memory for each zone.
func TestAllocations(t *testing.T) {
	allocations := func(n int) float64 {
		s := testSettings()
		files, err := Files(s, bigSet(n))
		if err != nil {
			t.Fatal(err)
		}
		return testing.AllocsPerRun(3, func() { discard(t, files) })
	}
	if few, many := allocations(10), allocations(10000); many > few+10 {
		t.Errorf("10 zones need %v allocations, 10000 need %v", few, many)
	}
}

// BenchmarkFiles writes all files for a million zones.
func BenchmarkFiles(b *testing.B) {
	set := bigSet(1000000)
	files, err := Files(testSettings(), set)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		b.SetBytes(int64(discard(b, files)))
	}
}

func TestZoneFileNames(t *testing.T) {
	for n := range 254 {
		name := strings.Repeat("x", n)
		if got := string(appendZoneFile(nil, name)); got != zones.ZoneFile(name) {
			t.Errorf("file of a name of %d bytes = %s, want %s", n, got, zones.ZoneFile(name))
		}
		if got := copyFile(name); len(got) > maxCopyName || n <= maxCopyName && got != name {
			t.Errorf("copy of a name of %d bytes = %s", n, got)
		}
	}
}

// TestLongNames holds that no server gets a file name of more than 255 bytes,
// or a pattern that would make one.
func TestLongNames(t *testing.T) {
	name := strings.Repeat("abc.", 61) + "abcdefghi"
	text := render(t, testSettings(), &zones.Set{Groups: []*zones.Group{{}}, Entries: []zones.Entry{{Name: name}}})
	digest := string(zones.AppendMember(nil, name))
	for _, want := range []string{
		`file "/srv/nullspf/build/zones/` + name + `"; journal "/srv/nullspf/build/zones/` + digest + `.jnl";`,
		`file "/srv/nullspf/build/secondary/` + digest + `";`,
		"\tzonefile: \"/srv/nullspf/build/zones/" + name + "\"\n",
		"\tzonefile: \"/srv/nullspf/build/secondary/" + digest + "\"\n",
		"    file: \"" + name + "\"\n",
		"    file: \"" + digest + "\"\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing", want)
		}
	}
}

// TestFileList holds what is written to the documented names and modes.
func TestFileList(t *testing.T) {
	want := map[string]fs.FileMode{
		"named/tsig.key": 0o600, "named/primary.conf": 0o644, "named/secondary.conf": 0o644,
		"named/secondary-catalog.conf": 0o644, "named/secondary-catalog-options.conf": 0o644,
		"nsd/tsig.key": 0o600, "nsd/primary.conf": 0o644, "nsd/secondary.conf": 0o644, "nsd/secondary-catalog.conf": 0o644,
		"knot/tsig.key": 0o600, "knot/primary.conf": 0o644, "knot/secondary.conf": 0o644, "knot/secondary-catalog.conf": 0o644,
		"nullspfd/tsig.key": 0o600, "nullspfd/primary.Corefile": 0o644, "nullspfd/secondary.Corefile": 0o644,
		"catalog.zone": 0o644,
	}
	files, err := Files(testSettings(), testSet(t, threeZones))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if want[f.Path] != f.Mode || !filepath.IsLocal(f.Path) || (f.Zone != "") != (f.Path == catalogFile) {
			t.Errorf("%s, mode %o, zone %q", f.Path, f.Mode, f.Zone)
		}
		delete(want, f.Path)
		secret := strings.Contains(textOf(t, f), testSecret)
		if secret != (f.Mode == modeSecret) {
			t.Errorf("%s: mode %o, and holds the secret: %v", f.Path, f.Mode, secret)
		}
	}
	if len(want) > 0 {
		t.Errorf("missing: %v", want)
	}
}

func textOf(t *testing.T, f zones.File) string {
	t.Helper()
	var b strings.Builder
	w := bufio.NewWriter(&b)
	if err := f.Write(w, 1); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// failing is a writer on a full disk.
type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

func TestWriteErrors(t *testing.T) {
	files, err := Files(testSettings(), bigSet(10))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		w := bufio.NewWriterSize(failing{}, 16)
		if err := f.Write(w, 1); err == nil {
			t.Errorf("%s: no error on a full disk", f.Path)
		}
	}
}
