package journal

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"nullspf/spftrack"
)

// TestRecent: the file has what segments have, is of no use when it is damaged, cut off
// or of another moment, and changes no mark.
func TestRecent(t *testing.T) {
	t.Parallel()
	s := testSettings(t)
	s.SegmentSize = minSegmentSize
	packets := randomChecks(t, 1500)
	for ; len(packets) > 0; packets = packets[500:] {
		packets = packets[:len(packets)/500*500]
		j := mustOpen(t, s)
		for _, p := range packets[:500] {
			j.Put(p)
		}
		waitUntil(t, "closed files are sealed", func() bool {
			return len(j.wals.sealable()) <= 1 && j.Stats().Pending == 0
		})
		mustClose(t, j)
	}
	m, err := loadManifest(s.Dir)
	if err != nil || len(m.Segments) == 0 {
		t.Fatal(m, err)
	}
	var want []spftrack.Event
	err = eachRecent(s.Dir, m, func(e *spftrack.Event) { want = append(want, *e) }, func(_ uint64, err error) { t.Error(err) })
	if err != nil {
		t.Fatal(err)
	}
	got, ok := readRecent(s.Dir, m)
	if !ok || len(got) == 0 || len(got) != len(want) {
		t.Fatalf("%v, %d events, want %d", ok, len(got), len(want))
	}
	for i := range got {
		w := want[i]
		w.Server, w.Transport, w.SourceVerified = "", 0, false
		if !reflect.DeepEqual(got[i], w) {
			t.Fatalf("event %d: %+v, want %+v", i, got[i], w)
		}
	}
	marked := readAll(t, s.Dir)
	data, err := os.ReadFile(recentPath(s.Dir))
	if err != nil {
		t.Fatal(err)
	}
	for bit := 0; bit < 8*len(data); bit += 101 {
		damaged := append([]byte{}, data...)
		damaged[bit/8] ^= 1 << (bit % 8)
		if _, ok := parseRecent(damaged, m); ok {
			t.Errorf("bit %d is not noticed", bit)
		}
		if _, ok := parseRecent(data[:bit/8], m); ok {
			t.Errorf("%d bytes are taken for all", bit/8)
		}
	}
	other := m.clone()
	other.Next++
	if _, ok := parseRecent(data, other); ok {
		t.Error("the file of another moment is taken")
	}
	if err := os.Remove(recentPath(s.Dir)); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(readAll(t, s.Dir), marked) {
		t.Error("without the file, marks are other ones")
	}
	report, err := CheckDir(t.Context(), s.Dir)
	if err != nil || len(report.Problems)+len(report.Notes) > 0 {
		t.Errorf("%+v, %v", report, err)
	}
	if left, err := filepath.Glob(filepath.Join(s.Dir, segDir, "*.tmp*")); err != nil || len(left) > 0 {
		t.Error(left, err)
	}
}

// FuzzRecent reads files that nobody wrote.
func FuzzRecent(f *testing.F) {
	f.Add(appendRecent(nil, &spftrack.Event{Seq: 7, Zone: testZone, Name: []byte("\x01x\x00")}, new(spftrack.Event)))
	f.Fuzz(func(t *testing.T, events []byte) {
		p := recentParser{b: events}
		var before spftrack.Event
		for len(p.b) > 0 && !p.bad {
			e := p.event(&before)
			if len(e.Name) > len(events) {
				t.Fatal("a text from nowhere")
			}
		}
	})
}
