package mailmaps

import (
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"nullspf/internal/mtas"
)

// client talks SMTP over one connection.
type client struct {
	*textproto.Conn
	t *testing.T
}

// newClient reads the greeting.
func newClient(t *testing.T, conn io.ReadWriteCloser) *client {
	t.Helper()
	c := &client{textproto.NewConn(conn), t}
	t.Cleanup(func() { _ = c.Close() })
	c.reply("greeting", "220")
	return c
}

// expect sends a command and checks the beginning of the reply.
func (c *client) expect(command, want string) string {
	c.t.Helper()
	if err := c.PrintfLine("%s", command); err != nil {
		c.t.Fatal(err)
	}
	return c.reply(command, want)
}

func (c *client) reply(command, want string) string {
	c.t.Helper()
	code, text, err := c.ReadResponse(0)
	if err != nil && code == 0 {
		c.t.Fatalf("%s: %v", command, err)
	}
	got := fmt.Sprintf("%d %s", code, text)
	if !strings.HasPrefix(got, want) {
		c.t.Errorf("%s: got %q, want %q", command, got, want)
	}
	return got
}

// refused checks that a recipient gets 554 5.7.1 and the text.
func (c *client) refused(recipient, text string) {
	c.t.Helper()
	command := "RCPT TO:<" + recipient + ">"
	if got := c.expect(command, "554 5.7.1 "); !strings.HasSuffix(got, text) {
		c.t.Errorf("%s: got %q, want the text %q", command, got, text)
	}
}

// newSink starts an SMTP server that accepts everything, and tells the recipients.
func newSink(t *testing.T) (at net.Addr, recipients chan string) {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	recipients = make(chan string, 16)
	s := &mtas.Sink{Seen: func(_ time.Time, what string) {
		if strings.Contains(what, "@") {
			recipients <- what
		}
	}}
	s.Serve(l)
	t.Cleanup(s.Close)
	return l.Addr(), recipients
}
