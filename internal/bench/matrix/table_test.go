package main

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"nullspf/spftrack"
)

const document = "../../../docs/tracking.md"

// documented reads the tables of the document by their headings.
func documented(t *testing.T) map[string][][]string {
	t.Helper()
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	_, text, _, err = between(text)
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string][][]string)
	heading := ""
	for line := range bytes.Lines(text) {
		switch l := string(line); {
		case strings.HasPrefix(l, "#### "):
			heading = l + "\n"
		case strings.HasPrefix(l, "|---"):
		case strings.HasPrefix(l, "| "):
			found[heading] = append(found[heading], strings.Split(strings.TrimSuffix(strings.TrimPrefix(l, "| "), " |\n"), " | "))
		}
	}
	return found
}

// TestDocument holds the tables of the document to the code: each layout and each
// implementation stands in its place, each cell can be read, and the numbers of
// layouts are those of the table of results.
func TestDocument(t *testing.T) {
	found := documented(t)
	var layouts, names []string
	for _, l := range spftrack.Layouts {
		layouts = append(layouts, "`"+string(l)+"`")
	}
	for _, p := range programs {
		names = append(names, p.name)
	}
	const result = `(none|neutral|pass|fail|softfail|temperror|permerror)`
	const recorded = `(–|client|client, sender|client, sender, HELO|client, HELO)( \(\d attempts\))?`
	for _, want := range []struct {
		heading string
		first   []string
		columns []string
		cells   string
	}{
		{resultTable, names, append([]string{"implementation", "version"}, layouts...), `^(` + result + `(; (tagged|literal|IPv6) ` + result + `)*|(of )?\d[\w.~+-]*)$`},
		{askedTable, names, slices.Concat([]string{"implementation", "asks for `track`"}, layouts[1:], []string{"explanation"}),
			`^(` + recorded + `|[12] (A|AAAA|TXT)( unexpanded)?(, [12] (A|AAAA|TXT)( unexpanded)?)*|shown|fetched, not shown|not fetched)$`},
		{silenceTable, names, append([]string{"implementation"}, layouts[1:]...), `^(\d+ s, ` + result + `|over \d+ s)$`},
		{layoutTable, layouts, nil, `^(\d+ of \d+|\d+( to \d+)?)$`},
	} {
		rows := found[want.heading]
		if len(rows) == 0 {
			t.Errorf("no table %q", want.heading)
			continue
		}
		if want.columns != nil && !slices.Equal(rows[0], want.columns) {
			t.Errorf("columns %q, want %q", rows[0], want.columns)
		}
		var first []string
		for _, r := range rows[1:] {
			first = append(first, r[0])
			for i, c := range r[1:] {
				if len(r) != len(rows[0]) || !regexp.MustCompile(want.cells).MatchString(c) {
					t.Errorf("%s%s: cell %d is %q", want.heading, r[0], i+1, c)
				}
			}
		}
		if !slices.Equal(first, want.first) {
			t.Errorf("%srows %q, want %q", want.heading, first, want.first)
		}
	}
	if t.Failed() {
		t.Fatal("after a change of layouts or implementations: make matrix")
	}
	for i, l := range found[layoutTable][1:] {
		n, counts := 0, make([]int, len(sorts))
		for _, r := range found[resultTable][1:] {
			n++
			for k, result := range resultsOf(r[2+i]) {
				if result == "fail" {
					counts[k]++
				}
			}
		}
		for k, count := range counts {
			if want := fmt.Sprintf("%d of %d", count, n); l[1+k] != want {
				t.Errorf("layout %s, %s: %s, but the results are %s", l[0], sorts[k].name, l[1+k], want)
			}
		}
	}
}

// resultsOf reads a cell of results: that of each sort of messages.
func resultsOf(cell string) []string {
	parts := strings.Split(cell, "; ")
	all := slices.Repeat([]string{parts[0]}, len(sorts))
	for _, p := range parts[1:] {
		name, result, _ := strings.Cut(p, " ")
		all[slices.IndexFunc(sorts, func(s sort) bool { return s.name == name })] = result
	}
	return all
}

// TestForgedDomains: what a domain is made of is read back from its name, and each
// has a record of its layout.
func TestForgedDomains(t *testing.T) {
	for _, l := range spftrack.Layouts {
		for _, so := range sorts {
			for _, silent := range []bool{false, true} {
				m := message{layout: l, sort: so, seat: 12, silent: silent}
				got, ok := parseDomain(m.domain())
				if !ok || got.layout != l || got.seat != 12 || got.silent != silent {
					t.Errorf("%s: %+v, %v", m.domain(), got, ok)
				}
			}
		}
	}
	for _, name := range []string{"example", "track-literal.example", "mail.example.org", "x-literal-1.example", "_dmarc.track-literal-1.example"} {
		if m, ok := parseDomain(name); ok {
			t.Errorf("%s: %+v", name, m)
		}
	}
}
