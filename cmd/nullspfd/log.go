package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/term"
)

// isTerminal reports whether w is a terminal, where people read.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// newLogger returns a logger that writes lines for people to a terminal, and
// one JSON object a line to anything else.
func newLogger(w io.Writer, terminal bool) zerolog.Logger {
	if terminal {
		w = zerolog.ConsoleWriter{Out: w, TimeFormat: time.DateTime, FormatMessage: printable, FormatFieldValue: printable}
	}
	return zerolog.New(w).With().Timestamp().Logger()
}

// printable quotes a text that could control a terminal.
func printable(value any) string {
	text := fmt.Sprintf("%s", value)
	if strings.ContainsFunc(text, func(r rune) bool { return !strconv.IsPrint(r) }) {
		return strconv.Quote(text)
	}
	return text
}

// standardLog writes lines of the standard library's logger, among them those
// of caddy, to zerolog.
type standardLog struct{ zerolog.Logger }

// Write implements [io.Writer].
func (l standardLog) Write(line []byte) (int, error) {
	text := strings.TrimSpace(string(line))
	level := zerolog.InfoLevel
	for prefix, is := range map[string]zerolog.Level{
		"[INFO] ":    zerolog.InfoLevel,
		"[WARNING] ": zerolog.WarnLevel,
		"[ERROR] ":   zerolog.ErrorLevel,
	} {
		if rest, ok := strings.CutPrefix(text, prefix); ok {
			text, level = rest, is
		}
	}
	if strings.HasPrefix(text, "http: ") { // of net/http
		level = zerolog.WarnLevel
	}
	l.WithLevel(level).Msg(text)
	return len(line), nil
}
