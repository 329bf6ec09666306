package evidence

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// maxLine is how long a line may be. A name has at most four bytes for each of its 255,
// and stands in a line twice.
const maxLine = 64 << 10

// lineParser reads a line of one format.
type lineParser interface {
	parse(line []byte, q *question) outcome
	oddTimes() int
}

// lines is a source of lines.
type lines struct {
	in     *reader
	parser lineParser
}

func (l *lines) identity() string { return "" }

func (l *lines) odd() int { return l.parser.oddTimes() }

func (l *lines) next(q *question) (outcome, error) {
	line, err := l.line()
	if err != nil {
		return isOther, err
	}
	return l.parser.parse(line, q), nil
}

// line reads a line without its end, nil for one that is too long.
func (l *lines) line() ([]byte, error) {
	line, err := l.in.ReadSlice('\n')
	if err == nil {
		l.in.Write(line)
		return bytes.TrimRight(line, "\r\n"), nil
	}
	if errors.Is(err, bufio.ErrBufferFull) {
		for errors.Is(err, bufio.ErrBufferFull) {
			l.in.Write(line)
			line, err = l.in.ReadSlice('\n')
		}
		l.in.Write(line)
		return nil, err
	}
	if errors.Is(err, io.EOF) && len(line) > 0 {
		return nil, errCut
	}
	return nil, err
}
