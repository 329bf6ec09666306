package journal

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var testManifest = Manifest{
	Server: "ns1.example.net", Next: 1001, Age: 5, Wall: 1763596800, Expired: 7, ExpiredBytes: 700, ExpiredLast: 9,
	Lost: Lost{LostRingFull: 3, LostShutdown: 1},
	Gaps: []Gap{{10, 20, GapRestart}, {50, 50, GapDamaged}, {901, 1000, GapRestart}},
	Segments: []Segment{
		{Date: "2026-11-20", First: 21, Last: 100, MinTime: -5, MaxTime: 9, Rows: 79, Bytes: 1234, SHA256: strings.Repeat("0a", 32), Age: 3},
		{Date: "1970-01-01", First: 101, Last: 900, Rows: 800, Bytes: 1, SHA256: strings.Repeat("ff", 32)},
	},
}

func TestManifestRoundTrip(t *testing.T) {
	text := testManifest.encode()
	m, err := parseManifest(text)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(*m, testManifest) {
		t.Errorf("got %+v", m)
	}
	for i := range text {
		text[i] ^= 1
		if _, err := parseManifest(text); !errors.Is(err, errManifest) {
			t.Errorf("byte %d changed: %v", i, err)
		}
		text[i] ^= 1
		if _, err := parseManifest(text[:i]); !errors.Is(err, errManifest) {
			t.Errorf("cut at %d: %v", i, err)
		}
	}
}

// signed gives lines a right end.
func signed(body string) []byte { return fmt.Appendf(nil, "%send\t%08x\n", body, sum([]byte(body))) }

func TestManifestRefused(t *testing.T) {
	sum := strings.Repeat("0a", 32)
	for line, want := range map[string]string{
		"odd\t1":                   "unknown line",
		"gap\t5":                   "missing",
		"gap\t5\t6\tdamaged\tmore": "too many",
		"gap\t6\t5\tdamaged":       "out of order",
		"gap\t5\t500\tdamaged":     "out of order",
		"lost\todd\t5":             "no reason",
		"next\t-1":                 "invalid syntax",
		"expired\t1\t1\t100":       "expired up to",
		"segment\t../../etc/passwd\t1\t2\t0\t0\t2\t9\t" + sum + "\t0":                                                                 "no path",
		"segment\tseg/date=2026-11-20/00000000000000000001-00000000000000000003.parquet\t1\t2\t0\t0\t2\t9\t" + sum + "\t0":            "no path",
		"segment\tseg/date=2026-13-20/00000000000000000001-00000000000000000002.parquet\t1\t2\t0\t0\t2\t9\t" + sum + "\t0":            "no path",
		"segment\tseg/date=../../x/00000000000000000001-00000000000000000002.parquet\t1\t2\t0\t0\t2\t9\t" + sum + "\t0":               "no path",
		"segment\tseg/date=2026-11-20/00000000000000000001-00000000000000000002.parquet\t1\t2\t0\t0\t2\t9\tab\t0":                     "SHA-256",
		"segment\tseg/date=2026-11-20/00000000000000000001-00000000000000000002.parquet\t1\t2\t0\t0\t3\t9\t" + sum + "\t0":            "contradicts",
		"segment\tseg/date=2026-11-20/00000000000000000001-00000000000000000200.parquet\t1\t200\t0\t0\t3\t9\t" + sum + "\t0":          "out of order",
		"segment\tseg/date=2026-11-20/00000000000000000001-18446744073709551615.parquet\t1\t18446744073709551615\t0\t0\t3\t9\t" + sum: "missing",
	} {
		_, err := parseManifest(signed(manifestVersion + "\nnext\t100\n" + line + "\n"))
		if !errors.Is(err, errManifest) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: want an error with %q, got %v", line, want, err)
		}
	}
	if _, err := parseManifest(signed("nullspf-zones\t1\nnext\t1\n")); !errors.Is(err, errManifest) || !strings.Contains(err.Error(), "first line") {
		t.Errorf("another file: %v", err)
	}
}

func TestHoles(t *testing.T) {
	for _, c := range []struct{ first, last, want uint64 }{
		{1, 9, 0}, {1, 10, 1}, {15, 60, 7}, {10, 20, 11}, {21, 49, 0}, {50, 50, 1}, {1, 2000, 112}, {1001, 1001, 0},
	} {
		if got := testManifest.holes(c.first, c.last); got != c.want {
			t.Errorf("holes from %d to %d: %d, want %d", c.first, c.last, got, c.want)
		}
	}
}

func FuzzManifest(f *testing.F) {
	text := testManifest.encode()
	body, _, _ := cutEnd(string(text))
	f.Add([]byte(body))
	f.Add([]byte(manifestVersion + "\nnext\t1\n"))
	f.Fuzz(func(t *testing.T, body []byte) {
		if _, err := parseManifest(body); err != nil && !errors.Is(err, errManifest) {
			t.Fatal(err)
		}
		m, err := parseManifest(signed(string(body)))
		if err != nil {
			return
		}
		again, err := parseManifest(m.encode())
		if err != nil {
			t.Fatalf("what was accepted is not when written: %v", err)
		}
		if !bytes.Equal(again.encode(), m.encode()) {
			t.Fatal("not the same when read again")
		}
		for i := range m.Segments {
			if p := m.Segments[i].Path(); strings.Contains(p, "..") || !strings.HasPrefix(p, segDir+"/"+datePrefix) {
				t.Fatalf("path %q", p)
			}
		}
	})
}

// TestNewerManifest: a directory of a later version is not touched, and the
// version is named. A version that only a changed bit makes up is damage.
func TestNewerManifest(t *testing.T) {
	s := testSettings(t)
	j := mustOpen(t, s)
	putAll(t, j, 1, 10)
	mustClose(t, j)
	newer := signed("nullspf-manifest\t7\nbloom\t1\n")
	if err := os.WriteFile(filepath.Join(s.Dir, manifestName), newer, 0o640); err != nil {
		t.Fatal(err)
	}
	before := parts(t, s.Dir)
	if _, err := Open(s); !errors.Is(err, errVersion) || !strings.Contains(err.Error(), `"7"`) {
		t.Errorf("Open: %v", err)
	}
	if _, err := Snapshot(s.Dir, ReadOptions{}); !errors.Is(err, errVersion) {
		t.Errorf("Snapshot: %v", err)
	}
	if diff := cmp.Diff(before, parts(t, s.Dir)); diff != "" {
		t.Errorf("something was written:\n%s", diff)
	}
	text := testManifest.encode()
	text[len(manifestMagic)] = '3'
	if _, err := parseManifest(text); !errors.Is(err, errManifest) {
		t.Errorf("a changed version: %v", err)
	}
}
