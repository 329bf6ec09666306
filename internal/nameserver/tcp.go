package nameserver

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
)

// tcpLimits bound what TCP clients can hold.
type tcpLimits struct {
	// Connections is the number of all, PerClient that of one IPv4 address or
	// IPv6 /64. Further ones are closed at once. PerClient does not hold for
	// secondaries, some of which open a connection for each zone.
	Connections, PerClient int
	// Idle is the time in which the next query must have arrived whole, and
	// in which the client must take its answers (RFC 7766 section 6.2.3). It is
	// a fifth of that when three quarters of all connections are in use.
	Idle time.Duration
}

// defaultTCPLimits are those of [Options] without any.
var defaultTCPLimits = tcpLimits{Connections: 1000, PerClient: 32, Idle: 10 * time.Second}

// tcpServer serves the connections of all addresses.
type tcpServer struct {
	limits tcpLimits
	events eventWriter
	log    zerolog.Logger
	counters
	// Connections that were closed because of a limit.
	overTotal, overClient atomic.Uint64

	mu      sync.Mutex
	closing bool
	open    map[*tcpConn]struct{}
	clients map[netip.Addr]int
	serving sync.WaitGroup
}

func newTCPServer(limits tcpLimits, events eventWriter, log zerolog.Logger) *tcpServer {
	return &tcpServer{
		limits:  limits,
		events:  events,
		log:     log,
		open:    make(map[*tcpConn]struct{}),
		clients: make(map[netip.Addr]int),
	}
}

// tcpConn is one connection.
type tcpConn struct {
	net.Conn
	server *tcpServer
	table  *atomic.Pointer[table]
	client netip.AddrPort
	// memory is from tcpMemories.
	memory *tcpMemory
	// broken: the client does not take what is sent.
	broken bool
	// secondary: the client has proved to be one, so that PerClient does not count
	// the connection.
	secondary bool
}

// tcpMemory is what a connection needs; it is used again by later ones.
type tcpMemory struct {
	reader *bufio.Reader
	writer *bufio.Writer
	query  query
	event  event
	// frame is a message with the two octets of its length in front. Pages that
	// no answer needs cost nothing.
	frame [2 + maxMessage]byte
}

var tcpMemories = sync.Pool{New: func() any {
	return &tcpMemory{
		reader: bufio.NewReaderSize(nil, messageSize),
		writer: bufio.NewWriterSize(nil, messageSize),
	}
}}

// accept serves the connections of a listener until it is closed.
func (s *tcpServer) accept(l *net.TCPListener, t *atomic.Pointer[table]) {
	for {
		conn, err := l.AcceptTCP()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			// Mostly: no file descriptors are left. Some connection will end.
			s.log.Error().Err(err).Msg("accepting a TCP connection failed")
			time.Sleep(50 * time.Millisecond)
			continue
		}
		c := &tcpConn{Conn: conn, server: s, table: t}
		if a, ok := conn.RemoteAddr().(*net.TCPAddr); ok {
			ap := a.AddrPort()
			c.client = netip.AddrPortFrom(ap.Addr().Unmap().WithZone(""), ap.Port())
		}
		if !s.add(c) {
			_ = conn.Close()
			continue
		}
		go c.serve()
	}
}

// tcpClient is what PerClient counts.
func tcpClient(a netip.Addr) netip.Addr {
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return a
}

// add counts a connection, and reports whether the limits allow it.
func (s *tcpServer) add(c *tcpConn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	client := tcpClient(c.client.Addr())
	switch {
	case s.closing:
		return false
	case len(s.open) >= s.limits.Connections:
		s.overTotal.Add(1)
		return false
	case s.clients[client] >= s.limits.PerClient && !c.table.Load().isSecondary(c.client.Addr()):
		s.overClient.Add(1)
		return false
	}
	s.open[c] = struct{}{}
	s.clients[client]++
	s.serving.Add(1)
	return true
}

func (s *tcpServer) remove(c *tcpConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, c)
	if !c.secondary {
		s.uncount(c)
	}
	s.serving.Done()
}

// uncount takes a connection off those of its client. mu is held.
func (s *tcpServer) uncount(c *tcpConn) {
	client := tcpClient(c.client.Addr())
	if s.clients[client]--; s.clients[client] == 0 {
		delete(s.clients, client)
	}
}

// prove notes that the client of a connection has proved to be a secondary.
func (s *tcpServer) prove(c *tcpConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.secondary = true
	s.uncount(c)
}

// connections returns how many are open.
func (s *tcpServer) connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open)
}

