package packaging_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Programs that stand for those of a fresh system: $VERSION is that of Go, FETCH is
// what comes of fetching another one.
const (
	fakeGo = `case "$*" in
"env GOVERSION") echo "go$VERSION" ;;
"env GOTOOLCHAIN") echo "${GOTOOLCHAIN:-auto}" ;;
version) [ -z "$FETCH" ] || { echo "$FETCH" >&2; exit 1; } ;;
esac`
	fakeCache = `case $1 in
policy) printf '%s:\n  Installed: (none)\n  Candidate: %s\n' "$2" "$CANDIDATE" ;;
pkgnames) printf 'golang-1.19-go\n%s\n' "$PACKAGE" ;;
esac`
	fakeGet = `echo "http://mirror.example/security bookworm-security"; echo "http://mirror.example/debian bookworm"`
)

// TestCheckGo checks what is said to type where make finds no Go that fits.
func TestCheckGo(t *testing.T) {
	tools, programs := t.TempDir(), t.TempDir()
	write := func(dir, name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write(programs, "go", fakeGo)
	write(tools, "apt-cache", fakeCache)
	write(tools, "apt-get", fakeGet)
	for _, name := range []string{"sh", "sed", "awk", "sort", "tail", "head", "dirname"} {
		path, err := exec.LookPath(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(path, filepath.Join(tools, name)); err != nil {
			t.Fatal(err)
		}
	}
	debian, ubuntu := filepath.Join(tools, "debian"), filepath.Join(tools, "ubuntu")
	write(tools, "debian", "ID=debian\nVERSION_CODENAME=bookworm")
	write(tools, "ubuntu", "ID=ubuntu\nVERSION_CODENAME=jammy")

	for _, c := range []struct {
		name, goVersion string // "" is not a Go
		env             []string
		want            []string // nil: nothing to say
	}{
		{"the Go of go.mod", "1.26.0", nil, nil},
		{"a newer one", "1.30.1", nil, nil},
		{"one that fetches", "1.23.5", nil, nil},
		{"one that cannot fetch", "1.23.5", []string{"FETCH=no route to host"}, []string{"The Go 1.23.5 that is here has to fetch it, and could not", "no route to host"}},
		{"one that may not fetch", "1.23.5", []string{"FETCH=go.mod requires go >= 1.26", "GOTOOLCHAIN=local"}, []string{"env -w GOTOOLCHAIN=auto"}},
		{"Debian 12", "", []string{"CANDIDATE=2:1.19~1", "OS_RELEASE=" + debian}, []string{
			"There is no command",
			"echo 'deb http://mirror.example/debian bookworm-backports main' | sudo tee /etc/apt/sources.list.d/backports.list",
			"sudo apt-get update", "sudo apt-get install -t bookworm-backports golang-go ca-certificates",
		}},
		{"Debian 12 with its Go", "1.19.8", []string{"CANDIDATE=2:1.19~1", "OS_RELEASE=" + debian}, []string{
			"This is Go 1.19.8", "sudo apt-get install -t bookworm-backports golang-go ca-certificates",
		}},
		{"Debian 13", "", []string{"CANDIDATE=2:1.24~2"}, []string{"sudo apt-get install golang-go ca-certificates"}},
		{"Ubuntu 22.04", "1.18.1", []string{"CANDIDATE=2:1.18~0ubuntu2", "PACKAGE=golang-1.23-go"}, []string{
			"GO=/usr/lib/go-1.23/bin/go", "sudo apt-get install golang-1.23-go ca-certificates",
		}},
		{"an old Ubuntu", "1.18.1", []string{"CANDIDATE=2:1.18~0ubuntu2", "OS_RELEASE=" + ubuntu}, []string{"go.dev/doc/install"}},
		{"before apt-get update", "", nil, []string{"sudo apt-get update"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			goCommand := filepath.Join(programs, "go")
			if c.goVersion == "" {
				goCommand = filepath.Join(programs, "none")
			}
			cmd := exec.Command("../scripts/check-go")
			cmd.Env = append([]string{"PATH=" + tools, "GO=" + goCommand, "VERSION=" + c.goVersion}, c.env...)
			out, err := cmd.CombinedOutput()
			if (err == nil) != (c.want == nil) || err == nil && len(out) > 0 {
				t.Errorf("%v\n%s", err, out)
			}
			for _, w := range c.want {
				if !strings.Contains(string(out), w) {
					t.Errorf("nothing is said of %q:\n%s", w, out)
				}
			}
		})
	}
}
