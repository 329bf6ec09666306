package nolisting

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-smtp"

	"nullspf/internal/ascii"
	"nullspf/internal/conns"
	"nullspf/internal/contain"
	"nullspf/internal/proxyheader"
)

// session is a connection that is served.
type session struct {
	listener *Listener
	settings *ListenerSettings
	socket   *watched
	// conn is the socket as one of those that are counted; nil for one too many.
	conn *conns.Conn
	// closed ends when the connection is closed, by whom ever, or the listener is.
	closed context.Context
	// until is the latest end.
	until time.Time
	// anonymous: it is a proxy's own connection, and is not recorded.
	anonymous bool
	// told is what is recorded. mailed: it has the sender of a MAIL.
	told   Session
	mailed bool
	// asked counts the recipients of the present transaction.
	asked int
	// commands counts what the client sent.
	commands int
}

// watched is a connection that tells when it is closed.
type watched struct {
	net.Conn
	cancel context.CancelFunc
}

// Close implements [net.Conn].
func (w *watched) Close() error {
	w.cancel()
	return w.Conn.Close()
}

// accept serves a connection.
func (l *Listener) accept(conn net.Conn) {
	now := time.Now()
	x := &session{listener: l, settings: l.settings.Load(), until: now.Add(l.options.limits.session), told: Session{Start: now}}
	if a, ok := conn.RemoteAddr().(*net.TCPAddr); ok {
		at := a.AddrPort()
		x.told.Client = netip.AddrPortFrom(at.Addr().Unmap().WithZone(""), at.Port())
	}
	client := x.told.Client.Addr()
	isProxy := slices.ContainsFunc(x.settings.Proxies, func(p netip.Prefix) bool { return p.Contains(client) })
	x.anonymous = isProxy
	closed, cancel := context.WithCancel(l.closing)
	x.socket = &watched{conn, cancel}
	x.closed = closed
	x.conn = l.conns.Admit(x.socket, client, isProxy)
	l.sessions.Add(1)
	switch {
	case x.conn == nil:
		go x.run(func() bool { x.turnAway(); return false })
	case isProxy || x.settings.At == AtConnect:
		go x.run(func() bool { return x.serve(isProxy) })
	default:
		// The goroutine of go-smtp is all that it needs.
		x.run(func() bool { return x.serve(false) })
	}
}

// run does a part of the session and ends it, unless the part says that it goes on.
func (x *session) run(part func() (goesOn bool)) {
	goesOn := false
	if err := contain.Run(func() error { goesOn = part(); return nil }); err != nil {
		x.listener.panicked(err)
	}
	if goesOn {
		return
	}
	_ = x.socket.Close()
	if x.conn != nil {
		x.listener.conns.Remove(x.conn)
	}
	x.record()
	x.listener.sessions.Done()
}

// turnAway tells a client that has too many connections.
func (x *session) turnAway() {
	_ = x.socket.SetDeadline(x.told.Start.Add(time.Second))
	_, _ = x.socket.Write([]byte(tooMany.line()))
}

// panicked notes a fault that was contained.
func (l *Listener) panicked(err error) {
	l.counters.panics.Add(1)
	e := l.options.Logger.Error().Err(err)
	var fault *contain.Panic
	if errors.As(err, &fault) {
		e = e.Bytes("stack", fault.Stack)
	}
	e.Msg("a session caused a panic and was ended; please report this as a bug")
}

// record records the session.
func (x *session) record() {
	if x.anonymous {
		return
	}
	x.told.Duration = time.Since(x.told.Start)
	x.listener.counters.sessions.Add(1)
	x.listener.options.Record(&x.told)
}

// serve begins the conversation with the client, and reports whether it goes on.
func (x *session) serve(isProxy bool) (goesOn bool) {
	in := bufio.NewReaderSize(x.conn, maxLine)
	if isProxy && !x.unwrap(in) {
		return false
	}
	w := newWire(x, x.conn, in)
	if x.settings.At == AtConnect {
		w.hold()
		w.reply(x.deferral())
		_ = w.flush()
		return false
	}
	x.listener.plain.hold(w)
	return true
}

// over is called at the end of a conversation. It reports whether another one goes on.
func (x *session) over(w *wire) (goesOn bool) {
	_ = w.flush()
	if !w.upgrade {
		return false
	}
	// What the client said before is forgotten, and what it sent thrown away
	// (RFC 3207 section 4.2).
	if x.extend() != nil {
		return false
	}
	secure := tls.Server(x.conn, &tls.Config{GetCertificate: x.certificate})
	if err := secure.HandshakeContext(x.closed); err != nil {
		x.listener.counters.tls.Add(1)
		return false
	}
	x.told.TLS, x.mailed = true, false
	w = newWire(x, secure, bufio.NewReaderSize(secure, maxLine))
	w.mute = true // the client expects no greeting
	x.listener.secure.hold(w)
	return true
}

// unwrap takes the header of a proxy off the connection, which from then on is that
// of the proxy's client. It reports whether it can be served.
func (x *session) unwrap(in *bufio.Reader) bool {
	proxy := x.told.Client.Addr()
	err := x.extend()
	var h proxyheader.Header
	if err == nil {
		h, err = proxyheader.ReadAny(in)
	}
	switch {
	case err != nil:
		x.listener.counters.proxy.Add(1)
		x.listener.options.Logger.Warn().Err(err).Stringer("proxy", proxy).Msg("a connection of a proxy to the SMTP listener has no header of the PROXY protocol")
		return false
	case !h.Client.IsValid():
		return true // a check of its own
	}
	x.told.Client, x.anonymous = netip.AddrPortFrom(h.Client.Addr(), h.Client.Port()), false
	if !x.listener.conns.Identify(x.conn, h.Client.Addr()) {
		_, _ = x.conn.Write([]byte(tooMany.line()))
		return false
	}
	return true
}

