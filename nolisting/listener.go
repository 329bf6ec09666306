package nolisting

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"nullspf/internal/conns"
	"nullspf/internal/keypair"
)

// Mode says what a listener answers.
type Mode string

// The modes.
const (
	// Defer defers every recipient with 451: a TempFail host.
	Defer Mode = "defer"
	// Refuse refuses every recipient with 554, and defers postmaster.
	Refuse Mode = "refuse"
)

// Stage says where a listener in mode Defer defers.
type Stage string

// The stages.
const (
	// AtConnect closes the connection with 421 instead of a greeting.
	AtConnect Stage = "connect"
	// AtRecipient answers RCPT with 451.
	AtRecipient Stage = "rcpt"
	// AtData does so too, reads the message of a client that sends one all the same,
	// throws it away and answers 451. A recipient is never accepted: who verifies
	// senders by a callout would take a forged one for real.
	AtData Stage = "data"
)

// ListenerSettings are what a configuration says about a [Listener].
type ListenerSettings struct {
	// Addresses are where it listens, none of them twice. Port 0 is a free one.
	Addresses []netip.AddrPort
	Mode      Mode
	At        Stage
	// Tarpit is how long each refusal is held back; 0 is not at all.
	Tarpit time.Duration
	// Certificate is that of STARTTLS, nil for none.
	Certificate *keypair.Pair
	// Connections is the number of all.
	Connections int
	// Proxies are networks whose connections begin with a header of the PROXY
	// protocol, version 1 or 2.
	Proxies []netip.Prefix
}

// Limits on what a configuration says.
const (
	DefaultConnections = 1000
	MaxConnections     = 100_000
	// MaxTarpit: senders wait five minutes for an answer to RCPT (RFC 5321 section
	// 4.5.3.2.3).
	MaxTarpit = 5 * time.Minute
)

// Session is what is known of a client that has connected. Its texts are raw bytes
// that a stranger chose, in lower case.
type Session struct {
	// Start is when the connection was accepted.
	Start    time.Time
	Duration time.Duration
	// Client is never IPv4-mapped; behind a proxy, the proxy's client.
	Client netip.AddrPort
	// HELO is the argument of the last HELO or EHLO, the sender that of the first
	// MAIL; the null reverse-path and no MAIL are both "".
	HELO, SenderLocal, SenderDomain string
	// Recipients counts RCPT commands, RecipientDomain is the domain of the first.
	Recipients      int
	RecipientDomain string
	// TLS: the client has used STARTTLS.
	TLS bool
}

// ListenerOptions are what a listener needs beside its settings.
type ListenerOptions struct {
	// Hostname is said in the greeting.
	Hostname string
	Logger   zerolog.Logger
	// Record gets each session when it ends, from any goroutine.
	Record func(*Session)
	// limits are [defaultListenerLimits] when zero.
	limits listenerLimits
}

// listenerLimits bound what clients can hold. Connections of conns is that of the
// settings.
type listenerLimits struct {
	conns conns.Limits
	// session is the longest duration.
	session time.Duration
	// retry is the longest pause before another try to listen.
	retry time.Duration
}

var defaultListenerLimits = listenerLimits{
	conns:   conns.Limits{PerClient: 32, PerNetwork: 128, Idle: time.Minute},
	session: 10 * time.Minute,
	retry:   30 * time.Second,
}

// Listener is an SMTP server that never accepts mail: no recipient gets a positive
// answer, nothing is stored, and no connection is made. Whatever goes wrong with it
// is logged, counted, told by [Listener.Problems] and tried again.
//
//	socket -> limits -> PROXY header -> wire -> go-smtp -> envelope
//	                                     |  ^
//	                               STARTTLS  TLS
//
// go-smtp speaks the protocol, command by command. The wire between it and the client
// bounds lines, commands and time, and lets no positive answer to a recipient pass.
type Listener struct {
	options  ListenerOptions
	settings atomic.Pointer[ListenerSettings]
	conns    *conns.Set
	// plain has the conversations before STARTTLS, secure those after it.
	plain, secure *conversations
	counters      listenerCounters
	sessions      sync.WaitGroup
	// closing ends when the listener is closed: then nothing is held back any more.
	closing context.Context
	cancel  context.CancelFunc

	mu      sync.Mutex
	sockets map[netip.AddrPort]*socket
}

type listenerCounters struct {
	sessions, recipients                            atomic.Uint64
	listen, accept, proxy, tls, certificate, panics atomic.Uint64
}

// ListenerStats are counts since the start.
type ListenerStats struct {
	Connections conns.Counts
	// Sessions are connections of clients, refused ones too; each is recorded once.
	// Recipients are those that were asked for.
	Sessions, Recipients uint64
	// What failed: sockets that could not be opened, connections that could not be
	// accepted, those of proxies without a good header, handshakes of TLS,
	// certificates that could not be read again; and faults that were contained.
	Listen, Accept, Proxy, TLS, Certificate, Panics uint64
}

// NewListener returns a listener that listens nowhere.
func NewListener(o ListenerOptions) *Listener {
	if o.limits == (listenerLimits{}) {
		o.limits = defaultListenerLimits
	}
	l := &Listener{options: o, conns: conns.New(o.limits.conns), sockets: make(map[netip.AddrPort]*socket)}
	l.closing, l.cancel = context.WithCancel(context.Background())
	l.plain, l.secure = newConversations(l, true), newConversations(l, false)
	return l
}

