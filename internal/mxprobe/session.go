package mxprobe

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/textproto"
	"strings"
	"syscall"
	"time"

	"nullspf/internal/dnsname"
)

// Connect is what became of a TCP connection.
type Connect string

const (
	// Accepted: the connection was opened.
	Accepted Connect = "accepted"
	// Refused: answered with RST.
	Refused Connect = "refused"
	// Dropped: nothing was answered in the time.
	Dropped Connect = "dropped"
	// Unreachable: there is no way to the address, by this machine's routes or
	// by what a router answered.
	Unreachable Connect = "unreachable"
)

// Session is what a host did.
type Session struct {
	Connect Connect `json:"connect"`
	// Error is that of connecting.
	Error string `json:"error,omitempty"`
	// Seconds until the connection was open or failed.
	Seconds float64 `json:"seconds"`
	// Greeting is the first reply; without code when none came, and Text says why.
	Greeting Reply `json:"greeting"`
	// EHLO is the reply to EHLO, or to HELO where EHLO is not known.
	EHLO Reply `json:"ehlo"`
	// TLS tells of STARTTLS; nil when it is not offered.
	TLS *TLS `json:"tls,omitempty"`
	// Recipients are in the order in which they were tried.
	Recipients []Recipient `json:"recipients,omitempty"`
}

// Reply is an SMTP reply (RFC 5321 section 4.2). Code is 0 when there was none;
// then Text is the error.
type Reply struct {
	Code int    `json:"code"`
	Text string `json:"text,omitempty"`
}

// class is the first digit.
func (r Reply) class() int { return r.Code / 100 }

func (r Reply) String() string {
	if r.Code == 0 {
		return r.Text
	}
	return fmt.Sprintf("%d %s", r.Code, r.Text)
}

// TLS is what STARTTLS led to.
type TLS struct {
	Version string `json:"version,omitempty"`
	// Names and NotAfter are those of the certificate.
	Names    []string  `json:"names,omitempty"`
	NotAfter time.Time `json:"not_after,omitzero"`
	// Error says why the handshake failed or the certificate does not verify.
	Error string `json:"error,omitempty"`
}

// RecipientKind says what is expected of a recipient.
type RecipientKind string

const (
	// Postmaster of the domain, which must be accepted (RFC 5321 section 4.5.1).
	Postmaster RecipientKind = "postmaster"
	// Nobody is a mailbox that does not exist in the domain.
	Nobody RecipientKind = "nobody"
	// NobodyBelow is one in a name below the domain.
	NobodyBelow RecipientKind = "below"
	// Relay is a mailbox in a domain of others.
	Relay RecipientKind = "relay"
)

// Recipient is a recipient that was tried.
type Recipient struct {
	Kind    RecipientKind `json:"kind"`
	Mailbox string        `json:"mailbox"`
	// Reply is that to RCPT, or to MAIL when this was not accepted.
	Reply Reply `json:"reply"`
}

const (
	// probeName is the local part and the label of what does not exist.
	probeName = "nullspf-probe"
	// elsewhere is a domain of others, for relaying (RFC 2606).
	elsewhere = "example.com"
	// maxRead bounds what is read in a session, in bytes.
	maxRead = 64 << 10
	// maxText bounds the text of a reply, in bytes.
	maxText = 300
)

// prober probes one target.
type prober struct {
	*Settings
	target *Target
	pace   <-chan time.Time
}

// run has one session, or a second one without STARTTLS when that failed.
func (p *prober) run(ctx context.Context) Session {
	s := p.session(ctx, true)
	if s.TLS != nil && s.TLS.Version == "" && len(s.Recipients) == 0 {
		failed := s.TLS
		s = p.session(ctx, false)
		s.TLS = failed
	}
	return s
}

func (p *prober) session(ctx context.Context, startTLS bool) (s Session) {
	select {
	case <-p.pace:
	case <-ctx.Done():
		return s
	}
	begin := time.Now()
	dialer := net.Dialer{Timeout: p.Timeout}
	conn, err := dialer.DialContext(ctx, "tcp", netip.AddrPortFrom(p.target.Address, p.Port).String())
	s.Seconds = time.Since(begin).Round(time.Millisecond).Seconds()
	if s.Connect = connected(err); err != nil {
		s.Error = err.Error()
		return s
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()

	d := newDialogue(conn, p.Timeout)
	if s.Greeting = d.reply(); s.Greeting.Code != 220 {
		return s
	}
	extensions := d.hello(&s, p.HELO)
	if s.EHLO.class() != 2 {
		return s
	}
	if startTLS && extensions["STARTTLS"] {
		s.TLS = &TLS{}
		if d = p.startTLS(d, conn, s.TLS); d == nil {
			return s
		}
		if d.hello(&s, p.HELO); s.EHLO.class() != 2 {
			return s
		}
	}
	for _, r := range p.recipients() {
		if !d.recipient(&r) {
			s.Recipients = append(s.Recipients, r)
			return s
		}
		s.Recipients = append(s.Recipients, r)
	}
	d.command("QUIT")
	return s
}

// connected tells what the error of connecting means.
func connected(err error) Connect {
	var timeout net.Error
	switch {
	case err == nil:
		return Accepted
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ECONNRESET):
		return Refused
	case errors.As(err, &timeout) && timeout.Timeout():
		return Dropped
	}
	return Unreachable
}

