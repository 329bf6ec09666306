package forgerylog

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Format is a form of output.
type Format string

// The formats. All of them are ASCII, apart from names of folders. JSON is one
// object a line for events, one document for everything else. CSV has a line
// with the names of columns.
const (
	Table Format = "table"
	JSON  Format = "json"
	CSV   Format = "csv"
)

var formats = []Format{Table, JSON, CSV}

// ParseFormat returns the format called s.
func ParseFormat(s string) (Format, error) {
	if f := Format(s); slices.Contains(formats, f) {
		return f, nil
	}
	return "", fmt.Errorf("no format %q; there are %s", s, join(formats))
}

// shown is the last guard before output: a text of a row is printable ASCII
// without spaces already, unless the file was forged. What is not becomes \DDD.
func shown(s string) string {
	harmless := func(c byte) bool { return c > ' ' && c < 0x7f }
	i := 0
	for i < len(s) && harmless(s[i]) {
		i++
	}
	if i == len(s) {
		return s
	}
	var b strings.Builder
	b.WriteString(s[:i])
	for ; i < len(s); i++ {
		if harmless(s[i]) {
			b.WriteByte(s[i])
		} else {
			fmt.Fprintf(&b, `\%03d`, s[i])
		}
	}
	return b.String()
}

// cell is a text of a row in CSV.
func cell(s string) string { return noFormula(shown(s)) }

// noFormula makes a text safe for spreadsheets, which take a cell that begins
// with one of these characters for a formula, and split lines at semicolons in
// countries with a decimal comma.
func noFormula(s string) string {
	s = strings.ReplaceAll(s, ";", `\059`)
	if s != "" && strings.IndexByte("=+-@\t\r", s[0]) >= 0 {
		return "'" + s
	}
	return s
}

// printable is a path or a message. Unlike the texts of events it may hold
// spaces and letters of any script; with anything invisible it is quoted.
func printable(s string) string {
	invisible := func(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }
	if strings.ContainsFunc(s, invisible) {
		return fmt.Sprintf("%+q", s)
	}
	return s
}

// Timestamps are UTC. A table has milliseconds, the other formats nanoseconds.
const (
	tableTime = "2006-01-02T15:04:05.000Z"
	exactTime = "2006-01-02T15:04:05.000000000Z"
)

func formatTime(ts int64, layout string) string { return time.Unix(0, ts).UTC().Format(layout) }
