package mailmaps

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestStale looks for databases that are older than their tables.
func TestStale(t *testing.T) {
	dir := t.TempDir()
	if stale, err := Stale(dir); err != nil || stale != nil {
		t.Errorf("without tables: %v, %v", stale, err)
	}
	write(t, dir, testSettings(), testSet())
	now := time.Now()
	for name, age := range map[string]time.Duration{
		"virtual": time.Minute, "virtual.db": 0, "recipient_access": 0, "recipient_access.lmdb": time.Minute, "other.db": time.Hour,
	} {
		path := filepath.Join(dir, "mail/postfix", name)
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, now.Add(-age), now.Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	stale, err := Stale(dir)
	if err != nil || len(stale) != 1 || !strings.Contains(stale[0], "recipient_access.lmdb is older than recipient_access: ") {
		t.Errorf("%q, %v", stale, err)
	}
}
