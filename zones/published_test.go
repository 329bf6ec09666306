package zones

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestPublishedNames(t *testing.T) {
	dir := t.TempDir()
	if _, err := PublishedNames(dir, "", 10); err == nil {
		t.Error("names without a manifest")
	}
	var all []string
	for i := range 500 {
		all = append(all, fmt.Sprintf("shop-%03d.example", i*2))
	}
	all = append(all, "zebra.example")
	var text strings.Builder
	for _, name := range all {
		text.WriteString(name + "\tgeneric\t1\t" + strings.Repeat("0", 32) + "\n")
	}
	path := filepath.Join(dir, manifestFile)
	if err := os.WriteFile(path, []byte(text.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, prefix := range []string{"", "a", "shop-", "shop-0", "shop-00", "shop-001", "shop-998.example", "shop-999", "shop-5", "zebra", "zebra.example", "zoo"} {
		var want []string
		for _, name := range all {
			if strings.HasPrefix(name, prefix) && len(want) < 20 {
				want = append(want, name)
			}
		}
		got, err := PublishedNames(dir, prefix, 20)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %q, %v, want %q", prefix, got, err, want)
		}
	}
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if got, err := PublishedNames(dir, "", 20); err != nil || len(got) != 0 {
		t.Errorf("%q, %v", got, err)
	}
}
