package main

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"nullspf/spftrack"
)

// The columns of the tables, after the implementation. Those of layouts follow
// [spftrack.Layouts].
const (
	resultTable  = "#### Results by implementation\n\n"
	askedTable   = "#### What is asked and recorded\n\n"
	silenceTable = "#### A tracking zone that is silent\n\n"
	layoutTable  = "#### Layouts in numbers\n\n"
)

// tables are the text between the marks.
func tables(seats []*seat) string {
	var b strings.Builder
	b.WriteString("\n" + layoutTable)
	row(&b, "layout", "`fail`: ordinary", "tagged", "literal", "IPv6", "recorded: client", "with sender", "with HELO", "queries")
	rule(&b, 9)
	for _, l := range spftrack.Layouts {
		cols := []string{"`" + string(l) + "`"}
		for _, so := range sorts {
			cols = append(cols, fmt.Sprintf("%d of %d", count(seats, l, so, func(c *cell) bool { return c.result == "fail" }), len(seats)))
		}
		for _, is := range []func(*cell) bool{func(c *cell) bool { return c.client }, func(c *cell) bool { return c.sender }, func(c *cell) bool { return c.helo }} {
			cols = append(cols, fmt.Sprint(count(seats, l, sorts[0], is)))
		}
		least, most := math.MaxInt, 0
		for _, st := range seats {
			n := len(st.cell(l, sorts[0]).distinct())
			least, most = min(least, n), max(most, n)
		}
		if least == most {
			cols = append(cols, fmt.Sprint(least))
		} else {
			cols = append(cols, fmt.Sprintf("%d to %d", least, most))
		}
		row(&b, cols...)
	}

	b.WriteString("\n" + resultTable)
	layouts := func(list []spftrack.Layout, first ...string) []string {
		for _, l := range list {
			first = append(first, "`"+string(l)+"`")
		}
		return first
	}
	row(&b, layouts(spftrack.Layouts, "implementation", "version")...)
	rule(&b, 2+len(spftrack.Layouts))
	for _, st := range seats {
		cols := []string{st.name, st.version}
		for _, l := range spftrack.Layouts {
			cols = append(cols, st.results(l))
		}
		row(&b, cols...)
	}

	b.WriteString("\n" + askedTable)
	row(&b, append(layouts(tracked, "implementation", "asks for `track`"), "explanation")...)
	rule(&b, 3+len(tracked))
	for _, st := range seats {
		cols := []string{st.name, st.questions(spftrack.Track)}
		for _, l := range tracked {
			cols = append(cols, st.cell(l, sorts[0]).recorded())
		}
		row(&b, append(cols, st.explanation())...)
	}

	b.WriteString("\n" + silenceTable)
	row(&b, layouts(tracked, "implementation")...)
	rule(&b, 1+len(tracked))
	for _, st := range seats {
		cols := []string{st.name}
		for i := range tracked {
			cols = append(cols, st.silence[i].waited())
		}
		row(&b, cols...)
	}
	b.WriteString("\n")
	return b.String()
}

func row(b *strings.Builder, cols ...string) {
	b.WriteString("| " + strings.Join(cols, " | ") + " |\n")
}

func rule(b *strings.Builder, n int) { b.WriteString(strings.Repeat("|---", n) + "|\n") }

func (st *seat) cell(l spftrack.Layout, so sort) *cell {
	i := slices.IndexFunc(st.cells, func(c *cell) bool { return c.layout == l && c.sort == so })
	return st.cells[i]
}

// count counts the implementations for which something holds.
func count(seats []*seat, l spftrack.Layout, so sort, is func(*cell) bool) (n int) {
	for _, st := range seats {
		if is(st.cell(l, so)) {
			n++
		}
	}
	return n
}

// results are the result for the ordinary message, and those of others that differ.
func (st *seat) results(l spftrack.Layout) string {
	text := st.cell(l, sorts[0]).result
	ordinary := text
	for _, so := range sorts[1:] {
		if r := st.cell(l, so).result; r != ordinary {
			text += "; " + so.name + " " + r
		}
	}
	return text
}

// distinct are the questions, each once.
func (c *cell) distinct() (list []question) {
	for _, q := range c.asked {
		if !slices.ContainsFunc(list, func(o question) bool { return strings.EqualFold(o.name, q.name) && o.qtype == q.qtype }) {
			list = append(list, q)
		}
	}
	return list
}

// questions are the queries of the ordinary message in their order: 1 and 2 for the
// names that end so, and their types. A and AAAA are asked at once.
func (st *seat) questions(l spftrack.Layout) string {
	types := map[uint16]string{spftrack.TypeA: "A", spftrack.TypeTXT: "TXT", spftrack.TypeAAAA: "AAAA"}
	var words []string
	list := st.cell(l, sorts[0]).distinct()
	for i := range list {
		if i > 0 && list[i].name == list[i-1].name && list[i].qtype < list[i-1].qtype {
			list[i-1], list[i] = list[i], list[i-1]
		}
	}
	for _, q := range list {
		name := strings.TrimSuffix(strings.ToLower(q.name), "."+string(zoneOf(l)))
		word := name[strings.LastIndexByte(name, '.')+1:] + " " + types[q.qtype]
		if strings.Contains(name, "%{") {
			word += " unexpanded"
		}
		words = append(words, word)
	}
	return orDash(strings.Join(words, ", "))
}

// recorded tells what the attempt of the cell holds.
func (c *cell) recorded() string {
	var words []string
	for _, w := range []struct {
		is   bool
		word string
	}{{c.client, "client"}, {c.sender, "sender"}, {c.helo, "HELO"}} {
		if w.is {
			words = append(words, w.word)
		}
	}
	text := orDash(strings.Join(words, ", "))
	if c.attempts > 1 {
		text += fmt.Sprintf(" (%d attempts)", c.attempts)
	}
	return text
}

// explanation tells what becomes of the text.
func (st *seat) explanation() string {
	c := st.cell(spftrack.Beacon, sorts[0])
	fetched := slices.ContainsFunc(c.asked, func(q question) bool { return q.qtype == spftrack.TypeTXT })
	switch {
	case strings.Contains(c.text, explained):
		return "shown"
	case fetched:
		return "fetched, not shown"
	}
	return "not fetched"
}

// waited tells how long a check took, and its result.
func (c *cell) waited() string {
	if c.result == noResult {
		return fmt.Sprintf("over %.0f s", longest.Seconds())
	}
	return fmt.Sprintf("%.0f s, %s", c.seconds, c.result)
}

func orDash(s string) string {
	if s == "" {
		return "–"
	}
	return s
}
