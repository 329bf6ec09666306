package zones

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"nullspf/internal/dnsname"
	"nullspf/internal/files"
	"nullspf/internal/value"
)

// maxLine is the longest list line, in bytes. The longest useful one is a
// name of 253 bytes, or a CSV line with some addresses.
const maxLine = 4096

// Duplicate is a name that the lists hold more than once with the same
// meaning. The first counts, the others are ignored.
type Duplicate struct {
	Name   string
	First  string // file:line
	Second string // file:line
}

// ReadLists reads the lists of all groups into a set.
//
// A list is UTF-8 text with one domain a line, or a table, which is CSV when
// its name ends in ".csv"; in both, "#" starts a comment at the start of a line, in text also
// after a blank. A byte order mark, CRLF, blanks around the name, a final dot
// and upper case are accepted, names in other scripts are turned into
// A-labels. See [csvColumns] for the CSV columns.
//
// All faults are reported together as *ListErrors, and no set is returned. A
// name that is listed twice with the same meaning is not a fault: it is returned
// among the duplicates. With different groups or overrides it is one.
func ReadLists(groups []*Group) (*Set, []Duplicate, error) {
	if len(groups) > math.MaxUint16 {
		return nil, nil, fmt.Errorf("%d groups; at most %d are supported", len(groups), math.MaxUint16)
	}
	r := &listReader{set: &Set{Groups: groups}}
	for i, g := range groups {
		for _, list := range g.Lists {
			r.readFile(list, uint16(i))
		}
	}
	duplicates := r.finish()
	if err := r.errs.orNil(); err != nil {
		return nil, nil, err
	}
	return r.set, duplicates, nil
}

// listReader collects the entries and the faults of all lists.
type listReader struct {
	set  *Set
	errs ListErrors

	// Of the list being read:
	list   List
	number uint16 // of the list
	group  uint16
	line   int
	eol    byte
	// old counts the names that IDNA2008 refuses; oldName is the first of them.
	old     int
	oldName string
	oldLine int
}

func (r *listReader) fault(column int, token, reason string) {
	r.errs.add(&ListError{File: r.list.File, Line: r.line, Column: column, Token: token, Reason: reason})
}

func (r *listReader) readFile(list List, group uint16) {
	r.list, r.group, r.line, r.old = list, group, 0, 0
	r.number = uint16(len(r.set.lists))
	r.set.lists = append(r.set.lists, list.File)
	f, err := openList(list.File)
	if err != nil {
		r.fault(0, "", err.Error())
		return
	}
	defer f.Close()
	before := len(r.set.Entries)
	faults := len(r.errs.Faults)
	if err := r.read(f); err != nil {
		r.line = 0
		r.fault(0, "", err.Error())
		return
	}
	r.warnOld()
	if len(r.set.Entries) == before && len(r.errs.Faults) == faults && !r.set.Groups[group].AllowEmpty {
		r.line = 0
		r.fault(0, "", "the list is empty, which would remove all its domains; set allow_empty: true in the group if that is meant")
	}
}

// openList opens a regular file and words what else it may be.
func openList(path string) (*os.File, error) {
	f, _, err := files.Open(path)
	var perr *fs.PathError
	switch {
	case err == nil:
		return f, nil
	case errors.Is(err, fs.ErrNotExist):
		return nil, errors.New("there is no such file; name the list of the group with the key list")
	case errors.Is(err, files.ErrNotRegular):
		return nil, errors.New("this is not a regular file; write the list to a file first")
	case errors.As(err, &perr):
		err = perr.Err
	}
	return nil, fmt.Errorf("cannot read the list: %w", err)
}

