package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"nullspf/internal/testsite"
	"nullspf/zones"
)

// TestExamples checks the example Corefiles and those of the documents, with
// the directories that they name below a temporary one.
func TestExamples(t *testing.T) {
	dir := t.TempDir()
	site := &testsite.Site{
		Dir: dir, Catalog: "catalog.invalid", Now: time.Unix(1_800_000_000, 0),
		Lists: map[*zones.Group]string{testsite.Group("generic"): "domain\nbrand.example\n"},
	}
	if err := site.Build(t.Context()); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "tsig.key"), "bnVsbHNwZiB0ZXN0cyBubyBzZWNyZXQgYXQgYWxsISE=\n")
	examples := make(map[string]string)
	paths, err := filepath.Glob("../../examples/*Corefile")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		examples[path] = readFile(t, path)
	}
	const document = "../../docs/man/nullspf-corefile.5.md"
	for i, m := range regexp.MustCompile("(?ms)^```([a-z]*)\n(.*?)^```$").FindAllStringSubmatch(readFile(t, document), -1) {
		if m[1] == "" && strings.HasSuffix(m[2], "\n}\n") {
			examples[fmt.Sprintf("%s: block %d", document, i+1)] = m[2]
		}
	}
	if len(examples) < 5 {
		t.Errorf("only %d examples", len(examples))
	}
	directories := strings.NewReplacer("/etc/nullspf/", dir+"/", "/var/lib/nullspf/", dir+"/", "/run/nullspf/", dir+"/")
	writeFile(t, filepath.Join(dir, "cookies"), "e5e973e5a6b2a43f48e7dc849e37bfcf\n")
	for name, text := range examples {
		path := writeFile(t, filepath.Join(t.TempDir(), "Corefile"), directories.Replace(text))
		if out, err := nullspfd(t, dir, "-conf", path, "-check").CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestOptionsAreDocumented compares the options with nullspfd(8).
func TestOptionsAreDocumented(t *testing.T) {
	help, err := nullspfd(t, t.TempDir(), "-help").CombinedOutput()
	if err != nil {
		t.Fatal(err)
	}
	page := readFile(t, "../../docs/man/nullspfd.8.md")
	options := regexp.MustCompile(`(?m)^  (-[a-z]+)`).FindAllStringSubmatch(string(help), -1)
	if len(options) < 3 {
		t.Errorf("only %d options in\n%s", len(options), help)
	}
	for _, o := range options {
		if !strings.Contains(page, "\n**"+o[1]+"**") {
			t.Errorf("nullspfd(8) does not describe %s", o[1])
		}
	}
}
