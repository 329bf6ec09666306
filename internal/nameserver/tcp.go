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

	"nullspf/internal/conns"
)

// tcpServer serves the connections of all addresses.
type tcpServer struct {
	conns  *conns.Set
	events eventWriter
	log    zerolog.Logger
	counters
}

// defaultTCPLimits are those of [Options] without any. Secondaries, some of which
// open a connection for each zone, are exempt, and so are proxies, of which each
// connection counts for the network of the client that it is for. Idle is the time in
// which the next query must have arrived whole, and in which the client must take its
// answers (RFC 7766 section 6.2.3).
var defaultTCPLimits = conns.Limits{Connections: 1000, PerClient: 32, Idle: 10 * time.Second}

func newTCPServer(limits conns.Limits, events eventWriter, log zerolog.Logger) *tcpServer {
	return &tcpServer{conns: conns.New(limits), events: events, log: log}
}

// tcpConn is one connection.
type tcpConn struct {
	*conns.Conn
	server *tcpServer
	table  *atomic.Pointer[table]
	client netip.AddrPort
	// asker is the client, or that of a proxy; then it is unproven when it came
	// over UDP.
	asker    netip.AddrPort
	unproven bool
	// memory is from tcpMemories.
	memory *tcpMemory
	// broken: the client does not take what is sent.
	broken bool
}

// tcpMemory is what a connection needs; it is used again by later ones.
type tcpMemory struct {
	reader *bufio.Reader
	writer *bufio.Writer
	query  query
	event  event
	// frame is a message with the two bytes of its length in front. Pages that
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
		c := &tcpConn{server: s, table: t}
		if a, ok := conn.RemoteAddr().(*net.TCPAddr); ok {
			ap := a.AddrPort()
			c.client = netip.AddrPortFrom(ap.Addr().Unmap().WithZone(""), ap.Port())
		}
		c.asker = c.client
		now := t.Load()
		exempt := now.isSecondary(c.client.Addr()) || now.isProxy(c.client.Addr())
		if c.Conn = s.conns.Admit(conn, c.client.Addr(), exempt); c.Conn == nil {
			_ = conn.Close()
			continue
		}
		go c.serve()
	}
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
			c.server.log.Error().Interface("panic", r).Bytes("stack", debug.Stack()).Msg("a query caused a panic and was not answered; please report this as a bug")
		}
		_ = c.Close()
		m.reader.Reset(nil)
		m.writer.Reset(nil)
		m.query.stream = nil
		tcpMemories.Put(m)
		c.server.conns.Remove(c.Conn)
	}()
	if c.table.Load().isProxy(c.client.Addr()) && (c.extend() != nil || !c.unwrap()) {
		c.server.log.Warn().Stringer("proxy", c.client.Addr()).Msg("a connection of a proxy has no header of the PROXY protocol, version 2")
		return
	}
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
func (c *tcpConn) extend() error { return c.server.conns.Extend(c.Conn, time.Time{}) }

// nextIsHere reports whether a whole message waits in the reader.
func (c *tcpConn) nextIsHere() bool {
	r := c.memory.reader
	if r.Buffered() < 2 {
		return false
	}
	b, err := r.Peek(2)
	return err == nil && r.Buffered() >= 2+int(binary.BigEndian.Uint16(b))
}

// answer answers the message of size bytes in the frame. It returns false
// when the connection is of no more use.
func (c *tcpConn) answer(size int) bool {
	s, m := c.server, c.memory
	s.received.Add(1)
	q := &m.query
	q.client, q.tcp, q.unproven = c.asker, true, c.unproven
	q.reset(m.frame[2:], size)
	t := c.table.Load()
	now := time.Now().UnixNano()
	var o outcome
	switch q.parse() {
	case plain:
		o = t.answer(q, nil, now)
	case odd:
		o = t.answerOdd(q, now)
		if q.signed != nil && t.out != nil && t.out.Allows(q.client.Addr(), q.signed) {
			s.conns.Exempt(c.Conn)
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
