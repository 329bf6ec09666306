package nolisting

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-smtp"

	"nullspf/internal/ascii"
	"nullspf/internal/contain"
)

// Limits on what a client sends.
const (
	// maxLine is the longest line of a command, with its end. RFC 5321 section
	// 4.5.3.1.4 has 512 bytes, to which extensions add some hundreds.
	maxLine = 2048
	// maxCommands of a session; RFC 5321 section 4.5.3.1.8 has 100 recipients.
	maxCommands = 500
	// maxMessage is how much of a message is read, in bytes, where one is.
	maxMessage = 1 << 20
)

// reply is an answer of one line.
type reply struct {
	code     int
	enhanced smtp.EnhancedCode
	text     string
}

func (r reply) line() string {
	e := r.enhanced
	if e == (smtp.EnhancedCode{}) {
		return fmt.Sprintf("%d %s\r\n", r.code, r.text)
	}
	return fmt.Sprintf("%d %d.%d.%d %s\r\n", r.code, e[0], e[1], e[2], r.text)
}

// err is the reply as go-smtp takes it.
func (r reply) err() error {
	return &smtp.SMTPError{Code: r.code, EnhancedCode: r.enhanced, Message: r.text}
}

// What the wire answers itself.
var (
	tooMany     = reply{421, smtp.EnhancedCode{4, 7, 0}, "Too many connections, try again later"}
	timedOut    = reply{421, smtp.EnhancedCode{4, 4, 2}, "Timeout"}
	tooLong     = reply{500, smtp.EnhancedCode{5, 5, 6}, "Line too long"}
	tooMuch     = reply{421, smtp.EnhancedCode{4, 7, 0}, "Too many commands"}
	control     = reply{500, smtp.EnhancedCode{5, 5, 2}, "Control characters are not allowed"}
	readyForTLS = reply{220, smtp.EnhancedCode{2, 0, 0}, "Ready to start TLS"}
	noTLS       = reply{502, smtp.EnhancedCode{5, 5, 1}, "STARTTLS is not possible"}
	goAhead     = reply{354, smtp.EnhancedCode{}, "End the message with <CR><LF>.<CR><LF>"}
)

// wire stands between a client and go-smtp, to which it is the connection. go-smtp
// reads one command at a time, so that the wire knows to which command an answer
// belongs, and has no more memory than that of a line. go-smtp bounds neither the
// number of commands nor the time of a session, takes postmaster without a domain for
// an error, and always offers CHUNKING.
//
// Its methods are called by one goroutine, except Close.
type wire struct {
	net.Conn // the client's, or TLS over it
	x        *session
	in       *bufio.Reader
	out      *bufio.Writer
	// command is the one that go-smtp answers, in upper case; rest what it has not
	// read of it yet.
	command string
	rest    []byte
	// buf is the memory of rest.
	buf []byte
	// mute: the next answer is not sent.
	mute bool
	// upgrade: the conversation has ended because TLS begins.
	upgrade bool
	// ended is closed when go-smtp closes the connection.
	ended chan struct{}
	once  sync.Once
}

func newWire(x *session, conn net.Conn, in *bufio.Reader) *wire {
	return &wire{Conn: conn, x: x, in: in, out: bufio.NewWriterSize(conn, 512), ended: make(chan struct{})}
}

// Close ends the conversation, and with it the session unless another one follows.
func (w *wire) Close() error {
	w.once.Do(func() {
		close(w.ended)
		go w.x.run(func() bool { return w.x.over(w) })
	})
	return nil
}

// go-smtp's deadlines do not count: the wire knows who waits for whom.

// SetDeadline implements [net.Conn].
func (w *wire) SetDeadline(time.Time) error { return nil }

// SetReadDeadline implements [net.Conn].
func (w *wire) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline implements [net.Conn].
func (w *wire) SetWriteDeadline(time.Time) error { return nil }

// Read gives go-smtp the next command, or the end.
func (w *wire) Read(b []byte) (n int, err error) {
	select {
	case <-w.ended:
		return 0, net.ErrClosed
	default:
	}
	err = contain.Run(func() error {
		if len(w.rest) == 0 {
			if w.rest = w.next(); w.rest == nil {
				return io.EOF
			}
		}
		n = copy(b, w.rest)
		w.rest = w.rest[n:]
		return nil
	})
	if err != nil && !errors.Is(err, io.EOF) {
		w.x.listener.panicked(err)
		err = io.EOF
	}
	if err != nil {
		// The time for the last answer, where that for the client is over.
		_ = w.x.conn.SetWriteDeadline(time.Now().Add(time.Second))
		_ = w.flush()
	}
	return n, err
}

