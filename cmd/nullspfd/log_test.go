package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"nullspf/internal/peers"
)

// The log is for people on a terminal, and JSON in a pipe.
func TestLogOnTerminal(t *testing.T) {
	dir := t.TempDir()
	conf := writeFile(t, filepath.Join(dir, "bad"), "_spf.example.net {\n    spftrak\n}\n")

	program, person := peers.Terminal(t)
	cmd := nullspfd(t, dir, "-conf", conf, "-check")
	cmd.Env = append(cmd.Env, "NO_COLOR=1")
	cmd.Stderr = program
	if err := cmd.Run(); cmd.ProcessState.ExitCode() != 1 {
		t.Fatal(err)
	}
	program.Close()
	b, err := io.ReadAll(person)
	if err != nil && !errors.Is(err, unix.EIO) { // EIO is the end
		t.Fatal(err)
	}
	when, text, _ := strings.Cut(string(b), " ERR ")
	if _, err := time.Parse(time.DateTime, when); err != nil {
		t.Errorf("the line on a terminal: %q: %v", b, err)
	}
	if !strings.HasPrefix(text, "the configuration has an error") || !strings.Contains(text, "Unknown directive 'spftrak'") || strings.ContainsAny(text, "{}\x1b") {
		t.Errorf("the line on a terminal: %q", b)
	}

	var pipe bytes.Buffer
	cmd = nullspfd(t, dir, "-conf", conf, "-check")
	cmd.Stderr = &pipe
	if err := cmd.Run(); cmd.ProcessState.ExitCode() != 1 {
		t.Fatal(err)
	}
	var line struct{ Level, Error string }
	if err := json.Unmarshal(pipe.Bytes(), &line); err != nil || line.Level != "error" || !strings.Contains(line.Error, "spftrak") {
		t.Errorf("the line in a pipe: %q: %v", &pipe, err)
	}
}

// What strangers send cannot control the terminal.
func TestLogOnTerminalIsPrintable(t *testing.T) {
	t.Setenv("NO_COLOR", "1")
	hostile := "a\x1b[2Jb\r\nc\u009bd"
	var b bytes.Buffer
	log := newLogger(&b, true)
	log.Warn().Str("qname", hostile).Err(errors.New(hostile)).Strs("list", []string{hostile}).Bytes("stack", []byte(hostile)).Msg(hostile)
	line := strings.TrimSuffix(b.String(), "\n")
	for i, r := range line {
		if r < ' ' || r > '~' {
			t.Errorf("%q at %d: %q", r, i, line)
		}
	}
}

// Lines of libraries have the level that they name, and trouble of HTTP servers is
// a warning, of which there is a limit.
func TestStandardLog(t *testing.T) {
	var out strings.Builder
	log := standardLog{zerolog.New(&out)}
	for _, line := range []string{"[ERROR] one\n", "two\n", "http: Accept error: three\n"} {
		if _, err := log.Write([]byte(line)); err != nil {
			t.Fatal(err)
		}
	}
	const want = `{"level":"error","message":"one"}
{"level":"info","message":"two"}
{"level":"warn","message":"http: Accept error: three"}
`
	if out.String() != want {
		t.Errorf("got\n%s, want\n%s", out.String(), want)
	}
}