// certificate is that of the settings.
func (x *session) certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c, err := x.settings.Certificate.Get()
	if err != nil {
		x.listener.counters.certificate.Add(1)
		x.listener.options.Logger.Error().Err(err).Msg("the certificate of the SMTP listener cannot be read again; the one before is used")
	}
	return c, nil
}

// extend gives the client time for its next step.
func (x *session) extend() error { return x.listener.conns.Extend(x.conn, x.until) }

// deferral and refusal are the answers to recipients.
func (x *session) deferral() reply {
	if x.settings.At == AtConnect {
		return reply{421, smtp.EnhancedCode{4, 3, 2}, x.listener.options.Hostname + " accepts no mail now, try another host or later"}
	}
	return reply{451, smtp.EnhancedCode{4, 7, 1}, "No mail is accepted here now, try another host or later"}
}

func (x *session) refusal() reply {
	return reply{554, smtp.EnhancedCode{5, 7, 1}, "No mail is accepted here"}
}

// answer is what a recipient gets.
func (x *session) answer(local string) reply {
	if x.settings.Mode == Refuse && !ascii.EqualFold(local, "postmaster") {
		return x.refusal()
	}
	return x.deferral()
}

// envelope is the session as go-smtp sees it.
type envelope struct {
	x    *session
	conn *smtp.Conn
}

// Reset implements [smtp.Session]; go-smtp calls it for each further HELO, too.
func (e *envelope) Reset() {
	e.x.told.HELO = ascii.ToLower(e.conn.Hostname())
	e.x.asked = 0
}

// Logout implements [smtp.Session].
func (e *envelope) Logout() error { return nil }

// Mail implements [smtp.Session].
func (e *envelope) Mail(from string, _ *smtp.MailOptions) error {
	if x := e.x; !x.mailed {
		x.mailed = true
		x.told.SenderLocal, x.told.SenderDomain = splitAddress(from)
	}
	return nil
}

// Rcpt implements [smtp.Session]. It never accepts.
func (e *envelope) Rcpt(to string, _ *smtp.RcptOptions) error {
	x := e.x
	local, domain := splitAddress(to)
	if x.told.Recipients == 0 {
		x.told.RecipientDomain = domain
	}
	x.told.Recipients++
	x.asked++
	x.listener.counters.recipients.Add(1)
	return x.answer(local).err()
}

// Data implements [smtp.Session]. go-smtp asks for no data without recipients.
func (e *envelope) Data(io.Reader) error { return e.x.deferral().err() }

// splitAddress splits a mailbox, in lower case; the domain has no final dot.
func splitAddress(mailbox string) (local, domain string) {
	mailbox = ascii.ToLower(mailbox)
	if i := strings.LastIndexByte(mailbox, '@'); i >= 0 {
		return mailbox[:i], strings.TrimSuffix(mailbox[i+1:], ".")
	}
	return mailbox, ""
}

// conversations are those that a server of go-smtp holds.
type conversations struct {
	server *smtp.Server
	feed   *feed
	done   chan struct{}
}

// newConversations starts a server of go-smtp, which offers STARTTLS or does not.
func newConversations(l *Listener, startTLS bool) *conversations {
	c := &conversations{feed: &feed{make(chan net.Conn), make(chan struct{}), sync.Once{}}, done: make(chan struct{})}
	c.server = smtp.NewServer(smtp.BackendFunc(func(conn *smtp.Conn) (smtp.Session, error) {
		e := &envelope{conn.Conn().(*wire).x, conn}
		e.Reset()
		return e, nil
	}))
	c.server.Domain = l.options.Hostname
	c.server.ErrorLog = faults{l}
	c.server.MaxLineLength = maxLine
	// What is not offered would be refused for good.
	c.server.EnableSMTPUTF8, c.server.EnableDSN = true, true
	if startTLS {
		c.server.TLSConfig = new(tls.Config) // the wire uses another one
	}
	go func() {
		defer close(c.done)
		_ = c.server.Serve(c.feed) // ends when it is closed
	}()
	return c
}

// hold begins a conversation, which ends when the wire is closed.
func (c *conversations) hold(w *wire) {
	select {
	case c.feed.conns <- w:
	case <-c.feed.closed:
		_ = w.Close()
	}
}

// close ends all conversations. The server may not have begun to accept yet, and would
// then know nothing of its end: it learns it from the feed.
func (c *conversations) close() {
	_ = c.feed.Close()
	_ = c.server.Close()
	<-c.done
}

// feed gives go-smtp connections that were accepted elsewhere.
type feed struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

// Accept implements [net.Listener].
func (f *feed) Accept() (net.Conn, error) {
	select {
	case c := <-f.conns:
		return c, nil
	case <-f.closed:
		return nil, net.ErrClosed
	}
}

// Close implements [net.Listener].
func (f *feed) Close() error {
	f.once.Do(func() { close(f.closed) })
	return nil
}

// Addr implements [net.Listener].
func (f *feed) Addr() net.Addr { return new(net.TCPAddr) }

// faults is go-smtp's log, to which it writes panics that it has contained; a wire
// gives it no other errors.
type faults struct{ l *Listener }

// Printf implements [smtp.Logger].
func (f faults) Printf(format string, v ...any) { f.l.panicked(fmt.Errorf(format, v...)) }

// Println implements [smtp.Logger].
func (f faults) Println(v ...any) { f.l.panicked(errors.New(fmt.Sprintln(v...))) }
