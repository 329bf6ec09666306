package forgerylog

import (
	"bufio"
	"cmp"
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"nullspf/internal/eventrow"
	"nullspf/internal/journal"
	"nullspf/spftrack"
)

// EventWriter writes events in a format.
type EventWriter interface {
	Write(*eventrow.Row) error
	// Flush writes what is held back. It is called at the end at least; of Parquet, only
	// then.
	Flush() error
}

// NewEventWriter returns a writer of the events of a query. A table has the columns that
// matter for their source, of packets those that tell single queries apart, and times are in
// a time zone; the other formats always have everything, and UTC.
func NewEventWriter(w io.Writer, f Format, q Query, zone *time.Location) EventWriter {
	switch f {
	case JSON:
		return newEventJSON(w)
	case CSV:
		return newEventCSV(w)
	case Parquet:
		return journal.NewParquetWriter(w)
	}
	return newEventTable(w, q, zone)
}

// tableColumn is a column of a table of events.
type tableColumn struct {
	heading string
	cell    func(*eventrow.Row) string
}

func tableColumnOf(c *eventrow.Column) tableColumn { return tableColumn{c.Heading, c.Cell} }

var (
	eventColumns = []tableColumn{
		{eventrow.Kind.Heading, Asked}, tableColumnOf(eventrow.ClientIP), tableColumnOf(eventrow.ForgedDomain),
		{"SENDER", func(r *eventrow.Row) string { return eventrow.Shown(sender(r)) }},
		tableColumnOf(eventrow.HELO), tableColumnOf(eventrow.Resolver), tableColumnOf(eventrow.ServerID),
	}
	packetColumns = []tableColumn{tableColumnOf(eventrow.Qtype), tableColumnOf(eventrow.Flags), {eventrow.RawName.Heading, name}}

	sessionColumns = []tableColumn{
		tableColumnOf(eventrow.ClientIP), eventColumns[3], tableColumnOf(eventrow.HELO), {"SESSION", name}, tableColumnOf(eventrow.ServerID),
	}
	reportColumns = []tableColumn{
		tableColumnOf(eventrow.ClientIP), tableColumnOf(eventrow.ForgedDomain), tableColumnOf(eventrow.Messages),
		tableColumnOf(eventrow.Disposition), tableColumnOf(eventrow.SPF), tableColumnOf(eventrow.DKIM),
		tableColumnOf(eventrow.Override), tableColumnOf(eventrow.Reporter),
	}
	refusalColumns = []tableColumn{
		tableColumnOf(eventrow.ClientIP), eventColumns[3], tableColumnOf(eventrow.HELO),
		{"RECIPIENT", eventrow.RecipientDomain.Cell}, tableColumnOf(eventrow.Cause), tableColumnOf(eventrow.Software),
	}
)

// columnsOf are the columns of a table of the events of a query, behind the time.
func columnsOf(q *Query) []tableColumn {
	switch {
	case q.Source == FromSMTP:
		return sessionColumns
	case q.Source == FromDMARC:
		return reportColumns
	case q.Source == FromMailLog:
		return refusalColumns
	case q.Packets:
		return slices.Concat(eventColumns, packetColumns)
	}
	return eventColumns
}

// Asked is which queries a check made.
func Asked(r *eventrow.Row) string {
	if r.Attempt && hasFlagExists(r.Flags) {
		return flagExists + "+" + eventrow.Kind.Cell(r)
	}
	return eventrow.Kind.Cell(r)
}

// name is the name of a query; of an event that is none, what it has instead.
func name(r *eventrow.Row) string {
	switch r.Kind {
	case spftrack.KindSMTP.String():
		return session(r)
	case spftrack.KindDMARC.String():
		return fmt.Sprintf("%s: %s, SPF %s, DKIM %s, by %s", number(messages(r), "message"), eventrow.Disposition.Cell(r),
			eventrow.SPF.Cell(r), eventrow.DKIM.Cell(r), eventrow.Reporter.Cell(r))
	case spftrack.KindRefusal.String():
		return eventrow.Cause.Cell(r) + ", by " + eventrow.Software.Cell(r)
	}
	return eventrow.RawName.Cell(r)
}