// patience is the time that a client gets.
func (s *tcpServer) patience() time.Duration {
	if s.connections() > s.limits.Connections*3/4 {
		return s.limits.Idle / 5
	}
	return s.limits.Idle
}

// close lets every connection answer what it is at, and ends it. Those that
// take longer than the grace are cut.
func (s *tcpServer) close(grace time.Duration) {
	s.mu.Lock()
	s.closing = true
	for c := range s.open {
		_ = c.SetDeadline(time.Now().Add(grace))
		_ = c.SetReadDeadline(time.Now())
	}
	s.mu.Unlock()
	s.serving.Wait()
}

// serve answers the queries of a connection, one after the other.
func (c *tcpConn) serve() {
	c.memory = tcpMemories.Get().(*tcpMemory)
	m := c.memory
	m.reader.Reset(c.Conn)
	m.writer.Reset(c.Conn)
	m.query.stream = c.stream
	defer func() {
		if r := recover(); r != nil {
			c.server.outcomes[dropPanic].Add(1)
			c.server.log.Error().Interface("panic", r).Bytes("stack", debug.Stack()).Msg("answering failed")
		}
		_ = c.Close()
		m.reader.Reset(nil)
		m.writer.Reset(nil)
		m.query.stream = nil
		tcpMemories.Put(m)
		c.server.remove(c)
	}()
	for {
		size, err := c.read()
		if err != nil {
			return
		}
		if !c.answer(size) {
			return
		}
		// Answers to pipelined queries leave together.
		if c.nextIsHere() {
			continue
		}
		if m.writer.Flush() != nil {
			return
		}
	}
}

// read reads one message into the frame. Of a message that exceeds the frame,
// the rest is thrown away.
func (c *tcpConn) read() (size int, err error) {
	m := c.memory
	if !c.nextIsHere() {
		if err := c.extend(); err != nil {
			return 0, err
		}
	}
	if _, err := io.ReadFull(m.reader, m.frame[:2]); err != nil {
		return 0, err
	}
	length := int(binary.BigEndian.Uint16(m.frame[:]))
	size = min(length, messageSize)
	if _, err := io.ReadFull(m.reader, m.frame[2:2+size]); err != nil {
		return 0, err
	}
	_, err = m.reader.Discard(length - size)
	return size, err
}

// extend gives the client time for its next query.
func (c *tcpConn) extend() error {
	deadline := time.Now().Add(c.server.patience())
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	if c.server.closing {
		return net.ErrClosed
	}
	return c.SetDeadline(deadline)
}

// nextIsHere reports whether a whole message waits in the reader.
func (c *tcpConn) nextIsHere() bool {
	r := c.memory.reader
	if r.Buffered() < 2 {
		return false
	}
	b, err := r.Peek(2)
	return err == nil && r.Buffered() >= 2+int(binary.BigEndian.Uint16(b))
}

// answer answers the message of size octets in the frame. It returns false
// when the connection is of no more use.
func (c *tcpConn) answer(size int) bool {
	s, m := c.server, c.memory
	s.received.Add(1)
	q := &m.query
	q.client, q.tcp = c.client, true
	q.reset(m.frame[2:], size)
	t := c.table.Load()
	now := time.Now().UnixNano()
	var o outcome
	switch q.parse() {
	case plain:
		o = t.answer(q, nil, now)
	case odd:
		o = t.answerOdd(q, now)
		if !c.secondary && q.signed != nil && t.out != nil && t.out.Allows(q.client.Addr(), q.signed) {
			s.prove(c)
		}
	case muteShort:
		o = dropShort
	case muteResponse:
		o = dropResponse
	}
	t.note(q, o)
	if q.tracked {
		s.tracked.Add(1)
		q.record(&m.event, now)
		s.events.Put(&m.event)
		s.events.Commit()
	}
	s.outcomes[o].Add(1)
	if o >= firstDropped {
		return false
	}
	if o == transferred {
		return !c.broken
	}
	binary.BigEndian.PutUint16(m.frame[:], uint16(q.size))
	_, err := m.writer.Write(m.frame[:2+q.size])
	return err == nil
}

// stream sends a message of a transfer, for which the client has the time of a
// query.
func (c *tcpConn) stream(message []byte) error {
	err := c.extend()
	if err == nil {
		var length [2]byte
		binary.BigEndian.PutUint16(length[:], uint16(len(message)))
		_, _ = c.memory.writer.Write(length[:]) // its error comes back below
		_, err = c.memory.writer.Write(message)
	}
	c.broken = err != nil
	return err
}
