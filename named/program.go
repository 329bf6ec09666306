package named

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// systemDirs are where the servers' programs are, which is not in everybody's
// PATH.
var systemDirs = []string{"/usr/sbin", "/usr/local/sbin", "/sbin"}

// FindProgram returns the path of a program: in PATH, in systemDirs, or beside
// the running program.
func FindProgram(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil || strings.ContainsRune(name, '/') {
		return path, err
	}
	dirs := systemDirs
	if self, err := os.Executable(); err == nil {
		dirs = append(dirs[:len(dirs):len(dirs)], filepath.Dir(self))
	}
	for _, dir := range dirs {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s is not installed", name)
}

// Limits of what is kept of a program's output.
const (
	tailLines = 20
	tailWidth = 400 // bytes of a line
)

// tail is an io.Writer that keeps the last lines of what is written to it,
// without control characters.
type tail struct {
	// skip reports the lines that are not kept; nil for none.
	skip  func(line []byte) bool
	lines [][]byte
	line  []byte
}

// Write implements io.Writer; it never fails.
func (t *tail) Write(p []byte) (int, error) {
	for _, c := range p {
		switch {
		case c == '\n':
			t.endLine()
		case len(t.line) >= tailWidth:
		case c < ' ' && c != '\t' || c == 0x7f:
			t.line = append(t.line, '?')
		default:
			t.line = append(t.line, c)
		}
	}
	return len(p), nil
}

func (t *tail) endLine() {
	line := t.line
	t.line = t.line[:0]
	if len(line) == 0 || t.skip != nil && t.skip(line) {
		return
	}
	if len(t.lines) < tailLines {
		t.lines = append(t.lines, bytes.Clone(line))
		return
	}
	first := t.lines[0]
	copy(t.lines, t.lines[1:])
	t.lines[tailLines-1] = append(first[:0], line...)
}

// String returns the lines, without a newline at the end.
func (t *tail) String() string {
	if len(t.line) > 0 {
		t.endLine()
	}
	return strings.ToValidUTF8(string(bytes.Join(t.lines, []byte("\n"))), "?")
}