// recipients are those to try.
func (p *prober) recipients() []Recipient {
	d := p.target.Domain
	list := []Recipient{{Kind: Relay, Mailbox: probeName + "@" + elsewhere}}
	if d == "" {
		return list
	}
	list = append([]Recipient{{Kind: Postmaster, Mailbox: "postmaster@" + string(d)}, {Kind: Nobody, Mailbox: probeName + "@" + string(d)}}, list...)
	if below := probeName + "." + string(d); p.target.Below && dnsname.IsHost(dnsname.Name(below)) {
		list = append(list, Recipient{Kind: NobodyBelow, Mailbox: probeName + "@" + below})
	}
	return list
}

// startTLS upgrades a session (RFC 3207); the result is nil when this fails. The
// certificate is looked at and does not decide: senders to MX hosts do not verify
// either, but for MTA-STS and DANE.
func (p *prober) startTLS(d *dialogue, conn net.Conn, t *TLS) *dialogue {
	if r := d.command("STARTTLS"); r.Code != 220 {
		t.Error = r.String()
		return nil
	}
	if d.text.R.Buffered() > 0 {
		t.Error = "the host sends more before the TLS handshake"
		return nil
	}
	_ = conn.SetDeadline(time.Now().Add(p.Timeout))
	c := tls.Client(conn, &tls.Config{ServerName: string(p.target.Host), InsecureSkipVerify: true})
	if err := c.Handshake(); err != nil {
		t.Error = err.Error()
		return nil
	}
	state := c.ConnectionState()
	t.Version = tls.VersionName(state.Version)
	leaf := state.PeerCertificates[0]
	t.Names, t.NotAfter = leaf.DNSNames, leaf.NotAfter.UTC()
	const most = 10
	t.Names = t.Names[:min(len(t.Names), most)]
	options := x509.VerifyOptions{DNSName: string(p.target.Host), Intermediates: x509.NewCertPool()}
	for _, c := range state.PeerCertificates[1:] {
		options.Intermediates.AddCert(c)
	}
	if _, err := leaf.Verify(options); err != nil {
		t.Error = err.Error()
	}
	return newDialogue(c, p.Timeout)
}

// dialogue is the client's side of an SMTP session.
type dialogue struct {
	conn    net.Conn
	text    *textproto.Conn
	timeout time.Duration
	// left are the bytes that may still be read.
	left *io.LimitedReader
}

func newDialogue(conn net.Conn, timeout time.Duration) *dialogue {
	left := &io.LimitedReader{R: conn, N: maxRead}
	return &dialogue{conn, textproto.NewConn(struct {
		io.Reader
		io.WriteCloser
	}{left, conn}), timeout, left}
}

// reply reads a reply.
func (d *dialogue) reply() Reply {
	_ = d.conn.SetDeadline(time.Now().Add(d.timeout))
	code, text, err := d.text.ReadResponse(0)
	if err == nil {
		return Reply{code, bounded(text)}
	}
	var timeout net.Error
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		return Reply{Text: fmt.Sprintf("no reply in %v", d.timeout)}
	case d.left.N <= 0:
		return Reply{Text: fmt.Sprintf("more than %d bytes of replies", maxRead)}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return Reply{Text: "the host closes the connection"}
	case errors.Is(err, syscall.ECONNRESET):
		return Reply{Text: "the host resets the connection"}
	}
	return Reply{Text: "not an SMTP reply: " + bounded(err.Error())}
}

func bounded(text string) string {
	if len(text) > maxText {
		return text[:maxText] + "..."
	}
	return text
}

// command sends a command and reads the reply.
func (d *dialogue) command(format string, args ...any) Reply {
	_ = d.conn.SetDeadline(time.Now().Add(d.timeout))
	if err := d.text.PrintfLine(format, args...); err != nil {
		return Reply{Text: bounded(err.Error())}
	}
	return d.reply()
}

// hello says EHLO, or HELO, and returns the extensions.
func (d *dialogue) hello(s *Session, name string) map[string]bool {
	if s.EHLO = d.command("EHLO %s", name); s.EHLO.class() != 2 && s.EHLO.Code != 0 {
		s.EHLO = d.command("HELO %s", name)
		return nil
	}
	extensions := make(map[string]bool)
	for line := range strings.Lines(s.EHLO.Text) {
		if words := strings.Fields(line); len(words) > 0 {
			extensions[strings.ToUpper(words[0])] = true
		}
	}
	s.EHLO.Text, _, _ = strings.Cut(s.EHLO.Text, "\n")
	return extensions
}

// recipient tries a recipient in a mail transaction of its own, with the null
// reverse-path, and resets it. It reports whether the session goes on.
func (d *dialogue) recipient(r *Recipient) bool {
	if r.Reply = d.command("MAIL FROM:<>"); r.Reply.class() == 2 {
		r.Reply = d.command("RCPT TO:<%s>", r.Mailbox)
	}
	if r.Reply.Code == 0 || r.Reply.Code == 421 {
		return false
	}
	return d.command("RSET").class() == 2
}
