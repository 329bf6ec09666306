package dmarc

import (
	"archive/zip"
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"strings"
)

const (
	// maxItem bounds what a mail, or a file that is none, comes to with all that is decoded
	// and decompressed of it.
	maxItem = 64 << 20
	// maxNesting bounds containers in each other, maxParts their members.
	maxNesting = 6
	maxParts   = 256
	// looked is how many bytes tell what something is.
	looked = 512
)

var errTooLarge = errors.New("it comes to more than 64 MiB with all that is decompressed")

// Each reads all reports of a file: one in XML, compressed or not, a mail, or an mbox. It
// calls yield with the number of the mail, from 1 on, or 1, and with a report in it or with
// what is wrong with one; with neither for a mail that has no report. Its error is that of
// yield, or of reading r.
func Each(r io.Reader, yield func(n int, r *Report, err error) error) error {
	return each(r, maxItem, yield)
}

// each is Each with another bound than maxItem.
func each(r io.Reader, most int64, yield func(n int, r *Report, err error) error) error {
	in := bufio.NewReaderSize(r, 64<<10)
	begin, err := in.Peek(len(mboxLine))
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if string(begin) != mboxLine {
		return newItem(1, most, yield).run(in)
	}
	box := mbox{in: in}
	for n := 1; ; n++ {
		message, err := box.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := newItem(n, most, yield).run(message); err != nil {
			return err
		}
	}
}

// item is a mail, or a file that is none.
type item struct {
	number int
	left   int64
	parts  int
	found  bool
	yield  func(int, *Report, error) error
	// failed is an error of yield, or of reading the file.
	failed error
}

func newItem(n int, most int64, yield func(int, *Report, error) error) *item {
	return &item{number: n, left: most, yield: yield}
}

func (i *item) run(r io.Reader) error {
	i.read(&source{r, i}, 0, true)
	if i.failed == nil && !i.found {
		i.tell(nil, nil)
	}
	return i.failed
}

// source is the file: its errors are nobody else's.
type source struct {
	io.Reader
	item *item
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if err != nil && err != io.EOF {
		s.item.failed = err
	}
	return n, err
}

// tell calls yield.
func (i *item) tell(r *Report, err error) {
	i.found = true
	if i.failed == nil {
		i.failed = i.yield(i.number, r, err)
	}
}

// bounded counts what is read of r.
func (i *item) bounded(r io.Reader) *bufio.Reader { return bufio.NewReader(&budget{r, i}) }

type budget struct {
	io.Reader
	item *item
}

func (b *budget) Read(p []byte) (int, error) {
	if b.item.left <= 0 {
		return 0, errTooLarge
	}
	n, err := b.Reader.Read(p[:min(int64(len(p)), b.item.left)])
	b.item.left -= int64(n)
	return n, err
}

// read finds out what r is, and reads the reports in it. What begins like none of the forms
// is a mail, when that is possible, or of no interest.
func (i *item) read(r io.Reader, nesting int, mail bool) {
	in := i.bounded(r)
	begin, err := in.Peek(looked)
	switch {
	case i.failed != nil:
	case nesting > maxNesting:
		i.tell(nil, fmt.Errorf("containers are nested more than %d deep", maxNesting))
	case err != nil && err != io.EOF:
		i.tell(nil, err)
	case bytes.HasPrefix(begin, []byte("\x1f\x8b")):
		z, err := gzip.NewReader(in)
		if err != nil {
			i.tell(nil, noEOF(err))
			return
		}
		i.read(z, nesting+1, false)
	case bytes.HasPrefix(begin, []byte("PK\x03\x04")):
		i.zip(in, nesting)
	case isXML(begin, mail):
		report, err := Parse(in)
		i.tell(report, err)
	case mail:
		i.mail(in, nesting)
	}
}

// isXML reports whether a content is XML. In a mail, whose texts may begin with anything, it
// is a report when it says so.
func isXML(begin []byte, file bool) bool {
	begin = bytes.TrimLeft(bytes.TrimPrefix(begin, []byte("\xef\xbb\xbf")), " \t\r\n")
	if file {
		return bytes.HasPrefix(begin, []byte("<"))
	}
	return bytes.HasPrefix(begin, []byte("<?xml")) || bytes.HasPrefix(begin, []byte("<feedback"))
}

// zip reads the files of an archive by its directory: local headers may have no sizes.
func (i *item) zip(in io.Reader, nesting int) {
	data, err := io.ReadAll(in)
	if err != nil {
		i.tell(nil, err)
		return
	}
	if bytes.Count(data, []byte("PK\x01\x02")) > maxParts {
		i.tell(nil, fmt.Errorf("it has more than %d parts", maxParts))
		return
	}
	archive, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		i.tell(nil, err)
		return
	}
	for _, f := range archive.File {
		if f.FileInfo().IsDir() || !i.part() {
			continue
		}
		r, err := f.Open()
		if err != nil {
			i.tell(nil, err)
			continue
		}
		i.read(r, nesting+1, false)
		_ = r.Close()
	}
}

// part counts a member of a container; false when there are too many.
func (i *item) part() bool {
	if i.parts++; i.parts == maxParts {
		i.tell(nil, fmt.Errorf("it has more than %d parts", maxParts))
	}
	return i.parts < maxParts && i.failed == nil
}

// mail reads a message (RFC 5322).
func (i *item) mail(in io.Reader, nesting int) {
	m, err := mail.ReadMessage(in)
	if err != nil {
		if errors.Is(err, errTooLarge) {
			i.tell(nil, err)
		}
		return // no mail
	}
	i.entity(m.Header.Get, m.Body, nesting)
}

// entity reads a message or a part of one (RFC 2045) whose header get knows.
func (i *item) entity(get func(string) string, body io.Reader, nesting int) {
	if nesting > maxNesting {
		i.tell(nil, fmt.Errorf("parts are nested more than %d deep", maxNesting))
		return
	}
	kind, parameters, err := mime.ParseMediaType(get("Content-Type"))
	if err != nil {
		kind = ""
	}
	switch strings.ToLower(strings.TrimSpace(get("Content-Transfer-Encoding"))) {
	case "base64":
		body = base64.NewDecoder(base64.StdEncoding, body)
	case "quoted-printable":
		body = quotedprintable.NewReader(body)
	}
	switch {
	case strings.HasPrefix(kind, "multipart/") && parameters["boundary"] != "":
		i.multipart(multipart.NewReader(body, parameters["boundary"]), nesting)
	case kind == "message/rfc822" || kind == "message/global":
		i.mail(i.bounded(body), nesting+1)
	default:
		i.read(body, nesting+1, false)
	}
}

func (i *item) multipart(parts *multipart.Reader, nesting int) {
	for {
		part, err := parts.NextRawPart()
		if err != nil {
			if err != io.EOF {
				i.tell(nil, noEOF(err))
			}
			return
		}
		if !i.part() {
			return
		}
		i.entity(part.Header.Get, part, nesting+1)
	}
}
