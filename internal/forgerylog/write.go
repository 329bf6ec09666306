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

// The formats. All of them are ASCII, apart from names of directories. JSON is
// one object a line for events, one document for everything else. CSV has a
// line with the names of columns.
const (
	Table Format = "table"
	JSON  Format = "json"
	CSV   Format = "csv"
)

// Parquet is a format of events only: a file with the columns of segments.
const Parquet Format = "parquet"

// Formats lists the formats of all output.
var Formats = []Format{Table, JSON, CSV}

// ParseFormat returns the format called s.
func ParseFormat(s string) (Format, error) {
	if f := Format(s); slices.Contains(Formats, f) {
		return f, nil
	}
	return "", fmt.Errorf("no format %q; there are %s", s, join(Formats))
}

// noFormula makes a text of a cell in CSV safe for spreadsheets, which take a cell that begins
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

func formatTime(ts int64, layout string) string { return time.Unix(0, ts).UTC().Format(layout) }
