package verify

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
)

// The escape sequences of a table (ECMA-48 section 8.3.117).
const (
	bold  = "\x1b[1m"
	red   = "\x1b[31m"
	green = "\x1b[32m"
	plain = "\x1b[m"
)

// WriteTable writes findings as text, grouped by zone, those about all zones
// first:
//
//	brand.example
//	  192.0.2.1:53  serial  the zone is older than in the manifest
//	                        want 2026112001
//	                        have 2026112000
//	  192.0.2.2:53  mx      www.brand.example: the record is missing
//	                        want 0 .
//
// color is for terminals. Whatever the findings hold, no other control
// character is written.
func WriteTable(w io.Writer, findings []Finding, color bool) error {
	t := table{w: bufio.NewWriter(w), color: color}
	for i := range findings {
		t.server = max(t.server, len(escape(findings[i].Server)))
		t.check = max(t.check, len(escape(findings[i].Check)))
	}
	last := "\x00"
	for _, f := range sorted(findings) {
		if f.Zone != last {
			heading := f.Zone
			if heading == "" {
				heading = "(all zones)"
			}
			t.line("", bold, heading)
			last = f.Zone
		}
		t.finding(&f)
	}
	return t.w.Flush()
}

// sorted returns the findings in the order of reports.
func sorted(findings []Finding) []Finding {
	return slices.SortedFunc(slices.Values(findings), func(a, b Finding) int {
		return cmp.Or(
			cmp.Compare(a.Zone, b.Zone),
			cmp.Compare(a.Server, b.Server),
			cmp.Compare(slices.Index(checkOrder, a.Check), slices.Index(checkOrder, b.Check)),
			cmp.Compare(a.Name, b.Name),
		)
	})
}

type table struct {
	w             *bufio.Writer
	color         bool
	server, check int // widths
}

func (t *table) finding(f *Finding) {
	reason := f.Reason
	if f.Name != f.Zone {
		reason = f.Name + ": " + reason
	}
	indent := fmt.Sprintf("  %-*s  %-*s  ", t.server, escape(f.Server), t.check, escape(f.Check))
	t.line(indent, "", reason)
	indent = strings.Repeat(" ", len(indent))
	if f.Want != "" {
		t.line(indent, green, "want "+f.Want)
	}
	if f.Have != "" {
		t.line(indent, red, "have "+f.Have)
	}
}

// line writes a line; the first error stays in t.w.
func (t *table) line(indent, color, text string) {
	text = escape(text)
	if t.color && color != "" {
		text = color + text + plain
	}
	_, _ = t.w.WriteString(indent + text + "\n")
}

// escape writes everything but printable ASCII as \DDD (RFC 1035 section 5.1).
func escape(s string) string {
	special := func(r rune) bool { return r < ' ' || r > '~' }
	if strings.IndexFunc(s, special) < 0 {
		return s
	}
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; special(rune(c)) {
			fmt.Fprintf(&b, `\%03d`, c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
