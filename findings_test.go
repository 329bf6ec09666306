package nullspf_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestFindingsHaveTheirForm checks what findings/README.md asks of each script.
func TestFindingsHaveTheirForm(t *testing.T) {
	readme, err := os.ReadFile("findings/README.md")
	if err != nil {
		t.Fatal(err)
	}
	scripts, err := filepath.Glob("findings/*.sh")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no findings: %v", err)
	}
	for _, path := range scripts {
		if info, err := os.Stat(path); err != nil || info.Mode()&0o111 == 0 {
			t.Errorf("%s cannot be executed: %v", path, err)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(string(text), "#!/usr/bin/env bash\n# ") {
			t.Errorf("%s does not begin with what it shows", path)
		}
		for _, want := range []string{"\n# Expected: ", "\n# Seen: ", "\nset -euo pipefail\n", "\nwork=$(mktemp -d)\n", "\ntrap '", "expected: ", "seen:     "} {
			if !strings.Contains(string(text), want) {
				t.Errorf("%s lacks %q", path, want)
			}
		}
		if !strings.Contains(string(readme), "| "+filepath.Base(path)+" |") {
			t.Errorf("findings/README.md does not list %s", path)
		}
	}
}
