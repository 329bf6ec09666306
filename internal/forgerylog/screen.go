package forgerylog

import (
	"bufio"
	"cmp"
	"io"
	"slices"
	"strings"
	"time"

	"nullspf/internal/eventrow"
)

// Screen is a terminal on which events are shown.
type Screen struct {
	// Width is the number of its columns.
	Width int
	// Zone is the time zone of the times.
	Zone *time.Location
	// Ellipsis, one column wide, stands for what is left out of a text.
	Ellipsis string
	// Follow: events come as they happen, and columns keep their places. If not, the
	// first events tell which columns there are and how wide.
	Follow bool
	// Query is what was asked, of one server or several.
	Query      Query
	OneJournal bool
}

// NewScreenWriter returns a writer of a table that fits a terminal:
//
//	2026-11-20 CET, kind exists+exp, server ns1.example.net
//	TIME      CLIENT       DOMAIN         SENDER    HELO               RESOLVER
//	13:00:01  192.0.2.7    shop.example   info@     mail.example.org   198.51.100.53
//
// What all events have in common is named above, and again when it changes: the day,
// the zone of the times, a column that a filter is about. A text that is too long is
// shortened in the middle. Where not even that helps, columns are left out, which is
// said.
func NewScreenWriter(w io.Writer, s Screen) EventWriter {
	return &screenTable{w: bufio.NewWriter(w), Screen: s, varied: make(map[string]bool)}
}

type screenTable struct {
	w *bufio.Writer
	Screen
	// held are events that wait until there are enough to choose the columns.
	held []eventrow.Row
	// layout is nil until then.
	layout *screenLayout
	// varied are the headings of columns that were named above and changed.
	varied map[string]bool
	// above is the line that was written last above the events, "" when the
	// headings are to be written too; begun when there was one.
	above string
	begun bool
}

// screenBlock is how many events decide about the columns.
const screenBlock = 200

// Write takes an event.
func (t *screenTable) Write(r *eventrow.Row) error {
	if t.layout == nil {
		t.held = append(t.held, r.Clone())
		if len(t.held) < screenBlock {
			return nil
		}
		return t.begin()
	}
	return t.line(r)
}

// begin chooses the columns and writes the events that were held.
func (t *screenTable) begin() error {
	held := t.held
	t.held = nil
	t.arrange(held)
	t.above = ""
	for i := range held {
		if err := t.line(&held[i]); err != nil {
			return err
		}
		if t.layout == nil {
			t.held = append(t.held, held[i+1:]...)
			break
		}
	}
	return nil
}

// line writes an event.
func (t *screenTable) line(r *eventrow.Row) error {
	l := t.layout
	for _, n := range l.named {
		if n.column.cell(t, r) == n.value {
			continue
		}
		if !t.Follow {
			return t.show(n.column.heading, r)
		}
		n.value = n.column.cell(t, r)
	}
	at := time.Unix(0, r.TS).In(t.Zone)
	if above := l.above(at, t.Width-1); above != t.above {
		if t.begun {
			t.w.WriteByte('\n')
		}
		t.begun = true
		t.w.WriteString(above + "\n")
		if t.above == "" {
			t.w.WriteString(l.row(t.Ellipsis, func(c *screenColumn) string { return c.heading }))
		}
		t.above = above
	}
	_, err := t.w.WriteString(l.row(t.Ellipsis, func(c *screenColumn) string {
		if c.cell == nil {
			return at.Format(l.clock)
		}
		return cmp.Or(c.cell(t, r), "-")
	}))
	return err
}

// show makes a column that was named above one of the table, from an event on.
func (t *screenTable) show(heading string, r *eventrow.Row) error {
	t.varied[heading] = true
	t.layout, t.held = nil, append(t.held, r.Clone())
	return nil
}

// Flush implements [EventWriter]. When it was called, the columns are chosen.
func (t *screenTable) Flush() error {
	for len(t.held) > 0 {
		if err := t.begin(); err != nil {
			return err
		}
	}
	return t.w.Flush()
}

// shorten gives a text of at most width columns, with what it lost in the middle.
func shorten(text string, width int, ellipsis string) string {
	if len(text) <= width {
		return text
	}
	left := width / 2
	return text[:left] + ellipsis + text[len(text)-(width-left-1):]
}

// screenLayout is which columns are shown, and how.
type screenLayout struct {
	columns []*screenColumn
	widths  []int
	// named are the columns named above, absent the headings of those left out.
	named  []*namedColumn
	absent []string
	// day and clock are the layouts of the part of the time that is named above,
	// and of that which is not.
	day, clock string
}

type namedColumn struct {
	column *screenColumn
	value  string
}

