package evidence

import (
	"io"

	"nullspf/internal/logtime"
)

// source reads the records of one content, in its order.
type source interface {
	// next reads a record. Of a question it fills in all fields; the name is valid until
	// the next call. The error is io.EOF, errCut for a last record that may be completed
	// later, or what is wrong with the content.
	next(q *question) (outcome, error)
	// identity is the server that the records name, "" for none so far.
	identity() string
	// odd counts local times that the time zone does not have.
	odd() int
}

// outcome is what a record is.
type outcome int

const (
	// isQuestion: a query that was read.
	isQuestion outcome = iota
	// isOther: something else.
	isOther
	// isBad: a query that cannot be read.
	isBad
	// isTimeless: a query without a time.
	isTimeless
)

// newSource reads a content from where in stands; fresh is false when its begin was
// imported before, and passed over.
func (i *Import) newSource(c *content, in *reader, fresh bool) source {
	switch i.Format {
	case Dnstap:
		return &dnstap{in: in, fresh: fresh}
	case DnsdistProtobuf:
		return &dnsdist{in: in}
	case Pcap:
		return &pcap{in: in}
	case PDNS:
		return &lines{in: in, parser: &pdnsLog{clock: i.clock(c)}}
	}
	return &lines{in: in, parser: &queryLog{clock: i.clock(c)}}
}

func (i *Import) clock(c *content) *logtime.Clock {
	return &logtime.Clock{Zone: i.TimeZone, Changed: c.changed}
}

// frame reads n bytes that follow, which stand in b; b grows where needed. A content that
// ends within them is cut.
func frame(in *reader, b []byte, n int) ([]byte, error) {
	if cap(b) < n {
		b = make([]byte, n)
	}
	b = b[:n]
	_, err := io.ReadFull(in.Reader, b)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		err = errCut
	}
	return b, err
}
