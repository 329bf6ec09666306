package forgerylog

import (
	"os"
	"testing"
	"time"

	"nullspf/internal/journal"
)

// TestVersion1 reads a directory as nullspfd wrote it in November 2026: two
// segments and a wal file. Whatever is added to the schema, its events stay
// what they were, before and after the daemon of today has sealed and joined
// them.
func TestVersion1(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/version1")); err != nil {
		t.Fatal(err)
	}
	golden(t, "version1.json", render(t, open(dir), Query{Packets: true}, JSON))

	compacted := t.TempDir()
	if err := os.CopyFS(compacted, os.DirFS("testdata/version1")); err != nil {
		t.Fatal(err)
	}
	for _, rewritten := range []int{3, 0} {
		done, err := journal.CompactDir(t.Context(), compacted, journal.CompactOptions{})
		if err != nil || done.Rewritten != rewritten || done.Summaries != 0 || done.After.Segments != done.Before.Segments {
			t.Errorf("compacted: %+v, %v", done, err)
		}
		golden(t, "version1.json", render(t, open(compacted), Query{Packets: true}, JSON))
		reports, err := open(compacted).Check(t.Context())
		if err != nil || len(reports[0].Problems) > 0 {
			t.Errorf("%v, %v", reports[0].Problems, err)
		}
	}

	// An event of the next day makes the day of the others over.
	j, err := journal.Open(sealSoon(testSettings(dir)))
	if err != nil {
		t.Fatal(err)
	}
	next := check{at: 24 * time.Hour, ip: "192.0.2.7", local: "info", domain: "shop.example", helo: "mail.example.org"}
	put(t, j, next.packets()...)
	waitFor(t, func() bool { return j.Stats().Compactions == 1 })
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	golden(t, "version1.json", render(t, open(dir), Query{Packets: true, Until: testTime.Add(24 * time.Hour)}, JSON))
	reports, err := open(dir).Check(t.Context())
	if err != nil || len(reports[0].Problems) > 0 {
		t.Errorf("%v, %v", reports[0].Problems, err)
	}
}
