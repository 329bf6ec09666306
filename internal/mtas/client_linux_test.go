package mtas

import (
	"fmt"
	"net/textproto"
	"strings"
	"testing"
	"time"
)

// client talks SMTP over one connection.
type client struct {
	*textproto.Conn
	t        *testing.T
	net      *Machine
	from, to string
}

// connect connects to a server's port 25 from an address and reads the greeting.
func connect(t *testing.T, n *Machine, from, to string) *client {
	t.Helper()
	conn, err := n.Dial(t.Context(), from, to)
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	c := &client{textproto.NewConn(conn), t, n, from, to}
	t.Cleanup(func() { _ = c.Close() })
	c.reply("greeting", "220")
	return c
}

// fresh begins anew with another connection: servers slow clients down, or turn
// them away, that try many recipients.
func (c *client) fresh() {
	c.t.Helper()
	_ = c.PrintfLine("QUIT")
	_ = c.Close()
	c.Conn = connect(c.t, c.net, c.from, c.to).Conn
	c.expect("EHLO good.sender.example.com", "250")
}

// expect sends a command and checks the beginning of the reply.
func (c *client) expect(command, want string) string {
	c.t.Helper()
	got := c.try(command)
	if !strings.HasPrefix(got, want) {
		c.t.Errorf("%s: got %q, want %q", command, got, want)
	}
	return got
}

// try sends a command and returns the reply.
func (c *client) try(command string) string {
	c.t.Helper()
	if err := c.PrintfLine("%s", command); err != nil {
		c.t.Fatalf("%s: %v", command, err)
	}
	return c.read(command)
}

func (c *client) read(command string) string {
	c.t.Helper()
	code, text, err := c.ReadResponse(0)
	if err != nil && code == 0 {
		c.t.Fatalf("%s: %v", command, err)
	}
	return fmt.Sprintf("%d %s", code, text)
}

func (c *client) reply(command, want string) {
	c.t.Helper()
	if got := c.read(command); !strings.HasPrefix(got, want) {
		c.t.Errorf("%s: got %q, want %q", command, got, want)
	}
}

// send begins with MAIL and ends after the message.
func (c *client) send(sender, recipient, subject string) {
	c.t.Helper()
	c.expect("MAIL FROM:<"+sender+">", "250")
	c.expect("RCPT TO:<"+recipient+">", "250")
	c.expect("DATA", "354")
	c.expect("From: a@sender.example.com\r\nTo: <"+recipient+">\r\nSubject: "+subject+"\r\n\r\ntest\r\n.", "250")
}
