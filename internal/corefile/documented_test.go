package corefile

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestDocumented compares the directives, and the settings of each, with the
// tables of nullspf-corefile(5).
func TestDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/man/nullspf-corefile.5.md")
	if err != nil {
		t.Fatal(err)
	}
	sections := make(map[string]string)
	for _, section := range strings.Split("\n"+string(text), "\n## ")[1:] {
		name, content, _ := strings.Cut(section, "\n")
		sections[name] = content
	}
	var names []string
	for _, d := range directives {
		names = append(names, d.name)
	}
	compare(t, "directive", names, rows(sections["DIRECTIVES"]))
	withSettings := 0
	for _, name := range names {
		known := settings(t, name)
		if len(known) == 0 {
			continue
		}
		withSettings++
		compare(t, "setting of "+name, known, rows(sections[strings.ToUpper(name)]))
	}
	if withSettings < 5 {
		t.Errorf("settings of only %d directives found", withSettings)
	}
}

// rows are the first words of the first cells of tables.
func rows(section string) []string {
	var list []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z_]+)").FindAllStringSubmatch(section, -1) {
		list = append(list, m[1])
	}
	return list
}

// settings finds the settings of a directive in the source file of its name:
// the cases of the switch over the setting.
func settings(t *testing.T, directive string) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), directive+".go", nil, 0)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	ast.Inspect(file, func(n ast.Node) bool {
		s, ok := n.(*ast.SwitchStmt)
		if !ok {
			return true
		}
		if tag, ok := s.Tag.(*ast.Ident); !ok || tag.Name != "key" && tag.Name != "setting" {
			return true
		}
		for _, c := range s.Body.List {
			for _, e := range c.(*ast.CaseClause).List {
				name, err := strconv.Unquote(e.(*ast.BasicLit).Value)
				if err != nil {
					t.Fatal(err)
				}
				if !slices.Contains(list, name) {
					list = append(list, name)
				}
			}
		}
		return true
	})
	return list
}

func compare(t *testing.T, what string, known, documented []string) {
	t.Helper()
	for _, name := range known {
		if !slices.Contains(documented, name) {
			t.Errorf("docs/man/nullspf-corefile.5.md has no row for the %s %q", what, name)
		}
	}
	for _, name := range documented {
		if !slices.Contains(known, name) {
			t.Errorf("docs/man/nullspf-corefile.5.md has a row for the %s %q, which there is not", what, name)
		}
	}
}
