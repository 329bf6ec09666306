package xfr

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"time"

	"github.com/miekg/dns"

	"nullspf/internal/wire"
	"nullspf/internal/zonestore"
)

// idleConnection is how long a connection without work stays open.
const idleConnection = 5 * time.Second

// clientConn is a connection to the primary.
type clientConn struct {
	net.Conn
	reader *bufio.Reader
	// used: it has served a request before.
	used  bool
	timer *time.Timer
}

// errStale: a connection that was used before was closed by the primary.
var errStale = errors.New("the connection was closed")

// exchange sends a request and hands the messages of the answer to a function,
// until that returns true. Each has the time that patience returns before it.
func (c *Client) exchange(ctx context.Context, zone wire.Name, qtype uint16, have *zonestore.Zone, take func(*message) (bool, error), patience func() time.Duration) error {
	for {
		conn, err := c.connection(ctx)
		if err != nil {
			return err
		}
		err = c.ask(ctx, conn, zone, qtype, have, take, patience)
		if err == nil {
			c.release(conn)
			return nil
		}
		_ = conn.Close()
		if !errors.Is(err, errStale) {
			return err
		}
	}
}

// connection returns a connection that is open, or a new one.
func (c *Client) connection(ctx context.Context) (*clientConn, error) {
	c.mu.Lock()
	if n := len(c.idle); n > 0 {
		conn := c.idle[n-1]
		c.idle = c.idle[:n-1]
		c.mu.Unlock()
		conn.timer.Stop()
		conn.used = true
		return conn, nil
	}
	c.mu.Unlock()
	dialer := net.Dialer{Timeout: c.limits.Idle}
	if c.primary.Local.IsValid() {
		dialer.LocalAddr = &net.TCPAddr{IP: c.primary.Local.AsSlice()}
	}
	conn, err := dialer.DialContext(ctx, "tcp", c.primary.Addr.String())
	if err != nil {
		return nil, &TransferError{Reason: ReasonConnect, Err: err}
	}
	return &clientConn{Conn: conn, reader: bufio.NewReaderSize(conn, 16<<10)}, nil
}

// release keeps a connection for the next request.
func (c *Client) release(conn *clientConn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || conn.reader.Buffered() > 0 {
		_ = conn.Close()
		return
	}
	conn.timer = time.AfterFunc(idleConnection, func() { c.expire(conn) })
	c.idle = append(c.idle, conn)
}

// expire closes a connection that is still idle.
func (c *Client) expire(conn *clientConn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, other := range c.idle {
		if other == conn {
			c.idle = append(c.idle[:i], c.idle[i+1:]...)
			_ = conn.Close()
			return
		}
	}
}

// Close closes the connections without work; others end with their requests.
func (c *Client) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for _, conn := range c.idle {
		conn.timer.Stop()
		_ = conn.Close()
	}
	c.idle = nil
}

// clientMemory holds the messages of a request; it is used again.
type clientMemory struct{ buf [2 + maxMessage]byte }

var clientMemories = sync.Pool{New: func() any { return new(clientMemory) }}

// ask sends a request over a connection and reads the answer.
func (c *Client) ask(ctx context.Context, conn *clientConn, zone wire.Name, qtype uint16, have *zonestore.Zone, take func(*message) (bool, error), patience func() time.Duration) error {
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	memory := clientMemories.Get().(*clientMemory)
	defer clientMemories.Put(memory)
	id := uint16(rand.Uint32())
	request := appendRequest(memory.buf[:2], id, zone, qtype, have)
	var v *verifier
	if k := c.primary.Key; k != nil {
		signed, mac := k.signRequest(request[2:], c.now())
		request = append(memory.buf[:2], signed...)
		v = newVerifier(k, mac)
	}
	binary.BigEndian.PutUint16(request, uint16(len(request)-2))
	if err := conn.extend(ctx, patience()); err != nil {
		return err
	}
	if _, err := conn.Write(request); err != nil {
		return conn.fault(ctx, err, true)
	}
	for first := true; ; first = false {
		msg, err := conn.read(ctx, memory, first, patience())
		if err != nil {
			return err
		}
		m, err := parseMessage(msg, id, zone, qtype, first)
		if v != nil && (err == nil || m != nil) {
			// What a signature does not cover is not believed, refusals
			// included.
			plain, bad := v.next(msg, c.now())
			if bad != nil {
				if err != nil {
					return err // such as NOTAUTH, which is not signed
				}
				return &TransferError{Reason: ReasonTSIG, Err: bad}
			}
			if err == nil {
				m.msg = plain
			}
		}
		if err != nil {
			return err
		}
		done, err := take(m)
		if err != nil || !done {
			if err != nil {
				return err
			}
			continue
		}
		if v != nil {
			if err := v.end(); err != nil {
				return &TransferError{Reason: ReasonTSIG, Err: err}
			}
		}
		return nil
	}
}

// appendRequest appends a request. One for IXFR has the SOA record of have in
// its authority section (RFC 1995 section 3).
func appendRequest(dst []byte, id uint16, zone wire.Name, qtype uint16, have *zonestore.Zone) []byte {
	ixfr := byte(0)
	if have != nil {
		ixfr = 1
	}
	dst = binary.BigEndian.AppendUint16(dst, id)
	dst = append(dst, 0, 0, 0, 1, 0, 0, 0, ixfr, 0, 0)
	dst = append(dst, zone...)
	dst = binary.BigEndian.AppendUint16(dst, qtype)
	dst = binary.BigEndian.AppendUint16(dst, dns.ClassINET)
	if have != nil {
		r, _ := have.SOA()
		dst = r.Append(dst)
	}
	return dst
}

// extend gives the primary time for the next message.
func (conn *clientConn) extend(ctx context.Context, patience time.Duration) error {
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return fault(ReasonConnect, "%v", err)
	}
	if ctx.Err() != nil {
		return conn.fault(ctx, ctx.Err(), false)
	}
	return nil
}

// read reads a message.
func (conn *clientConn) read(ctx context.Context, memory *clientMemory, first bool, patience time.Duration) ([]byte, error) {
	if err := conn.extend(ctx, patience); err != nil {
		return nil, err
	}
	if _, err := io.ReadFull(conn.reader, memory.buf[:2]); err != nil {
		return nil, conn.fault(ctx, err, first)
	}
	size := int(binary.BigEndian.Uint16(memory.buf[:]))
	if size < headerSize {
		return nil, fault(ReasonFormat, "a message of %d bytes, too short for a header", size)
	}
	msg := memory.buf[2 : 2+size]
	if _, err := io.ReadFull(conn.reader, msg); err != nil {
		return nil, conn.fault(ctx, err, false)
	}
	return msg, nil
}

// fault words an error of the connection. first: nothing of the answer has
// arrived.
func (conn *clientConn) fault(ctx context.Context, err error, first bool) error {
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fault(ReasonTimeout, "the transfer takes longer than max_time allows")
	case ctx.Err() != nil:
		return fault(ReasonOther, "%v", ctx.Err())
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fault(ReasonIdle, "the primary has sent nothing for longer than idle_time allows")
	case first && conn.used:
		return errStale
	case first:
		return fault(ReasonConnect, "the connection was closed before the answer: %v", err)
	}
	return fault(ReasonIncomplete, "the connection was closed before the end: %v", err)
}