// next returns the next command that go-smtp is to answer, and answers others itself.
// It is nil when the conversation ends.
func (w *wire) next() []byte {
	for {
		line, err := w.line()
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			w.reply(tooLong)
			return nil
		case isTimeout(err):
			w.reply(timedOut)
			return nil
		case err != nil:
			return nil
		}
		if w.x.commands++; w.x.commands > maxCommands {
			w.reply(tooMuch)
			return nil
		}
		text := bytes.TrimRight(line, "\r\n")
		if bytes.ContainsFunc(text, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
			w.reply(control)
			continue
		}
		verb, argument, _ := strings.Cut(string(text), " ")
		w.command = strings.ToUpper(verb)
		switch {
		case strings.HasPrefix(w.command, "STARTTLS"): // as go-smtp has it
			if w.x.settings.Certificate == nil || w.x.told.TLS {
				w.reply(noTLS)
				continue
			}
			w.reply(readyForTLS)
			w.upgrade = w.flush() == nil
			return nil
		case w.command == "DATA" && w.x.settings.At == AtData && w.x.asked > 0:
			if !w.message() {
				return nil
			}
			// The transaction is over, which go-smtp has to know.
			w.command, w.mute = "RSET", true
			return w.pass("RSET")
		case w.command == "RCPT" && ascii.EqualFold(strings.ReplaceAll(argument, " ", ""), "TO:<postmaster>"):
			// RFC 5321 section 4.5.1 has postmaster without a domain.
			return w.pass("RCPT TO:<postmaster@.>")
		}
		return w.pass(string(text))
	}
}

// pass returns a line for go-smtp.
func (w *wire) pass(command string) []byte {
	w.buf = append(append(w.buf[:0], command...), "\r\n"...)
	return w.buf
}

// line reads a line. When the client has to send more of it, it gets the answers first.
func (w *wire) line() ([]byte, error) {
	if b, _ := w.in.Peek(w.in.Buffered()); bytes.IndexByte(b, '\n') < 0 {
		if err := w.flush(); err != nil {
			return nil, err
		}
		if err := w.x.extend(); err != nil {
			return nil, err
		}
	}
	return w.in.ReadSlice('\n')
}

// message asks for a message, throws it away and defers it. It reports whether the
// conversation goes on. A line that ends without CR ends no message.
func (w *wire) message() bool {
	w.reply(goAhead)
	var last byte
	begins := true
	for size := 0; size < maxMessage; {
		b, err := w.line()
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return false
		}
		if begins && string(b) == ".\r\n" {
			w.hold()
			w.reply(w.x.deferral())
			return true
		}
		size += len(b)
		if len(b) > 1 {
			last = b[len(b)-2]
		}
		begins = err == nil && last == '\r'
		last = b[len(b)-1]
	}
	w.reply(w.x.deferral())
	return false
}

// Write takes a line of an answer of go-smtp. An answer that accepts a recipient or a
// message is replaced, whyever it is given.
func (w *wire) Write(b []byte) (int, error) {
	err := contain.Run(func() error { return w.write(b) })
	return len(b), err
}

func (w *wire) write(b []byte) error {
	last := len(b) < 4 || b[3] != '-'
	switch {
	case w.mute:
		w.mute = !last
		return nil
	case bytes.HasPrefix(b, []byte("250-CHUNKING")),
		bytes.HasPrefix(b, []byte("250-STARTTLS")) && w.x.settings.Certificate == nil:
		return nil
	}
	switch w.command {
	case "RCPT":
		w.hold()
		if b[0] == '2' || b[0] == '3' {
			return w.reply(w.x.deferral())
		}
	case "DATA", "BDAT":
		w.hold()
		// After recipients that were deferred nothing is refused for good.
		if b[0] == '2' || b[0] == '3' || w.x.settings.Mode == Defer && w.x.told.Recipients > 0 {
			return w.reply(w.x.deferral())
		}
	}
	_, err := w.out.Write(b)
	return err
}

// reply writes an answer; one that cannot be written ends the conversation when it is
// flushed.
func (w *wire) reply(r reply) error {
	_, err := w.out.WriteString(r.line())
	return err
}

// flush sends what was answered.
func (w *wire) flush() error { return w.out.Flush() }

// hold holds an answer back, as long as the settings say. Meanwhile the connection is
// idle, and makes room for others.
func (w *wire) hold() {
	d := min(w.x.settings.Tarpit, time.Until(w.x.until))
	if d <= 0 || w.flush() != nil || w.x.extend() != nil {
		return
	}
	sleep(w.x.closed, d)
	_ = w.x.extend()
}

func isTimeout(err error) bool {
	var e net.Error
	return errors.As(err, &e) && e.Timeout()
}
