package mailmaps

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strings"
	"sync"
	"testing"
	"time"
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

// sink is an SMTP server that accepts everything and tells the recipients.
type sink struct {
	net.Listener
	recipients chan string
}

func newSink(t *testing.T) *sink {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &sink{l, make(chan string, 16)}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { s.serve(conn) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		serving.Wait()
	})
	return s
}

func (s *sink) serve(conn net.Conn) {
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	fmt.Fprint(conn, "220 sink.example.net ESMTP\r\n")
	lines := bufio.NewScanner(conn)
	data := false
	for lines.Scan() {
		line := lines.Text()
		verb, rest, _ := strings.Cut(strings.ToUpper(line), " ")
		switch {
		case data && line != ".":
			continue
		case data:
			data = false
		case verb == "DATA":
			data = true
			fmt.Fprint(conn, "354 go on\r\n")
			continue
		case verb == "QUIT":
			fmt.Fprint(conn, "221 bye\r\n")
			return
		case verb == "RCPT":
			address, _, _ := strings.Cut(strings.TrimPrefix(rest, "TO:<"), ">")
			s.recipients <- strings.ToLower(address)
		}
		fmt.Fprint(conn, "250 ok\r\n")
	}
}
