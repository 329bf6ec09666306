package dmarc

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// mboxLine begins the line before each message of an mbox.
const mboxLine = "From "

// mbox splits an mbox (RFC 4155) into messages. A message begins after a line that begins
// with "From ", which is the first or follows an empty one.
type mbox struct {
	in *bufio.Reader
	// message is the one that is being read.
	message *mboxMessage
}

// next returns the next message, after the rest of the one before.
func (b *mbox) next() (io.Reader, error) {
	if b.message != nil {
		if _, err := io.Copy(io.Discard, b.message); err != nil {
			return nil, err
		}
	}
	if _, err := b.in.Peek(1); err != nil {
		return nil, err
	}
	for { // the line before the message
		_, err := b.in.ReadSlice('\n')
		if err == nil || err == io.EOF {
			break
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return nil, err
		}
	}
	b.message = &mboxMessage{in: b.in, begins: true}
	return b.message, nil
}

// mboxMessage is a message, up to the line before the next one.
type mboxMessage struct {
	in *bufio.Reader
	// line is what is left of the present piece; begins: a line begins behind it, and
	// empty: after an empty one.
	line          []byte
	begins, empty bool
}

// Read implements io.Reader.
func (m *mboxMessage) Read(p []byte) (int, error) {
	for len(m.line) == 0 {
		if m.begins && m.empty {
			if begin, _ := m.in.Peek(len(mboxLine)); string(begin) == mboxLine {
				return 0, io.EOF
			}
		}
		line, err := m.in.ReadSlice('\n')
		if len(line) == 0 {
			return 0, err
		}
		// "From " at the begin of a line was written as ">From ".
		if m.begins && bytes.HasPrefix(bytes.TrimLeft(line, ">"), []byte(mboxLine)) && line[0] == '>' {
			line = line[1:]
		}
		whole := err == nil
		m.empty = m.begins && whole && len(bytes.TrimRight(line, "\r\n")) == 0
		m.begins, m.line = whole, line
	}
	n := copy(p, m.line)
	m.line = m.line[n:]
	return n, nil
}
