package nolisting

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"nullspf/internal/keypair"
	"nullspf/internal/peers"
)

// startTLS says EHLO and STARTTLS, with more behind it in the same packet, and
// returns the connection, and what it is over TLS.
func startTLS(t *testing.T, conn *client, more string) *client {
	t.Helper()
	if got := conn.talk("EHLO before.example"); !strings.Contains(got[1], "250-STARTTLS|") {
		t.Errorf("%s", got[1])
	}
	fmt.Fprintf(conn, "MAIL FROM:<before@shop.example>\r\nSTARTTLS\r\n%s", more)
	if got := conn.reply()[:3] + " " + conn.reply(); got != "250 220 2.0.0 Ready to start TLS" {
		t.Fatalf("%s", got)
	}
	secure := tls.Client(conn.Conn, &tls.Config{InsecureSkipVerify: true})
	if err := secure.Handshake(); err != nil {
		t.Fatal(err)
	}
	return &client{secure, t, bufio.NewReader(secure)}
}

// TestStartTLS: what was said before TLS is forgotten, and nothing that came with
// STARTTLS is taken for something said inside.
func TestStartTLS(t *testing.T) {
	t.Parallel()
	c, err := keypair.Load(peers.Certificate(t, t.TempDir(), "mx.example.net"))
	if err != nil {
		t.Fatal(err)
	}
	_, r, at := testListener(t, ListenerSettings{Certificate: c, At: AtData}, listenerLimits{})
	secure := startTLS(t, dial(t, at), "EHLO injected.example\r\nMAIL FROM:<injected@shop.example>\r\n")
	var replies []string
	for _, command := range []string{"RCPT TO:<a@b>", "MAIL FROM:<x@y>", "EHLO After.example", "STARTTLS", "RCPT TO:<a@b>",
		"MAIL FROM:<after@shop.example>", "RCPT TO:<a@b>", "DATA", ".", "DATA", "QUIT"} {
		fmt.Fprintf(secure, "%s\r\n", command)
		replies = append(replies, secure.reply())
	}
	if strings.Contains(replies[2], "STARTTLS") {
		t.Errorf("%s", replies[2])
	}
	if got, want := prefixes(replies, 3), "502 502 250 502 502 250 451 354 451 451 221"; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	_ = secure.Close()
	s := r.take(t, 1)[0]
	if !s.TLS || s.HELO != "after.example" || s.SenderLocal != "after" || s.Recipients != 1 {
		t.Errorf("%+v", s)
	}
	// A client that changes its mind.
	conn := dial(t, at)
	conn.talk("EHLO a")
	fmt.Fprint(conn, "STARTTLS\r\nMAIL FROM:<injected@shop.example>\r\n")
	if got := conn.reply(); !strings.HasPrefix(got, "220 ") {
		t.Errorf("%s", got)
	}
	_ = conn.Close()
	if s := r.take(t, 1)[0]; s.TLS || s.SenderLocal != "" {
		t.Errorf("%+v", s)
	}
}

// TestCertificateChanges: the next handshake has the new certificate, and the one
// before as long as the files are wrong.
func TestCertificateChanges(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key := peers.Certificate(t, dir, "first.example.net")
	c, err := keypair.Load(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	l, _, at := testListener(t, ListenerSettings{Certificate: c}, listenerLimits{})
	name := func() string {
		t.Helper()
		secure := startTLS(t, dial(t, at), "").Conn.(*tls.Conn)
		defer secure.Close()
		return secure.ConnectionState().PeerCertificates[0].DNSNames[0]
	}
	if got := name(); got != "first.example.net" {
		t.Errorf("the certificate of %s", got)
	}
	whole, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(key, whole[:100], 0o600); err != nil {
		t.Fatal(err)
	}
	time.Sleep(keypair.CheckEvery)
	if got := name(); got != "first.example.net" {
		t.Errorf("with a broken key, the certificate of %s", got)
	}
	if p := l.Problems(); len(p) != 1 || !strings.Contains(p[0], key) || l.Stats().Certificate != 1 {
		t.Errorf("%q, %+v", p, l.Stats())
	}
	peers.Certificate(t, dir, "second.example.net")
	time.Sleep(keypair.CheckEvery)
	if got := name(); got != "second.example.net" {
		t.Errorf("the certificate of %s", got)
	}
	if p := l.Problems(); len(p) != 0 {
		t.Errorf("%q", p)
	}
}
