package mtas

import (
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the examples into docs/mail.md")

// TestMailDocument compares the files that docs/mail.md shows with the examples that
// the tests here start, and looks for examples that it does not show.
func TestMailDocument(t *testing.T) {
	path := filepath.Join(root, "docs/mail.md")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	shown := make(map[string]bool)
	block := regexp.MustCompile("(?ms)^```text (examples/\\S+)\n(.*?)^```$")
	changed := block.ReplaceAllStringFunc(string(text), func(match string) string {
		name := block.FindStringSubmatch(match)[1]
		shown[name] = true
		return "```text " + name + "\n" + example(t, strings.TrimPrefix(name, "examples/")) + "```"
	})
	switch {
	case *update:
		if err := os.WriteFile(path, []byte(changed), 0o644); err != nil {
			t.Fatal(err)
		}
	case changed != string(text):
		t.Error("docs/mail.md shows other files than examples has; go test ./internal/mtas -run TestMailDocument -update")
	}
	for _, dir := range []string{"examples/mail", "examples/haproxy"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			if name, err := filepath.Rel(root, path); err != nil || !shown[name] {
				t.Errorf("docs/mail.md does not show %s", name)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