// session is what an SMTP session has.
func session(r *eventrow.Row) string {
	text := number(uint64(max(r.Recipients, 0)), "recipient")
	if r.RecipientDomain != "" {
		text += " in " + eventrow.Shown(r.RecipientDomain)
	}
	if r.TLS {
		text += ", TLS"
	}
	return text + ", " + time.Duration(r.Duration).Round(time.Millisecond).String()
}

// zonedTime is [eventrow.TableTime] in any time zone.
const zonedTime = "2006-01-02T15:04:05.000Z07:00"

type eventTable struct {
	*tableWriter
	columns []tableColumn
}

func newEventTable(w io.Writer, q Query, zone *time.Location) *eventTable {
	columns := slices.Concat([]tableColumn{{eventrow.TS.Heading, func(r *eventrow.Row) string {
		return time.Unix(0, r.TS).In(zone).Format(zonedTime)
	}}}, columnsOf(&q))
	var headings []string
	for _, c := range columns {
		headings = append(headings, c.heading)
	}
	return &eventTable{newTableWriter(w, headings...), columns}
}

func (t *eventTable) Write(r *eventrow.Row) error {
	row := make([]string, len(t.columns))
	for i, c := range t.columns {
		// The texts are kept until the block is complete.
		row[i] = cmp.Or(strings.Clone(c.cell(r)), "-")
	}
	return t.add(row...)
}

func (t *eventTable) Flush() error { return t.flush() }

// eventJSON writes an object a line.
type eventJSON struct {
	w *bufio.Writer
	// text and line are memory for the next event.
	text, line []byte
}

func newEventJSON(w io.Writer) *eventJSON { return &eventJSON{w: bufio.NewWriter(w)} }

func (j *eventJSON) Write(r *eventrow.Row) error {
	j.line = append(j.line[:0], '{')
	for _, c := range eventrow.Columns {
		if c.Index > 0 {
			j.line = append(j.line, ',')
		}
		j.line = append(appendJSON(j.line, []byte(c.Name)), ':')
		if j.text = c.Append(j.text[:0], r); c.Quoted() {
			j.line = appendJSON(j.line, j.text)
		} else {
			j.line = append(j.line, j.text...)
		}
	}
	_, err := j.w.Write(append(j.line, '}', '\n'))
	return err
}

// appendJSON appends printable ASCII as a string of JSON. As encoding/json does,
// it escapes what has a meaning in HTML.
func appendJSON(b, text []byte) []byte {
	const digits = "0123456789abcdef"
	b = append(b, '"')
	for _, c := range text {
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '<', '>', '&':
			b = append(b, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}

func (j *eventJSON) Flush() error { return j.w.Flush() }

// eventCSV writes a line with the names of columns, then a line an event.
type eventCSV struct {
	w     *csv.Writer
	begun bool
}

func newEventCSV(w io.Writer) *eventCSV { return &eventCSV{w: csv.NewWriter(w)} }

func (c *eventCSV) begin() error {
	if c.begun {
		return nil
	}
	c.begun = true
	var names []string
	for _, column := range eventrow.Columns {
		names = append(names, column.Name)
	}
	return c.w.Write(names)
}

func (c *eventCSV) Write(r *eventrow.Row) error {
	if err := c.begin(); err != nil {
		return err
	}
	cells := make([]string, len(eventrow.Columns))
	for i, column := range eventrow.Columns {
		cells[i] = string(column.Append(nil, r))
		if column.Quoted() {
			cells[i] = noFormula(cells[i])
		}
	}
	return c.w.Write(cells)
}

func (c *eventCSV) Flush() error {
	if err := c.begin(); err != nil {
		return err
	}
	c.w.Flush()
	return c.w.Error()
}