// read reads one list. The error is one of the file as a whole.
func (r *listReader) read(in io.Reader) error {
	br := bufio.NewReaderSize(in, 64<<10)
	head, _ := br.Peek(br.Size())
	switch {
	case bytes.HasPrefix(head, []byte("\xef\xbb\xbf")):
		_, _ = br.Discard(3)
	case utf16Text(head):
		return errors.New("the list is UTF-16 text; save it as UTF-8")
	case bytes.HasPrefix(head, []byte("PK\x03\x04")), bytes.HasPrefix(head, []byte("\xd0\xcf\x11\xe0")):
		return errors.New("the list is a spreadsheet or an archive; save it as CSV in UTF-8")
	}
	// Old Macs end lines with CR alone.
	r.eol = '\n'
	if bytes.IndexByte(head, '\n') < 0 && bytes.IndexByte(head, '\r') >= 0 {
		r.eol = '\r'
	}
	header := &headerReader{list: r.list, separator: r.list.Separator}
	var columns *csvColumns
	for {
		line, err := r.nextLine(br)
		if err == io.EOF {
			if header.lines > 0 && columns == nil {
				return header.missing()
			}
			return nil
		}
		if errors.Is(err, errLineTooLong) {
			r.fault(0, "", fmt.Sprintf("the line is longer than %d bytes", maxLine))
			continue
		}
		if err != nil {
			return fmt.Errorf("cannot read the list: %w", err)
		}
		text := trimBlank(line)
		if len(text) == 0 || text[0] == '#' {
			continue
		}
		if text[0] == '<' && len(r.set.Entries) == 0 {
			return errors.New("the list looks like HTML or XML (its first line begins with \"<\"), not like names")
		}
		switch {
		case !r.list.Table():
			r.readName(line)
		case columns == nil:
			var ignored []string
			if columns, ignored, err = header.read(line, r.line); err != nil {
				return err
			}
			r.warnIgnored(ignored)
		default:
			r.readRow(line, columns)
		}
	}
}

// warnIgnored notes, once a list, the columns that are not read.
func (r *listReader) warnIgnored(columns []string) {
	columns = slices.DeleteFunc(columns, func(c string) bool { return c == "" })
	if len(columns) > 0 {
		r.set.Warnings = append(r.set.Warnings, fmt.Sprintf("%s: ignored columns: %s", value.Visible(r.list.File), quoteAll(columns)))
	}
}

// countOld counts a name that is allowed although IDNA2008 refuses it.
func (r *listReader) countOld(name string) {
	if r.old++; r.old == 1 {
		r.oldName, r.oldLine = name, r.line
	}
}

// warnOld notes, once a list, that there are such names.
func (r *listReader) warnOld() {
	switch {
	case r.old == 1:
		r.set.Warnings = append(r.set.Warnings, fmt.Sprintf("%s:%d: IDNA2008 does not allow %s; it is published because of allow_idna2003",
			value.Visible(r.list.File), r.oldLine, r.oldName))
	case r.old > 1:
		r.set.Warnings = append(r.set.Warnings, fmt.Sprintf("%s:%d: IDNA2008 does not allow %s and %d more names; they are published because of allow_idna2003",
			value.Visible(r.list.File), r.oldLine, r.oldName, r.old-1))
	}
}

var errLineTooLong = errors.New("line too long")

// nextLine returns a line without its end, and a final one without newline.
// What exceeds maxLine is skipped without being stored.
func (r *listReader) nextLine(br *bufio.Reader) ([]byte, error) {
	line, err := br.ReadSlice(r.eol)
	if err == io.EOF && len(line) == 0 {
		return nil, io.EOF
	}
	r.line++
	if err == bufio.ErrBufferFull {
		for err == bufio.ErrBufferFull {
			_, err = br.ReadSlice(r.eol)
		}
		if err != nil && err != io.EOF {
			return nil, err
		}
		return nil, errLineTooLong
	}
	if err != nil && err != io.EOF {
		return nil, err
	}
	line = bytes.TrimSuffix(line, []byte{r.eol})
	line = bytes.TrimSuffix(line, []byte("\r"))
	if len(line) > maxLine {
		return nil, errLineTooLong
	}
	return line, nil
}