// above is the line above events of a time, or several of at most width columns.
func (l *screenLayout) above(at time.Time, width int) string {
	parts := []string{at.Format(l.day + " MST")}
	for _, n := range l.named {
		parts = append(parts, strings.ToLower(n.column.heading)+" "+cmp.Or(n.value, "unknown"))
	}
	if len(l.absent) > 0 {
		parts = append(parts, "without "+strings.ToLower(strings.Join(l.absent, ", "))+" (--wide)")
	}
	lines := []string{parts[0]}
	for _, part := range parts[1:] {
		last := &lines[len(lines)-1]
		if *last += ","; len(*last)+1+len(part) > width {
			lines = append(lines, part)
		} else {
			*last += " " + part
		}
	}
	return strings.Join(lines, "\n")
}

// row is a line with the cells of all columns.
func (l *screenLayout) row(ellipsis string, cell func(*screenColumn) string) string {
	var b strings.Builder
	for i, c := range l.columns {
		text := cell(c)
		short := shorten(text, l.widths[i], ellipsis)
		b.WriteString(short)
		if i+1 < len(l.columns) {
			b.WriteString(strings.Repeat(" ", max(l.widths[i]-len(text), 0)+screenGap))
		}
	}
	return strings.TrimRight(b.String(), " ") + "\n"
}

const screenGap = 2

// arrange chooses the columns for events.
func (t *screenTable) arrange(rows []eventrow.Row) {
	l := &screenLayout{day: time.DateOnly, clock: time.TimeOnly}
	if !t.Follow && t.severalDays(rows) {
		l.day, l.clock = "2006", "01-02 15:04:05"
	}
	t.layout = l
	for _, c := range screenColumns(&t.Query) {
		if value, named := t.nameable(c, rows); named {
			l.named = append(l.named, &namedColumn{c, value})
		} else {
			l.columns = append(l.columns, c)
		}
	}
	natural := make([]int, len(l.columns))
	for i, c := range l.columns {
		natural[i] = len(c.heading)
		if c.cell == nil {
			natural[i] = len(l.clock)
			continue
		}
		if t.Follow {
			natural[i] = max(natural[i], c.typical)
			continue
		}
		for j := range rows {
			natural[i] = max(natural[i], len(c.cell(t, &rows[j])))
		}
	}
	t.fit(l, natural)
}

// severalDays reports whether events are of several days in their zone.
func (t *screenTable) severalDays(rows []eventrow.Row) bool {
	day := func(r *eventrow.Row) string { return time.Unix(0, r.TS).In(t.Zone).Format(time.DateOnly) }
	return slices.ContainsFunc(rows, func(r eventrow.Row) bool { return day(&r) != day(&rows[0]) })
}

// nameable returns the value of a column that is named above: of one that all
// events have in common, because of a filter or by nature. Of events to come, only
// the query and the number of journals tell that.
func (t *screenTable) nameable(c *screenColumn, rows []eventrow.Row) (value string, ok bool) {
	if c.nameable == nil || t.varied[c.heading] || len(rows) == 0 {
		return "", false
	}
	filtered, fixed := c.nameable(t)
	if t.Follow && !fixed || !filtered && !fixed {
		return "", false
	}
	value = c.cell(t, &rows[0])
	differs := slices.ContainsFunc(rows, func(r eventrow.Row) bool { return c.cell(t, &r) != value })
	return value, !differs
}

// fit gives the columns their widths. Those that are too many leave, the least
// important first.
func (t *screenTable) fit(l *screenLayout, natural []int) {
	need := func() int {
		sum := screenGap * (len(l.columns) - 1)
		for i, c := range l.columns {
			sum += min(natural[i], cmp.Or(c.least, natural[i]))
		}
		return sum
	}
	leaving := []string{"OVERRIDE", "DKIM", "SPF", "SOFTWARE", "RESOLVER", "HELO", "RECIPIENT", "REPORTER", "SERVER", "KIND"}
	if t.Query.Packets {
		// The name has these fields.
		leaving = slices.Concat([]string{"HELO", "SENDER", "DOMAIN"}, leaving, []string{"FLAGS", "CLIENT"})
	}
	for _, heading := range leaving {
		i := slices.IndexFunc(l.columns, func(c *screenColumn) bool { return c.heading == heading })
		if i >= 0 && need() > t.Width {
			l.absent = append(l.absent, heading)
			l.columns, natural = slices.Delete(l.columns, i, i+1), slices.Delete(natural, i, i+1)
		}
	}
	spare := t.Width - need()
	for i, c := range l.columns {
		l.widths = append(l.widths, min(natural[i], cmp.Or(c.least, natural[i])))
	}
	// What is left goes to the narrowest of those that are shortened.
	for ; spare > 0; spare-- {
		narrowest := -1
		for i, w := range l.widths {
			if w < natural[i] && (narrowest < 0 || w < l.widths[narrowest]) {
				narrowest = i
			}
		}
		if narrowest < 0 {
			break
		}
		l.widths[narrowest]++
	}
}
