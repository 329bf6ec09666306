package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"nullspf/internal/value"
	"nullspf/zones"
)

// Error is one fault in the configuration file.
type Error struct {
	File string
	// Line counts from 1; 0 means the file as a whole.
	Line int
	// Key is the path of the key: "groups.generic.txt[1]".
	Key    string
	Reason string
}

// Error gives file:line: key: reason.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(value.Visible(e.File))
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d", e.Line)
	}
	b.WriteString(": ")
	if e.Key != "" {
		b.WriteString(value.Visible(e.Key) + ": ")
	}
	b.WriteString(e.Reason)
	return b.String()
}

// loader collects the faults of one file.
type loader struct {
	file   string
	lines  map[string]int // by key
	groups []string       // the names of the groups, in the order of the file
	faults []*Error
}

// err joins the faults in the order of the file, nil when there are none.
func (l *loader) err() error {
	slices.SortStableFunc(l.faults, func(a, b *Error) int { return a.Line - b.Line })
	var errs []error
	for _, f := range l.faults {
		errs = append(errs, f)
	}
	return errors.Join(errs...)
}

// told reports whether a fault at a key, or below it, was noted.
func (l *loader) told(key string) bool {
	return slices.ContainsFunc(l.faults, func(f *Error) bool { return strings.HasPrefix(f.Key, key) })
}

// fail notes a fault at a key; a key that the file lacks counts as its parent.
func (l *loader) fail(key, format string, args ...any) {
	l.failAt(l.line(key), key, format, args...)
}

// line returns the line of a key, or of its nearest parent that the file has; 0
// for none.
func (l *loader) line(key string) int {
	for {
		if n, ok := l.lines[key]; ok && key != "" {
			return n
		}
		i := strings.LastIndexAny(key, ".[")
		if i < 0 {
			return 0
		}
		key = key[:i]
	}
}

// failKeys notes faults of settings.
func (l *loader) failKeys(faults []*zones.KeyError) {
	for _, f := range faults {
		l.fail(f.Key, "%s", f.Reason)
	}
}

func (l *loader) failAt(line int, key, format string, args ...any) {
	l.faults = append(l.faults, &Error{File: l.file, Line: line, Key: key, Reason: fmt.Sprintf(format, args...)})
}
