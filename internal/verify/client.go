package verify

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync/atomic"
	"syscall"
	"time"
)

// client queries one server from one UDP socket. It is not safe for concurrent
// use.
type client struct {
	server  netip.AddrPort
	timeout time.Duration
	retries int
	window  int            // how many queries may be unanswered at a time
	sent    *atomic.Uint64 // counts queries over UDP

	conn    *net.UDPConn
	release func() bool
	queries []query
	in      []byte
	fault   error // why the last try failed, as far as is known
}

const (
	// udpSize is the largest UDP answer that is asked for, in bytes: one that
	// is not fragmented on its way.
	udpSize = 1232
	// bufferSize is the largest UDP answer that is read, in bytes.
	bufferSize = 4096
)

// dial opens the socket. It is closed when ctx ends.
func (c *client) dial(ctx context.Context) error {
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(c.server))
	if err != nil {
		return fmt.Errorf("cannot send queries to the server: %w", errors.Unwrap(err))
	}
	c.conn, c.in = conn, make([]byte, bufferSize)
	c.release = context.AfterFunc(ctx, func() { _ = conn.Close() })
	return nil
}

func (c *client) close() {
	if c.release() {
		_ = c.conn.Close()
	}
}

// ask sends the queries about a zone and returns an answer to each item, or why
// there is none; without an answer to the first, the others may lack both. The
// result is valid until the next call. The error is that of a name that cannot be
// queried.
func (c *client) ask(ctx context.Context, zone string, items []item) ([]query, error) {
	c.queries = slices.Grow(c.queries[:0], len(items))[:len(items)]
	for i := range items {
		if err := c.queries[i].prepare(items[i].below+zone+".", items[i].rrtype, c.queries[:i]); err != nil {
			return nil, err
		}
	}
	for rest := c.queries; len(rest) > 0; {
		n := min(c.window, len(rest))
		c.exchange(ctx, rest[:n])
		rest = rest[n:]
		if c.queries[0].msg == nil {
			break
		}
	}
	return c.queries, nil
}

// exchange sends some queries together until all have an answer or have been
// tried often enough.
func (c *client) exchange(ctx context.Context, qs []query) {
	c.fault = nil
	for range 1 + c.retries {
		c.send(qs)
		if c.receive(qs) || ctx.Err() != nil {
			break
		}
	}
	for i := range qs {
		q := &qs[i]
		switch {
		case q.msg == nil:
			q.err = c.noAnswer()
		case q.msg.Truncated:
			if q.msg, q.err = q.overTCP(ctx, c.server, c.timeout); q.err != nil {
				q.err = fmt.Errorf("the answer over UDP is truncated, and TCP fails: %w", q.err)
			}
		}
	}
}

func (c *client) noAnswer() error {
	const times = "no answer within %v, tried %s"
	if errors.Is(c.fault, syscall.ECONNREFUSED) {
		return fmt.Errorf("%w, tried %s", c.fault, count(1+c.retries, "time"))
	}
	if c.fault != nil {
		return fmt.Errorf(times+" (%w)", c.timeout, count(1+c.retries, "time"), c.fault)
	}
	return fmt.Errorf(times, c.timeout, count(1+c.retries, "time"))
}

// send sends the queries that have no answer. Not even an error ends a try
// before its time: it may be the echo of an earlier query.
func (c *client) send(qs []query) {
	for i := range qs {
		if qs[i].msg != nil {
			continue
		}
		c.sent.Add(1)
		_, err := c.conn.Write(qs[i].packed)
		if err != nil {
			// That was an error that waited in the socket; nothing was sent.
			_, err = c.conn.Write(qs[i].packed)
		}
		if err != nil {
			c.fault = plainError(err)
		}
	}
}

// receive reads until all queries have an answer, and reports whether they do.
// Messages that answer none of them are ignored.
func (c *client) receive(qs []query) bool {
	missing := 0
	for i := range qs {
		if qs[i].msg == nil {
			missing++
		}
	}
	if err := c.conn.SetReadDeadline(time.Now().Add(c.timeout)); err != nil {
		return false
	}
	for missing > 0 {
		n, err := c.conn.Read(c.in)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, net.ErrClosed):
			return false
		case errors.Is(err, syscall.ECONNREFUSED):
			// Nothing listens there. If this was about an earlier query, the next
			// try tells.
			c.fault = plainError(err)
			return false
		case err != nil:
			c.fault = plainError(err)
			continue
		}
		if err := acceptAny(qs, c.in[:n]); err != nil {
			c.fault = err
			continue
		}
		missing--
	}
	return true
}

// plainError takes addresses and system calls off an error of package net.
func plainError(err error) error {
	if e, ok := errors.AsType[*net.OpError](err); ok {
		err = e.Err
	}
	if e, ok := errors.AsType[*os.SyscallError](err); ok {
		err = e.Err
	}
	return err
}

// newID draws an ID that none of the other queries has.
func newID(others []query) uint16 {
	for {
		id := uint16(rand.Uint32())
		if !slices.ContainsFunc(others, func(q query) bool { return q.id == id }) {
			return id
		}
	}
}
