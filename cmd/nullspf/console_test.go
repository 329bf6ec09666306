package main

import (
	"bytes"
	"context"
	"flag"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write what the commands print into the examples of help texts and documents")

// console is a session that a document shows: commands after "$ ", each
// followed by what it prints. Comments and blank lines end an output.
type console []shown

type shown struct {
	command string
	// want is the output, "" when none is shown: then it may be any.
	want string
	// before is what stands between this command and the one before it.
	before string
}

// parseConsole reads a session whose lines are indented alike. A blank line is
// part of an output when the output goes on after it.
func parseConsole(text, indent string) console {
	var c console
	before, blanks, inOutput := "", "", false
	for line := range strings.Lines(strings.TrimSuffix(text, "\n") + "\n") {
		bare := strings.TrimPrefix(line, indent)
		command, isCommand := strings.CutPrefix(bare, "$ ")
		switch {
		case strings.TrimSpace(bare) == "":
			blanks += "\n"
			continue
		case isCommand:
			c = append(c, shown{command: strings.TrimSuffix(command, "\n"), before: before + blanks})
			before, inOutput = "", true
		case inOutput && !strings.HasPrefix(bare, "# "):
			c[len(c)-1].want += blanks + bare
		default:
			before, inOutput = before+blanks+line, false
		}
		blanks = ""
	}
	return c
}

// format is the opposite of parseConsole.
func (c console) format(indent string) string {
	var b strings.Builder
	for _, s := range c {
		b.WriteString(s.before + indent + "$ " + s.command + "\n")
		for line := range strings.Lines(s.want) {
			if line != "\n" {
				line = indent + line
			}
			b.WriteString(line)
		}
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// place is where a session is run: the directories that it shows stand for
// others.
type place struct {
	dir   string
	paths *strings.Replacer // from shown to real
	shown *strings.Replacer // and back
}

// newPlace takes a working directory and pairs of directories, one that is
// shown and the real one.
func newPlace(dir string, pairs ...string) *place {
	back := make([]string, len(pairs))
	for i := 0; i < len(pairs); i += 2 {
		back[i], back[i+1] = pairs[i+1], pairs[i]
	}
	return &place{dir, strings.NewReplacer(pairs...), strings.NewReplacer(back...)}
}

// run runs all commands, compares what they print with what is shown, and
// returns the session as it should be. A command without output must succeed.
func (c console) run(t *testing.T, p *place) console {
	t.Helper()
	var got console
	for _, s := range c {
		out, err := p.run(t.Context(), s.command)
		if err != nil {
			t.Errorf("$ %s\n%s%v", s.command, out, err)
		}
		if s.want != "" {
			if plainNumbers(out) != plainNumbers(s.want) && !*update {
				t.Errorf("$ %s\nprints\n%sthe document shows\n%s", s.command, out, s.want)
			}
			if plainNumbers(out) != plainNumbers(s.want) {
				s.want = out
			}
		}
		got = append(got, s)
	}
	return got
}

// endless are commands that run until they are interrupted.
var endless = regexp.MustCompile(`^nullspf (log tail -f|web)\b`)

// run runs a command by a shell. One that is endless is interrupted.
func (p *place) run(ctx context.Context, command string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	follows := endless.MatchString(command)
	line := p.paths.Replace(command)
	if follows {
		line = "exec " + line
	}
	cmd := exec.CommandContext(ctx, "sh", "-c", line)
	cmd.Dir = p.dir
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	// What the shell has started may hold the output open when it is killed.
	cmd.WaitDelay = time.Second
	err := cmd.Start()
	if err != nil {
		return "", err
	}
	if follows {
		interrupt := time.AfterFunc(2*time.Second, func() { _ = cmd.Process.Signal(os.Interrupt) })
		defer interrupt.Stop()
	}
	err = cmd.Wait()
	return p.shown.Replace(out.String()), err
}

var variable = []struct {
	pattern *regexp.Regexp
	with    string
}{
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`), "TIME"},
	{regexp.MustCompile(`\b[\dhms.]+ ago`), "SOME ago"},
	{regexp.MustCompile(`nullspfd +\S+, process \d+`), "nullspfd VERSION, process N"},
	{regexp.MustCompile(`(?m)^(reloads|transfers (?:in|out)|notifications) .*`), "$1"},
	{regexp.MustCompile(`[\d.]+ kB`), "N kB"},
	{regexp.MustCompile(`(?m)^nullspf \d\S+`), "nullspf VERSION"},
	{regexp.MustCompile(` in [\d.]+ ?m?s\b`), " in N s"},
}

// plainNumbers replaces what differs from run to run: times, durations,
// numbers of processes.
func plainNumbers(text string) string {
	for _, v := range variable {
		text = v.pattern.ReplaceAllString(text, v.with)
	}
	return text
}

func TestConsole(t *testing.T) {
	const text = "  # One.\n  $ echo a; echo; echo b\n  a\n\n  b\n\n  # Two.\n  $ true\n"
	c := parseConsole(text, "  ")
	if len(c) != 2 || c[0].command != "echo a; echo; echo b" || c[0].want != "a\n\nb\n" || c[1].want != "" {
		t.Errorf("%+v", c)
	}
	if got := c.format("  ") + "\n"; got != text {
		t.Errorf("%q", got)
	}
	if got := plainNumbers("nullspfd  1.2.3, process 17\nstarted 2026-11-20T10:30:00Z, 1h30m0s ago"); got != "nullspfd VERSION, process N\nstarted TIME, SOME ago" {
		t.Errorf("%q", got)
	}
	wrong := newPlace(t.TempDir(), "/etc/x", t.TempDir())
	if out, err := wrong.run(t.Context(), "cd /etc/x && pwd && false"); err == nil || out != "/etc/x\n" {
		t.Errorf("%q, %v", out, err)
	}
}