// readName reads a line of a text list: a name and perhaps a comment.
func (r *listReader) readName(line []byte) {
	text := line
	if i := bytes.IndexByte(text, '#'); i > 0 && blank(text[i-1]) {
		text = text[:i]
	}
	text = trimBlank(text)
	start := bytes.Index(line, text)
	for i, c := range text {
		if blank(c) {
			r.fault(column(line, start+i), string(text), "write one domain on each line; a comment begins with #"+tableHint(c, r.list.File))
			return
		}
	}
	if name, ok := r.parseName(line, start, string(text), r.set.Groups[r.group]); ok {
		r.add(name, r.group, nil)
	}
}

// tableHint is for a line with tabs, as tables have them.
func tableHint(c byte, file string) string {
	if c != '\t' {
		return ""
	}
	return "; for a table, write list: {file: " + value.Visible(file) + ", column: NAME}"
}

// parseName parses the name that begins at an offset of the line and reports
// its fault.
func (r *listReader) parseName(line []byte, offset int, text string, g *Group) (string, bool) {
	name, old, err := g.ParseName(text)
	if old {
		r.countOld(string(name))
	}
	if err == nil {
		return string(name), true
	}
	var nerr *dnsname.Error
	if errors.As(err, &nerr) {
		offset += nerr.Offset
	}
	r.fault(column(line, offset), text, err.Error())
	return "", false
}

func (r *listReader) add(name string, group uint16, o *Override) {
	r.set.Entries = append(r.set.Entries, Entry{
		Name: name, Override: o, group: group, list: r.number, line: int32(min(r.line, math.MaxInt32)),
	})
}

// finish sorts the entries and takes duplicates out.
func (r *listReader) finish() []Duplicate {
	byName := func(a, b Entry) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), cmp.Compare(a.list, b.list), cmp.Compare(a.line, b.line))
	}
	entries := r.set.Entries
	if !slices.IsSortedFunc(entries, byName) {
		slices.SortFunc(entries, byName)
	}
	var duplicates []Duplicate
	kept := entries[:0]
	for _, e := range entries {
		if len(kept) == 0 || kept[len(kept)-1].Name != e.Name {
			kept = append(kept, e)
			continue
		}
		first := &kept[len(kept)-1]
		if first.group == e.group && first.Override.equal(e.Override) {
			duplicates = append(duplicates, Duplicate{e.Name, r.set.position(first), r.set.position(&e)})
			continue
		}
		r.list.File, r.line = r.set.lists[e.list], int(e.line)
		r.fault(0, e.Name, "already listed at "+r.set.position(first)+", with another group or other columns; remove one of the two lines")
	}
	r.set.Entries = kept
	return duplicates
}

// position returns the file:line where the lists name e.
func (s *Set) position(e *Entry) string {
	return fmt.Sprintf("%s:%d", value.Visible(s.lists[e.list]), e.line)
}

func (o *Override) equal(p *Override) bool {
	if o == nil || p == nil {
		return o == p
	}
	return o.Mail == p.Mail && o.SPF == p.SPF && slices.Equal(o.Addresses, p.Addresses)
}

// utf16Text tells UTF-16 by its byte order mark or by a NUL beside an ASCII
// character.
func utf16Text(head []byte) bool {
	if bytes.HasPrefix(head, []byte("\xff\xfe")) || bytes.HasPrefix(head, []byte("\xfe\xff")) {
		return true
	}
	return len(head) >= 4 && (head[0] != 0 && head[1] == 0 && head[2] != 0 && head[3] == 0 ||
		head[0] == 0 && head[1] != 0 && head[2] == 0 && head[3] != 0)
}

func blank(c byte) bool { return c == ' ' || c == '\t' }

func trimBlank(b []byte) []byte { return bytes.Trim(b, " \t\u00a0") }

// column turns a byte offset into a column: characters from 1.
func column(line []byte, offset int) int {
	return utf8.RuneCount(line[:min(max(offset, 0), len(line))]) + 1
}
