package report

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"strings"
	"time"
)

// columns is the width of a report as text, as mail has it.
const columns = 80

// text writes a report of lines of 80 columns at most.
func (r *Report) text(out io.Writer, zone *time.Location) error {
	w := bufio.NewWriter(out)
	line := func(format string, args ...any) {
		fmt.Fprintln(w, strings.TrimRight(fmt.Sprintf(format, args...), " "))
	}
	heading := func(s string) { line("\n%s\n%s", s, strings.Repeat("-", len(s))) }

	line("%s", r.title(zone))
	line("%s\n", strings.Repeat("=", len(r.title(zone))))
	for _, f := range r.facts() {
		line("%-30s %s", f[0], fit(f[1], columns-31))
	}
	r.textTimeline(heading, line, zone)
	for _, l := range r.forgerLists() {
		heading(l.Heading)
		for i := range l.Forgers {
			f := &l.Forgers[i]
			line("%10s  %-39s  %s", Digits(f.Attempts), f.Client, fit(f.marks(), columns-53))
			for _, more := range []string{f.seen(zone), f.domains(), f.host(), f.place()} {
				if more != "" {
					line("%10s  %s", "", fit(more, columns-12))
				}
			}
			line("%10s  seen by %s", "", count(uint64(f.Receivers), "network")+" of resolvers")
		}
	}
	for _, t := range r.tables() {
		heading(t.Heading)
		for _, v := range t.Values {
			line("%10s  %5s  %s", Digits(v.Count), r.share(v.Count), fit(v.Name, columns-19))
		}
		if more := t.Distinct - uint64(len(t.Values)); more > 0 {
			line("%19s%s more", "", Digits(more))
		}
	}
	heading("Health")
	wrong := r.health()
	for _, text := range wrong {
		for i, part := range wrapped(text, columns-4) {
			line("%s%s", map[bool]string{true: "  ! ", false: "    "}[i == 0], part)
		}
	}
	if len(wrong) == 0 {
		line("%s", r.well())
	}
	line("\nAn address in the log is evidence of a query about it, not of a forger.")
	return w.Flush()
}

// textTimeline is a bar for each unit, with the number before beside it.
func (r *Report) textTimeline(heading func(string), line func(string, ...any), zone *time.Location) {
	heading(fmt.Sprintf("Attempts by %s", r.Per))
	greatest := uint64(1)
	for _, i := range r.Timeline {
		greatest = max(greatest, i.Now)
	}
	const bar = columns - 16 - 2*13 - 1
	line("%-16s %12s %12s", "", "now", "before")
	r.intervals(func(i *Interval) {
		n := int(math.Round(float64(i.Now) / float64(greatest) * bar))
		if i.Now > 0 {
			n = max(n, 1)
		}
		line("%-16s %12s %12s %s", i.label(r, zone), Digits(i.Now), Digits(i.Before), strings.Repeat("#", n))
	}, func(n int) { line("... %s without attempts", count(uint64(n), string(r.Per))) })
}

// label is the begin of a unit.
func (i *Interval) label(r *Report, zone *time.Location) string {
	if r.Per == "day" {
		return i.Start.UTC().Format("2006-01-02 UTC")
	}
	return minute(i.Start, zone)
}

// share is a part of all attempts.
func (r *Report) share(n uint64) string {
	if r.Attempts.Now == 0 {
		return ""
	}
	return fmt.Sprintf("%.1f%%", 100*float64(n)/float64(r.Attempts.Now))
}

// fit shortens a text in the middle.
func fit(s string, width int) string {
	if len(s) <= width {
		return s
	}
	half := (width - 3) / 2
	return s[:width-3-half] + "..." + s[len(s)-half:]
}

// wrapped breaks a text into lines at blanks; a word that is too long is shortened.
func wrapped(s string, width int) (lines []string) {
	current := ""
	for _, word := range strings.Fields(s) {
		word = fit(word, width)
		switch {
		case current == "":
			current = word
		case len(current)+1+len(word) <= width:
			current += " " + word
		default:
			lines = append(lines, current)
			current = word
		}
	}
	return append(lines, current)
}
