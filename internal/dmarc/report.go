package dmarc

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Report is an aggregate report. Texts are those of the reporter, without blanks around them;
// names of domains are lower case, without final dot.
type Report struct {
	// Reporter is the domain of the reporter's address, or its org_name when there is none.
	Reporter string
	// ID is the report_id, Domain that of policy_published.
	ID, Domain string
	// Begin and End bound the time, in seconds since 1970-01-01 UTC.
	Begin, End int64
	Records    []Record
	// Bad counts the records that are left out, because they have no address or no number
	// of messages.
	Bad int
}

// Record is a row of a report: messages that had the same fate.
type Record struct {
	Source netip.Addr
	// Messages is greater than 0.
	Messages uint32
	// Disposition is "none", "quarantine", "reject" or "pass"; SPF and DKIM are the results
	// under DMARC, "pass" or "fail".
	Disposition, SPF, DKIM string
	// Reasons are the types of the reasons why the policy was overridden, at most 8 of at
	// most 30 bytes.
	Reasons []string
	// HeaderFrom is the domain in From. EnvelopeFrom, EnvelopeTo and HELO are "" where they
	// were not reported. A domain that SPF was checked for is one of them only when its
	// scope was reported.
	HeaderFrom, EnvelopeFrom, EnvelopeTo, HELO string
}

const (
	maxDepth   = 16
	maxText    = 1024
	maxName    = 255
	maxRecords = 1 << 20
	maxReasons = 8
	maxReason  = 30
	// maxTime is the year 2200.
	maxTime = 7258118400
)

// errDirective: neither form has a document type.
var errDirective = errors.New("it has a document type or another directive, which no report needs")

// Parse reads a report in XML.
func Parse(r io.Reader) (*Report, error) {
	d := xml.NewDecoder(r)
	d.CharsetReader = charsetReader
	p := parser{report: new(Report)}
	for {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, noEOF(err)
		}
		switch t := token.(type) {
		case xml.Directive:
			return nil, errDirective
		case xml.StartElement:
			err = p.begin(t.Name.Local)
		case xml.CharData:
			p.add(t)
		case xml.EndElement:
			err = p.end()
		}
		if err != nil {
			return nil, err
		}
	}
	return p.finish()
}

// parser collects a report while its elements come.
type parser struct {
	report *Report
	// path are the names of the open elements, without namespace.
	path []string
	// text is that of the innermost element, of which long: it has more.
	text []byte
	long bool
	done bool

	record record
	// name is the domain of the sender's address, organization what org_name says.
	name, organization string
	times              [2]bool
}

// record is a record under way.
type record struct {
	Record
	bad           bool
	domain, scope string
}

func (p *parser) begin(name string) error {
	switch {
	case len(p.path) == 0 && (p.done || name != "feedback"):
		return fmt.Errorf("the element %.40q is no report; a report is one element feedback", name)
	case len(p.path) == maxDepth:
		return fmt.Errorf("elements are nested more than %d deep", maxDepth)
	}
	p.path = append(p.path, name)
	p.text, p.long = p.text[:0], false
	switch {
	case len(p.path) == 2 && name == "record":
		if len(p.report.Records)+p.report.Bad == maxRecords {
			return fmt.Errorf("more than %d records", maxRecords)
		}
		p.record = record{}
	case len(p.path) == 4 && name == "spf":
		p.record.domain, p.record.scope = "", ""
	}
	return nil
}

func (p *parser) add(text []byte) {
	n := min(len(text), maxText-len(p.text))
	p.text, p.long = append(p.text, text[:n]...), p.long || n < len(text)
}

func (p *parser) end() error {
	if len(p.path) == 1 {
		p.path, p.done = nil, true
		return nil
	}
	path := strings.Join(p.path[1:], "/")
	text := strings.TrimSpace(string(p.text))
	field := p.field(path)
	p.path = p.path[:len(p.path)-1]
	p.text = p.text[:0]
	switch {
	case field == nil:
	case p.long || len(text) > maxName || !utf8.ValidString(text):
		return fmt.Errorf("%s has more than %d bytes", path, maxName)
	default:
		*field = text
		return nil
	}
	return p.complete(path, text)
}

// field is where the text of an element goes, as it is; nil for others.
func (p *parser) field(path string) *string {
	r := &p.record
	switch path {
	case "report_metadata/org_name":
		return &p.organization
	case "report_metadata/email":
		return &p.name
	case "report_metadata/report_id":
		return &p.report.ID
	case "policy_published/domain":
		return &p.report.Domain
	case "record/row/policy_evaluated/disposition":
		return &r.Disposition
	case "record/row/policy_evaluated/spf":
		return &r.SPF
	case "record/row/policy_evaluated/dkim":
		return &r.DKIM
	case "record/identifiers/header_from":
		return &r.HeaderFrom
	case "record/identifiers/envelope_from":
		return &r.EnvelopeFrom
	case "record/identifiers/envelope_to":
		return &r.EnvelopeTo
	case "record/auth_results/spf/domain":
		return &r.domain
	case "record/auth_results/spf/scope":
		return &r.scope
	}
	return nil
}

