package corefile

import (
	"os"
	"regexp"
	"slices"
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
	for _, d := range directives {
		if d.settings != nil {
			compare(t, "setting of "+d.name, d.settings, rows(sections[strings.ToUpper(d.name)]))
		}
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
