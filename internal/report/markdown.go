package report

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"time"
)

// markdown writes a report with the tables of GitHub-flavoured Markdown.
func (r *Report) markdown(out io.Writer, zone *time.Location) error {
	w := bufio.NewWriter(out)
	line := func(format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }
	row := func(cells ...string) {
		for i := range cells {
			cells[i] = escaped(cells[i])
		}
		line("| %s |", strings.Join(cells, " | "))
	}
	line("# %s\n", escaped(r.title(zone)))
	line("| | |\n|---|---|")
	for _, f := range r.facts() {
		row(f[0], f[1])
	}
	line("\n## Attempts by %s\n\n| begin | now | before |\n|---|--:|--:|", r.Per)
	r.intervals(func(i *Interval) { row(i.label(r, zone), Digits(i.Now), Digits(i.Before)) },
		func(n int) { row(count(uint64(n), string(r.Per))+" without attempts", "", "") })
	for _, l := range r.forgerLists() {
		line("\n## %s\n\n| attempts | client | | seen | domains | receivers | name | place |\n|--:|---|---|---|---|--:|---|---|", l.Heading)
		for i := range l.Forgers {
			f := &l.Forgers[i]
			row(Digits(f.Attempts), f.Client.String(), f.marks(), f.seen(zone), f.domains(), Digits(uint64(f.Receivers)), f.host(), f.place())
		}
	}
	for _, t := range r.tables() {
		line("\n## %s\n\n| attempts | share | %s |\n|--:|--:|---|", t.Heading, t.Column)
		for _, v := range t.Values {
			row(Digits(v.Count), r.share(v.Count), v.Name)
		}
		if more := t.Distinct - uint64(len(t.Values)); more > 0 {
			row("", "", Digits(more)+" more")
		}
	}
	line("\n## Health\n")
	wrong := r.health()
	for _, text := range wrong {
		line("- %s", escaped(text))
	}
	if len(wrong) == 0 {
		line("%s", escaped(r.well()))
	}
	line("\nAn address in the log is evidence of a query about it, not of a forger.")
	return w.Flush()
}

// escaped is a text in which no character means anything to Markdown or HTML, nor
// becomes a link.
func escaped(s string) string { return escapes.Replace(s) }

var escapes = func() *strings.Replacer {
	pairs := []string{"<", "&lt;", "&", "&amp;", "http:", "http&#58;", "https:", "https&#58;", "www.", "www&#46;"}
	for _, c := range "\\`*_{}[]()#+!|>~@$" {
		pairs = append(pairs, string(c), "\\"+string(c))
	}
	return strings.NewReplacer(pairs...)
}()
