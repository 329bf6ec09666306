package zones

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestPublishedZones(t *testing.T) {
	dir := t.TempDir()
	if _, err := PublishedZones(dir, "", 10); err == nil {
		t.Error("names without a manifest")
	}
	var all []Published
	for i := range 500 {
		all = append(all, Published{fmt.Sprintf("shop-%03d.example", i*2), "generic", uint32(i + 1)})
	}
	all = append(all, Published{"zebra.example", "animals", 7}, Published{"zebra.example.org", "animals", 8})
	var text strings.Builder
	for _, z := range all {
		fmt.Fprintf(&text, "%s\t%s\t%d\t%s\n", z.Name, z.Group, z.Serial, strings.Repeat("0", 32))
	}
	path := filepath.Join(dir, manifestFile)
	if err := os.WriteFile(path, []byte(text.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, prefix := range []string{"", "a", "shop-", "shop-0", "shop-00", "shop-001", "shop-998.example", "shop-999", "shop-5", "zebra", "zebra.example", "zoo"} {
		var want []Published
		for _, z := range all {
			if strings.HasPrefix(z.Name, prefix) && len(want) < 20 {
				want = append(want, z)
			}
		}
		got, err := PublishedZones(dir, prefix, 20)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %v, %v, want %v", prefix, got, err, want)
		}
	}
	for name, want := range map[string]uint32{"zebra.example": 7, "zebra.example.org": 8, "shop-998.example": 500, "shop-001.example": 0, "zebra": 0, "": 0} {
		z, err := FindPublished(dir, name)
		if err != nil || (z != nil) != (want != 0) || z != nil && (z.Name != name || z.Serial != want) {
			t.Errorf("%q: %v, %v", name, z, err)
		}
	}
	if err := os.WriteFile(path, []byte("zebra.example\tanimals\tx\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got, err := PublishedZones(dir, "z", 20); err == nil {
		t.Errorf("a damaged line: %v", got)
	}
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if got, err := PublishedZones(dir, "", 20); err != nil || len(got) != 0 {
		t.Errorf("%v, %v", got, err)
	}
}
