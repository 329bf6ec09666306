// Package nullspf_test holds the checkout to the rules that no single package
// can check.
package nullspf_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestImportsPointOneWay checks: cmd -> named, nolisting, spftrack, internal
// -> zones; and that each large library stays behind the package made for it.
func TestImportsPointOneWay(t *testing.T) {
	const format = `{{.ImportPath}} {{join .Imports " "}}`
	out, err := exec.Command("go", "list", "-f", format, "./...").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	top := []string{"nullspf/named", "nullspf/nolisting", "nullspf/spftrack", "nullspf/zones"}
	only := map[string][]string{
		"github.com/spf13/viper":            {"nullspf/internal/config"},
		"github.com/coredns/caddy":          {"nullspf/internal/nameserver"},
		"github.com/parquet-go/parquet-go":  {"nullspf/internal/journal", "nullspf/internal/forgerylog"},
		"github.com/spf13/cobra":            {"nullspf/cmd/nullspf"},
		"github.com/schollz/progressbar/v3": {"nullspf/cmd/nullspf"},
	}
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		from, imports := words[0], words[1:]
		for _, to := range imports {
			if users, limited := only[to]; limited && !slices.Contains(users, from) {
				t.Errorf("%s imports %s; only %v may", from, to, users)
			}
			if !strings.HasPrefix(to, "nullspf/") {
				continue
			}
			switch {
			case strings.HasPrefix(to, "nullspf/cmd/"):
				t.Errorf("%s imports the program %s", from, to)
			case slices.Contains(top, from) && to != "nullspf/zones":
				t.Errorf("%s imports %s; the packages at the top level import zones only", from, to)
			}
			if from == "nullspf/zones" {
				t.Errorf("zones imports %s; it imports nothing of this module", to)
			}
		}
	}
}
