package torture

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestScenarios: the tests of all scenarios are there, and packages with a test that
// starts a run have a scenario.
func TestScenarios(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", "{{.Dir}}", "-m").Output()
	if err != nil {
		t.Fatal(err)
	}
	root := strings.TrimSpace(string(out))
	listed := make(map[string]bool)
	names := make(map[string]bool)
	for _, s := range Scenarios {
		listed[s.Package] = true
		if names[s.Name] {
			t.Errorf("two scenarios are named %s", s.Name)
		}
		names[s.Name] = true
		files, err := filepath.Glob(filepath.Join(root, s.Package, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		there := make(map[string]bool)
		for _, path := range files {
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range file.Decls {
				if f, is := d.(*ast.FuncDecl); is {
					there[f.Name.Name] = true
				}
			}
		}
		for _, test := range s.Tests {
			if !there[test] {
				t.Errorf("%s: no %s in %s", s.Name, test, s.Package)
			}
		}
	}
	err = filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		dir, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil || listed[dir] || dir == "internal/torture" {
			return err
		}
		text, err := os.ReadFile(path)
		if strings.Contains(string(text), "torture.Start(") {
			t.Errorf("%s starts a run, and internal/torture/scenarios.go has no scenario with %s", path, dir)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