// complete takes in what is more than a text.
func (p *parser) complete(path, text string) error {
	r := &p.record
	switch path {
	case "report_metadata/date_range/begin":
		return p.time(0, &p.report.Begin, text)
	case "report_metadata/date_range/end":
		return p.time(1, &p.report.End, text)
	case "record/row/source_ip":
		addr, err := netip.ParseAddr(text)
		r.Source, r.bad = addr.Unmap().WithZone(""), r.bad || err != nil
	case "record/row/count":
		n, err := strconv.ParseUint(text, 10, 32)
		r.Messages, r.bad = uint32(n), r.bad || err != nil
	case "record/row/policy_evaluated/reason/type":
		text = ascii(text)
		if text != "" && len(text) <= maxReason && len(r.Reasons) < maxReasons && !slices.Contains(r.Reasons, text) {
			r.Reasons = append(r.Reasons, text)
		}
	case "record/auth_results/spf":
		switch strings.ToLower(r.scope) {
		case "helo":
			r.HELO = r.domain
		case "mfrom":
			if r.EnvelopeFrom == "" {
				r.EnvelopeFrom = r.domain
			}
		}
	case "record":
		p.endRecord()
	}
	return nil
}

func (p *parser) time(which int, field *int64, text string) error {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || n > maxTime {
		return fmt.Errorf("%.40q is no time in seconds since 1970", text)
	}
	*field, p.times[which] = n, true
	return nil
}

func (p *parser) endRecord() {
	r := p.record.Record
	if p.record.bad || !r.Source.IsValid() || r.Messages == 0 {
		p.report.Bad++
		return
	}
	for _, text := range []*string{&r.Disposition, &r.SPF, &r.DKIM} {
		*text = ascii(*text)
	}
	for _, name := range []*string{&r.HeaderFrom, &r.EnvelopeFrom, &r.EnvelopeTo, &r.HELO} {
		*name = domain(*name)
	}
	p.report.Records = append(p.report.Records, r)
}

// domain is a name in lower case without final dot.
func domain(s string) string { return strings.TrimSuffix(ascii(s), ".") }

// ascii is a text with its ASCII letters in lower case: others might grow.
func ascii(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}, s)
}

func (p *parser) finish() (*Report, error) {
	r := p.report
	r.Domain = domain(r.Domain)
	r.Reporter = reporter(p.name, p.organization)
	switch {
	case !p.done:
		return nil, errors.New("there is no report in it")
	case r.ID == "":
		return nil, errors.New("it has no report_id")
	case r.Reporter == "":
		return nil, errors.New("it has neither email nor org_name")
	case !p.times[0] || !p.times[1] || r.End < r.Begin:
		return nil, errors.New("it has no date_range, or one that ends before it begins")
	}
	return r, nil
}

// reporter is the domain of an address, or the name of an organization.
func reporter(address, organization string) string {
	address = strings.Trim(address, "<> \t")
	if at := strings.LastIndexByte(address, '@'); at >= 0 {
		if d := domain(address[at+1:]); isName(d) {
			return d
		}
	}
	return domain(organization)
}

// isName reports whether a domain consists of letters, digits, hyphens and dots.
func isName(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '.'
	})
}

// charsetReader reads the encodings in which reports come beside UTF-8, all of which are
// parts of ISO 8859-1, or near enough: names of domains are ASCII.
func charsetReader(charset string, in io.Reader) (io.Reader, error) {
	switch strings.ToLower(charset) {
	case "us-ascii", "ascii", "utf8":
		return in, nil
	case "iso-8859-1", "latin1", "windows-1252":
		return &latin1{in: in}, nil
	}
	return nil, fmt.Errorf("it is in %.40q; reports are in UTF-8", charset)
}

// latin1 gives ISO 8859-1 as UTF-8.
type latin1 struct {
	in   io.Reader
	rest []byte
}

func (l *latin1) Read(p []byte) (int, error) {
	if len(l.rest) == 0 {
		var b [4096]byte
		n, err := l.in.Read(b[:])
		if n == 0 {
			return 0, err
		}
		for _, c := range b[:n] {
			l.rest = utf8.AppendRune(l.rest, rune(c))
		}
	}
	n := copy(p, l.rest)
	l.rest = l.rest[n:]
	return n, nil
}

// noEOF makes an error of an end that comes too early.
func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
