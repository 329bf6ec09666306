package nullspf_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestSkipsGoThroughPeers looks for tests that skip themselves: "make test"
// could not tell a machine that lacks something from a test that never runs.
func TestSkipsGoThroughPeers(t *testing.T) {
	skips := regexp.MustCompile(`[.]Skip(f|Now)?[(]`)
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (path == "internal/peers" || strings.HasPrefix(entry.Name(), ".") && path != "."):
			return filepath.SkipDir
		case !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for i, line := range strings.Split(string(text), "\n") {
			if skips.MatchString(line) {
				t.Errorf("%s:%d skips a test; call Lack or a Require function of internal/peers, which fail under make test", path, i+1)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
