package mxprobe

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"nullspf/nolisting"
)

// TestTLS notes a certificate that nobody has signed, and goes on over TLS.
func TestTLS(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	certificate := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"mx.example.net"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, certificate, certificate, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		// The client waits for each reply.
		fmt.Fprint(conn, "220 mx.example.net ESMTP\r\n")
		buffer := make([]byte, 1000)
		for _, reply := range []string{"250-mx.example.net\r\n250 STARTTLS\r\n", "220 go\r\n"} {
			if _, err := conn.Read(buffer); err != nil {
				return
			}
			fmt.Fprint(conn, reply)
		}
		live().over(tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}))
	}()
	at := netip.MustParseAddrPort(l.Addr().String())
	r := run(t, Settings{Port: at.Port(), Timeout: 5 * time.Second}, Target{Host: "mx.example.net", Role: nolisting.Live, Address: at.Addr(), Domain: "brand.example"})[0]
	if n := len(r.Session.Recipients); n != 3 || findings(r, Error)+findings(r, Warning) != "" {
		t.Errorf("%d recipients over TLS: %+v", n, r)
	}
	if got := findings(r, Note); !strings.Contains(got, "the certificate for mx.example.net") || !strings.Contains(got, "does not verify") {
		t.Errorf("got note %q", got)
	}
}

// over serves a connection that has been greeted.
func (h host) over(conn net.Conn) {
	h.greeting = "silence"
	h.serve(conn, func(string) {})
}

// FuzzSession lets a host say anything: a session ends, and what it keeps is bounded.
func FuzzSession(f *testing.F) {
	f.Add([]byte("220 mx\r\n250-mx\r\n250 PIPELINING\r\n250 ok\r\n250 ok\r\n250 ok\r\n"))
	f.Add([]byte("220-a\r\n220 b\r\n502 no\r\n250 ok\r\n"))
	f.Add([]byte("421 \x1b[31m\r\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		client, server := net.Pipe()
		go func() { _, _ = io.Copy(io.Discard, server) }()
		go func() {
			_, _ = server.Write(data)
			server.Close()
		}()
		d := newDialogue(client, time.Second)
		s := Session{Connect: Accepted, Greeting: d.reply()}
		d.hello(&s, "probe.example.net")
		r := Recipient{Kind: Postmaster, Mailbox: "postmaster@brand.example"}
		d.recipient(&r)
		s.Recipients = append(s.Recipients, r)
		client.Close()
		target := Target{Host: "mx.example.net", Role: nolisting.Live}
		report := Report{Results: []Result{{target, s, judge(&target, &s)}}}
		var b strings.Builder
		if err := report.WriteTable(&b); err != nil || b.Len() > 20*maxText {
			t.Fatalf("%v, %d bytes", err, b.Len())
		}
		if strings.ContainsFunc(b.String(), func(r rune) bool { return r < ' ' && r != '\n' }) {
			t.Errorf("control characters: %q", b.String())
		}
	})
}
