package zones

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"slices"
	"strings"

	"nullspf/internal/value"
)

// csvColumns are the places of the columns of a CSV list, -1 for one that is
// missing. The first line that is no comment names them:
//
//	domain   the name; required
//	mail     mail mode of this domain: nullmx, postmaster, nolisting
//	spf      SPF layout of this domain
//	a        addresses of this domain, IPv4 and IPv6, blanks between them
//	group    the group of this domain
//
// An empty cell leaves the group's value.
type csvColumns struct {
	count                       int
	domain, mail, spf, a, group int
}

var csvNames = []string{"domain", "mail", "spf", "a", "group"}

// readHeader reads the line that names the columns.
func (r *listReader) readHeader(line []byte) (*csvColumns, error) {
	cells, err := splitRow(line)
	if err != nil {
		return nil, fmt.Errorf("line %d: %w", r.line, err)
	}
	c := &csvColumns{count: len(cells), domain: -1, mail: -1, spf: -1, a: -1, group: -1}
	places := []*int{&c.domain, &c.mail, &c.spf, &c.a, &c.group}
	for i, cell := range cells {
		k := slices.Index(csvNames, strings.ToLower(cell.text))
		if k < 0 {
			return nil, fmt.Errorf("line %d: unknown CSV column %q; the columns are %s", r.line, shorten(cell.text), strings.Join(csvNames, ", "))
		}
		if *places[k] >= 0 {
			return nil, fmt.Errorf("line %d: the CSV column %q appears twice", r.line, csvNames[k])
		}
		*places[k] = i
	}
	if c.domain < 0 {
		return nil, fmt.Errorf("line %d: a CSV list needs a header with the column %q; the others are %s",
			r.line, csvNames[0], strings.Join(csvNames[1:], ", "))
	}
	return c, nil
}

// readRow reads a line of values.
func (r *listReader) readRow(line []byte, c *csvColumns) {
	cells, err := splitRow(line)
	if err != nil {
		r.fault(0, "", err.Error())
		return
	}
	if len(cells) > c.count || len(cells) <= c.domain {
		r.fault(0, "", fmt.Sprintf("the line has %d columns, the header %d", len(cells), c.count))
		return
	}
	cellAt := func(i int) csvCell {
		if i < 0 || i >= len(cells) {
			return csvCell{}
		}
		return cells[i]
	}
	group, ok := r.rowGroup(line, cellAt(c.group))
	if !ok {
		return
	}
	g := r.set.Groups[group]
	domain := cellAt(c.domain)
	if domain.text == "" {
		r.fault(column(line, domain.offset), "", "the line has no domain")
		return
	}
	name, nameOK := r.parseName(line, domain.offset, domain.text, g)
	o, overrideOK := r.rowOverride(line, g, cellAt(c.mail), cellAt(c.spf), cellAt(c.a))
	if nameOK && overrideOK {
		r.add(name, group, o)
	}
}

// rowGroup finds the group that a line names.
func (r *listReader) rowGroup(line []byte, cell csvCell) (uint16, bool) {
	if cell.text == "" {
		return r.group, true
	}
	i := slices.IndexFunc(r.set.Groups, func(g *Group) bool { return g.Name == strings.ToLower(cell.text) })
	if i < 0 {
		r.fault(column(line, cell.offset), cell.text, "no such group in the configuration")
		return 0, false
	}
	return uint16(i), true
}

// rowOverride reads the columns that replace the group's values.
func (r *listReader) rowOverride(line []byte, g *Group, mail, spf, a csvCell) (*Override, bool) {
	if mail.text == "" && spf.text == "" && a.text == "" {
		return nil, true
	}
	o := &Override{Mail: MailMode(strings.ToLower(mail.text)), SPF: strings.ToLower(spf.text)}
	ok := true
	if o.Mail != "" {
		if !slices.Contains(MailModes, o.Mail) {
			r.fault(column(line, mail.offset), mail.text, "not a mail mode; the modes are nullmx, postmaster, nolisting")
			ok = false
		} else if _, found := g.MX[o.Mail]; !found {
			r.fault(column(line, mail.offset), mail.text, fmt.Sprintf("group %s has no hosts for this mail mode; set mx in the group", g.Name))
			ok = false
		}
	}
	if o.SPF != "" {
		if _, found := g.SPFRecords[o.SPF]; !found {
			r.fault(column(line, spf.offset), spf.text, fmt.Sprintf("not an SPF layout that group %s can publish", g.Name))
			ok = false
		}
	}
	for field := range strings.FieldsSeq(a.text) {
		addr, err := value.ParseAddr(field)
		if err != nil {
			r.fault(column(line, a.offset), field, "not an IP address")
			ok = false
			continue
		}
		o.Addresses = append(o.Addresses, addr)
	}
	return o, ok
}

// csvCell is a value and the byte of the line where it begins.
type csvCell struct {
	text   string
	offset int
}

// splitRow splits a line at its commas (RFC 4180); a quoted value must end on
// its line.
func splitRow(line []byte) ([]csvCell, error) {
	if bytes.IndexByte(line, '"') < 0 {
		var cells []csvCell
		at := 0
		for field := range strings.SplitSeq(string(line), ",") {
			cells = append(cells, csvCell{strings.TrimSpace(field), at + len(field) - len(strings.TrimLeft(field, " \t"))})
			at += len(field) + 1
		}
		return cells, nil
	}
	reader := csv.NewReader(strings.NewReader(string(line)))
	reader.FieldsPerRecord = -1
	reader.TrimLeadingSpace = true
	fields, err := reader.Read()
	if err != nil {
		var perr *csv.ParseError
		if errors.As(err, &perr) {
			return nil, fmt.Errorf("not valid CSV: %w", perr.Err)
		}
		return nil, fmt.Errorf("not valid CSV: %w", err)
	}
	cells := make([]csvCell, len(fields))
	for i, f := range fields {
		_, col := reader.FieldPos(i)
		cells[i] = csvCell{strings.TrimSpace(f), col - 1}
	}
	return cells, nil
}
