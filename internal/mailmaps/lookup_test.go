package mailmaps

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"nullspf/internal/peers"
)

// mapTypes are those that postmap can build from a table, the usual one
// first; texthash needs no building, but is checked like the others.
var mapTypes = []string{"hash", "lmdb", "btree", "cdb", "texthash"}

// postfixMapTypes returns the map types that the installed Postfix has.
func postfixMapTypes(t *testing.T) []string {
	t.Helper()
	peers.Require(t, "postconf", "postmap")
	known := strings.Fields(run(t, "", "postconf", "-m"))
	var types []string
	for _, m := range mapTypes {
		if slices.Contains(known, m) {
			types = append(types, m)
		}
	}
	return types
}

// run runs a program with an input and returns its output; a warning counts as
// a failure.
func run(t *testing.T, input, name string, args ...string) string {
	t.Helper()
	program, err := peers.Program(name)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Stdin = strings.NewReader(input)
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil || errs.Len() > 0 {
		t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, out, errs.String())
	}
	return string(out)
}

// TestPostmap has postmap build each Postfix table and look names up in it.
func TestPostmap(t *testing.T) {
	types := postfixMapTypes(t)
	dir := t.TempDir()
	write(t, dir, testSettings(), testSet())
	const mailbox = "postmaster@mail.example.net"
	const refused = "554 5.7.1 This domain is not used for email"
	lookups := map[string]map[string]string{
		"recipient_access": {
			"postmaster@alpha.example": "DUNNO", "alpha.example": refused, "y.example": refused,
			"postmaster@y.example": "DUNNO", "xn--mnchen-3ya.example": refused,
			"z.example": "", "postmaster@z.example": "", "@alpha.example": "", "example": "",
		},
		"virtual_alias_domains": {"alpha.example": "OK", "z.example": "", "mail.example.net": ""},
		"virtual":               {"postmaster@alpha.example": mailbox, "@alpha.example": "", "a@alpha.example": "", "postmaster@z.example": ""},
		"relay_domains":         {"brand.example.org": "OK", "example.org": "", "z.example": ""},
		"relay_recipients":      {"postmaster@brand.example.org": "OK", "@brand.example.org": "", "postmaster@z.example": ""},
	}
	for _, m := range types {
		for name, queries := range lookups {
			t.Run(m+"/"+name, func(t *testing.T) {
				table := m + ":" + filepath.Join(dir, "mail/postfix", name)
				if m != "texthash" {
					run(t, "", "postmap", table)
				}
				for key, want := range queries {
					if got := query(t, table, key); got != want {
						t.Errorf("%s: got %q, want %q", key, got, want)
					}
				}
			})
		}
	}
}

// query returns what postmap finds, "" for nothing.
func query(t *testing.T, table, key string) string {
	t.Helper()
	program, err := peers.Program("postmap")
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), program, "-q", key, table).CombinedOutput()
	if err != nil && len(out) > 0 {
		t.Fatalf("postmap -q %s %s: %v\n%s", key, table, err, out)
	}
	return strings.TrimSuffix(string(out), "\n")
}

// TestMakemap has makemap build the virtusertable and compares what it holds.
func TestMakemap(t *testing.T) {
	program := peers.Makemap(t)
	dir := t.TempDir()
	write(t, dir, testSettings(), testSet())
	input, err := os.Open(filepath.Join(dir, "mail/sendmail/virtusertable.appendix"))
	if err != nil {
		t.Fatal(err)
	}
	defer input.Close()
	table := filepath.Join(dir, "virtusertable")
	cf := filepath.Join(dir, "empty.cf")
	if err := os.WriteFile(cf, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	build := exec.CommandContext(t.Context(), program, "-C", cf, "hash", table)
	build.Stdin = input
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("makemap: %v\n%s", err, out)
	}
	dump, err := exec.CommandContext(t.Context(), program, "-C", cf, "-u", "hash", table).Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(dump)), "\n")
	slices.Sort(lines)
	var want []string
	for _, name := range []string{"alpha.example", "brand.example.org", "xn--mnchen-3ya.example", "y.example"} {
		want = append(want,
			fmt.Sprintf("postmaster@%s\tpostmaster@mail.example.net", name),
			fmt.Sprintf("@%s\terror:5.7.1:554 This domain is not used for email", name))
	}
	slices.Sort(want)
	if !slices.Equal(lines, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
}
