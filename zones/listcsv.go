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

// csvColumns are the places of the columns of a table, -1 for one that is
// missing. The header names them:
//
//	domain   the name; required
//	mail     mail mode of this domain: nullmx, postmaster, nolisting
//	spf      SPF layout of this domain
//	a        addresses of this domain, IPv4 and IPv6, blanks between them
//	group    the group of this domain
//
// An empty cell leaves the group's value. [List.Column] gives another name to
// the first, and has columns that are not in this list ignored.
type csvColumns struct {
	separator                   byte
	count                       int
	domain, mail, spf, a, group int
}

var csvNames = []string{"domain", "mail", "spf", "a", "group"}

// readRow reads a line of values.
func (r *listReader) readRow(line []byte, c *csvColumns) {
	cells, err := splitRow(line, c.separator, r.list.Column != "")
	if err != nil {
		r.fault(0, "", err.Error())
		return
	}
	if r.list.Column != "" {
		for len(cells) > 0 && cells[len(cells)-1].text == "" {
			cells = cells[:len(cells)-1]
		}
		if len(cells) == 0 {
			return // as spreadsheets have them below a table
		}
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

// splitRow splits a line at a separator (RFC 4180); a quoted value must end on its
// line. Lazy takes a quotation mark inside of a value as it is.
func splitRow(line []byte, separator byte, lazy bool) ([]csvCell, error) {
	if bytes.IndexByte(line, '"') < 0 {
		var cells []csvCell
		at := 0
		for field := range strings.SplitSeq(string(line), string(separator)) {
			cells = append(cells, csvCell{strings.TrimSpace(field), at + len(field) - len(strings.TrimLeft(field, " \t"))})
			at += len(field) + 1
		}
		return cells, nil
	}
	reader := csv.NewReader(strings.NewReader(string(line)))
	reader.Comma = rune(separator)
	reader.FieldsPerRecord = -1
	reader.LazyQuotes = lazy
	// A tab is a blank: it would skip empty cells.
	reader.TrimLeadingSpace = separator != '\t'
	fields, err := reader.Read()
	if err != nil {
		var perr *csv.ParseError
		if errors.As(err, &perr) {
			err = perr.Err
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
