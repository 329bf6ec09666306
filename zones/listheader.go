package zones

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"nullspf/internal/value"
)

// List is a file with domains, and how it is read.
type List struct {
	File string
	// Column is the header of the column with the domains, in a table that
	// another program wrote: its other columns are ignored, with a warning. It is
	// "" for a table with the columns of nullspf, and for text.
	Column string
	// Separator is what separates the columns; 0 is found out from the header.
	Separator byte
}

// Separators are those that are found out.
const Separators = ",;\t|"

// Table reports whether a list has columns.
func (l List) Table() bool {
	return l.Column != "" || l.Separator != 0 || strings.HasSuffix(strings.ToLower(l.File), ".csv")
}

// column is the header of the column with the domains.
func (l List) column() string {
	if l.Column != "" {
		return l.Column
	}
	return csvNames[0]
}

// maxTitles is how many lines an export may have before its header.
const maxTitles = 10

// headerReader looks for the header of a table.
type headerReader struct {
	list      List
	separator byte
	// first are the cells of the first line, firstLine is its number.
	first     []csvCell
	firstLine int
	lines     int
}

// read reads a line; the result is nil when the header may still come. ignored
// are the names of the columns that are not read.
func (h *headerReader) read(line []byte, number int) (c *csvColumns, ignored []string, err error) {
	if s, ok := separatorLine(line); ok && h.lines == 0 {
		if h.separator == 0 {
			h.separator = s
		}
		return nil, nil, nil
	}
	candidates := Separators
	if h.separator != 0 {
		candidates = string(h.separator)
	}
	h.lines++
	for i := range len(candidates) {
		cells, err := splitRow(line, candidates[i], h.list.Column != "")
		if err != nil {
			if len(candidates) == 1 || h.list.Column == "" && i == 0 {
				return nil, nil, fmt.Errorf("line %d: %w", number, err)
			}
			continue
		}
		if slices.ContainsFunc(cells, h.isDomain) {
			c, ignored, err := h.columns(cells, candidates[i])
			if err != nil {
				err = fmt.Errorf("line %d: %w", number, err)
			}
			return c, ignored, err
		}
		if h.lines == 1 && len(cells) > len(h.first) {
			h.first, h.firstLine = cells, number
		}
	}
	if h.list.Column != "" && h.lines < maxTitles {
		return nil, nil, nil
	}
	return nil, nil, h.missing()
}

func (h *headerReader) isDomain(cell csvCell) bool {
	return strings.EqualFold(cell.text, h.list.column())
}

// columns finds the places of the columns.
func (h *headerReader) columns(cells []csvCell, separator byte) (*csvColumns, []string, error) {
	c := &csvColumns{separator: separator, count: len(cells), domain: -1, mail: -1, spf: -1, a: -1, group: -1}
	places := []*int{&c.domain, &c.mail, &c.spf, &c.a, &c.group}
	var others []string
	for i, cell := range cells {
		k := 0
		if !h.isDomain(cell) {
			k = slices.Index(csvNames, strings.ToLower(cell.text))
		}
		if k < 0 || k == 0 && !h.isDomain(cell) {
			others = append(others, cell.text)
			continue
		}
		if *places[k] >= 0 {
			return nil, nil, fmt.Errorf("the CSV column %q appears twice", cell.text)
		}
		*places[k] = i
	}
	if len(others) == 0 || h.list.Column != "" {
		return c, others, nil
	}
	return nil, nil, fmt.Errorf("unknown CSV columns: %s; the columns are %s; to ignore others, write list: {file: %s, column: %s}",
		quoteAll(others), strings.Join(csvNames, ", "), value.Visible(h.list.File), csvNames[0])
}

// missing says that there is no column with the domains.
func (h *headerReader) missing() error {
	var names []string
	like := "NAME"
	for _, cell := range h.first {
		names = append(names, cell.text)
		if like == "NAME" && strings.HasPrefix(strings.ToLower(cell.text), "domain") {
			like = fmt.Sprintf("%q", cell.text)
		}
	}
	text := fmt.Sprintf("line %d: no column %q; the columns are %s", h.firstLine, h.list.column(), quoteAll(names))
	if h.list.Column == "" {
		text += fmt.Sprintf("; to name the one with the domains, write list: {file: %s, column: %s}", value.Visible(h.list.File), like)
	}
	return errors.New(text)
}

func quoteAll(texts []string) string {
	quoted := make([]string, len(texts))
	for i, t := range texts {
		quoted[i] = fmt.Sprintf("%q", shorten(t))
	}
	return strings.Join(quoted, ", ")
}

// separatorLine reads the line by which spreadsheets tell the separator: sep=;
func separatorLine(line []byte) (byte, bool) {
	text := strings.Trim(string(line), "\"")
	if len(text) != len("sep=;") || !strings.EqualFold(text[:4], "sep=") {
		return 0, false
	}
	return text[4], true
}
