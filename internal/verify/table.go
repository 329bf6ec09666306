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
// Zones with equal deviations, apart from their names, share an entry, in which at
// most the given number of them is named and {domain} stands for the name. color is
// for terminals. Whatever the findings hold, no other control character is written.
func WriteTable(w io.Writer, findings []Finding, most int, color bool) error {
	t := table{w: bufio.NewWriter(w), color: color}
	for i := range findings {
		t.server = max(t.server, len(escape(findings[i].Server)))
		t.check = max(t.check, len(escape(findings[i].Check)))
	}
	for _, e := range entries(findings) {
		t.entry(e, max(most, 1))
	}
	return t.w.Flush()
}

// entry is what zones with equal deviations have in common.
type entry struct {
	zones    []string
	findings []Finding // of the first zone
}

// entries puts zones with equal deviations together.
func entries(findings []Finding) []*entry {
	all := sorted(findings)
	var list []*entry
	byKey := make(map[string]*entry)
	for len(all) > 0 {
		zone := all[0].Zone
		n := slices.IndexFunc(all, func(f Finding) bool { return f.Zone != zone })
		if n < 0 {
			n = len(all)
		}
		key := entryKey(all[:n])
		e := byKey[key]
		if e == nil {
			e = &entry{findings: all[:n]}
			byKey[key] = e
			list = append(list, e)
		}
		e.zones = append(e.zones, zone)
		all = all[n:]
	}
	return list
}

// entryKey is the same for equal deviations of different zones.
func entryKey(findings []Finding) string {
	var b strings.Builder
	for _, f := range findings {
		for _, s := range []string{f.Server, f.Check, f.Name, f.Want, f.Have, f.Reason} {
			b.WriteString(generic(s, f.Zone))
			b.WriteByte(0)
		}
	}
	return b.String()
}

// generic writes {domain} for the name of a zone.
func generic(s, zone string) string {
	if zone == "" {
		return s
	}
	return strings.ReplaceAll(s, zone, "{domain}")
}

func (t *table) entry(e *entry, most int) {
	for _, zone := range e.zones[:min(most, len(e.zones))] {
		if zone == "" {
			zone = "(all zones)"
		}
		t.line("", bold, zone)
	}
	if n := len(e.zones) - most; n > 0 {
		t.line("", bold, fmt.Sprintf("and %d more", n))
	}
	for _, f := range e.findings {
		if len(e.zones) > 1 {
			zone := f.Zone
			f.Reason, f.Want, f.Have = generic(f.Reason, zone), generic(f.Want, zone), generic(f.Have, zone)
			f.Name, f.Zone = generic(f.Name, zone), "{domain}"
		}
		t.finding(&f)
	}
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