// Configure makes settings those that hold; nil is to listen nowhere. It does not
// wait, and cannot fail: what cannot be opened is tried again. Addresses that stay
// keep their sockets, and connections go on with the settings they began with.
func (l *Listener) Configure(s *ListenerSettings) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var addresses []netip.AddrPort
	if s != nil {
		addresses = s.Addresses
		l.settings.Store(s)
		l.SetConnections(s.Connections)
	}
	for at, socket := range l.sockets {
		if !slices.Contains(addresses, at) {
			socket.close()
			delete(l.sockets, at)
		}
	}
	for _, at := range addresses {
		if l.sockets[at] == nil {
			l.sockets[at] = l.open(at)
		}
	}
}

// SetConnections changes the number of all connections.
func (l *Listener) SetConnections(n int) {
	l.conns.SetLimits(func(limits *conns.Limits) { limits.Connections = n })
}

// Stats returns the counts.
func (l *Listener) Stats() ListenerStats {
	c := &l.counters
	return ListenerStats{
		Connections: l.conns.Counts(), Sessions: c.sessions.Load(), Recipients: c.recipients.Load(),
		Listen: c.listen.Load(), Accept: c.accept.Load(), Proxy: c.proxy.Load(), TLS: c.tls.Load(),
		Certificate: c.certificate.Load(), Panics: c.panics.Load(),
	}
}

// Problems returns what an operator should look at.
func (l *Listener) Problems() (list []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.sockets {
		if p := s.problem.Load(); p != nil {
			list = append(list, *p)
		}
	}
	slices.Sort(list)
	if s := l.settings.Load(); s != nil && len(l.sockets) > 0 && s.Certificate != nil {
		if err := s.Certificate.Problem(); err != nil {
			list = append(list, "the certificate cannot be read again, and the one before is used: "+err.Error())
		}
	}
	return list
}

// Addresses returns where it listens, with real ports.
func (l *Listener) Addresses() (list []netip.AddrPort) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.sockets {
		if at := s.real.Load(); at != nil {
			list = append(list, *at)
		}
	}
	slices.SortFunc(list, netip.AddrPort.Compare)
	return list
}

// Close ends all sessions, which have a grace to finish the command they are at, and
// records them.
func (l *Listener) Close(grace time.Duration) {
	l.Configure(nil)
	l.cancel()
	l.conns.Close(grace)
	l.sessions.Wait()
	l.plain.close()
	l.secure.close()
}

// socket is an address at which is listened, or tried to.
type socket struct {
	// real has the real port while it is open, problem why not.
	real    atomic.Pointer[netip.AddrPort]
	problem atomic.Pointer[string]
	cancel  context.CancelFunc
	done    chan struct{}
}

// open listens at an address until the socket is closed.
func (l *Listener) open(at netip.AddrPort) *socket {
	ctx, cancel := context.WithCancel(context.Background())
	s := &socket{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(s.done)
		pause := min(time.Second, l.options.limits.retry)
		for ctx.Err() == nil {
			err := l.listen(ctx, s, at)
			if ctx.Err() != nil {
				return
			}
			l.counters.listen.Add(1)
			l.options.Logger.Error().Err(err).Stringer("listen", at).Msg("the SMTP listener cannot listen; it is tried again")
			s.fail(fmt.Errorf("SMTP listener: %w", err))
			sleep(ctx, pause)
			pause = min(2*pause, l.options.limits.retry)
		}
	}()
	return s
}

func (s *socket) close() {
	s.cancel()
	<-s.done
}

func (s *socket) fail(err error) {
	text := err.Error()
	s.problem.Store(&text)
}

// listen accepts connections until the context ends, or the address cannot be
// listened at.
func (l *Listener) listen(ctx context.Context, s *socket, at netip.AddrPort) error {
	network := "tcp4"
	if at.Addr().Is6() {
		network = "tcp6"
	}
	// Sessions are short: keeping them alive would cost some system calls each.
	config := net.ListenConfig{KeepAlive: -1}
	tcp, err := config.Listen(ctx, network, at.String())
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = tcp.Close() })
	defer stop()
	defer tcp.Close()
	if a, ok := tcp.Addr().(*net.TCPAddr); ok {
		real := netip.AddrPortFrom(at.Addr(), uint16(a.Port))
		s.real.Store(&real)
		defer s.real.Store(nil)
		l.options.Logger.Info().Stringer("listen", real).Msg("the SMTP listener listens")
	}
	s.problem.Store(nil)
	for {
		conn, err := tcp.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return err
		case err != nil:
			// Mostly: no file descriptors are left. Some connection will end.
			l.counters.accept.Add(1)
			l.options.Logger.Error().Err(err).Stringer("listen", at).Msg("the SMTP listener cannot accept a connection")
			s.fail(fmt.Errorf("SMTP listener: accepting at %s failed: %w", at, err))
			sleep(ctx, 50*time.Millisecond)
			continue
		case s.problem.Load() != nil:
			s.problem.Store(nil)
		}
		l.accept(conn)
	}
}

// sleep returns after some time, or when the context ends.
func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
