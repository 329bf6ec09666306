package version

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strings"
	"testing"
)

func TestOf(t *testing.T) {
	vcs := func(modified string) []debug.BuildSetting {
		return []debug.BuildSetting{
			{Key: "vcs.revision", Value: "e794084c1f2a0123456789abcdef0123456789ab"},
			{Key: "vcs.time", Value: "2026-11-27T14:45:00+01:00"},
			{Key: "vcs.modified", Value: modified},
		}
	}
	for _, c := range []struct {
		tag      string
		settings []debug.BuildSetting
		want     string
	}{
		{"(devel)", nil, Release},
		{"", vcs("false")[:1], Release}, // no time
		{"v" + Release, vcs("false"), Release},
		{"v" + Release + "+dirty", vcs("true"), Release + "+20261127134500.e794084c1f2a.modified"},
		{"v0.0.0-20261127134500-e794084c1f2a", vcs("false"), Release + "+20261127134500.e794084c1f2a"},
	} {
		info := &debug.BuildInfo{Main: debug.Module{Version: c.tag}, Settings: c.settings}
		if got := of(info); got != c.want {
			t.Errorf("%q, %v: %s, want %s", c.tag, c.settings, got, c.want)
		}
	}
}

// The newest numbered section of CHANGELOG.md is that of the release, with its
// date, below "Unreleased".
func TestChangelog(t *testing.T) {
	text, err := os.ReadFile("../../CHANGELOG.md")
	if err != nil {
		t.Fatal(err)
	}
	heads := regexp.MustCompile(`(?m)^## (.*)$`).FindAllStringSubmatch(string(text), -1)
	if len(heads) < 2 || heads[0][1] != "Unreleased" {
		t.Fatalf("sections %q: the first is \"Unreleased\", the second that of the newest release", heads)
	}
	number, date, _ := strings.Cut(heads[1][1], " - ")
	if number != Release {
		t.Errorf("CHANGELOG.md says that the newest release is %s, internal/version/VERSION says %s", number, Release)
	}
	if !regexp.MustCompile(`^20\d\d-[01]\d-[0-3]\d$`).MatchString(date) {
		t.Errorf("the section of %s has the date %q, not YYYY-MM-DD", number, date)
	}
}

// Both programs say the same version, however they are built.
func TestProgramsAgree(t *testing.T) {
	dir := t.TempDir()
	install := exec.Command("go", "install", "nullspf/cmd/...")
	install.Env = append(os.Environ(), "GOBIN="+dir)
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	said := func(program string, args ...string) string {
		out, err := exec.Command(filepath.Join(dir, program), args...).CombinedOutput()
		number, named := strings.CutPrefix(string(out), program+" ")
		if err != nil || !named || !strings.HasPrefix(number, Release) {
			t.Errorf("%s %v: %v\n%s", program, args, err, out)
		}
		return number
	}
	if tool, daemon := said("nullspf", "version"), said("nullspfd", "-version"); tool != daemon {
		t.Errorf("nullspf is %snullspfd is %s", tool, daemon)
	}
}
