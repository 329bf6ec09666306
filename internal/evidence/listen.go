package evidence

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/miekg/dns"

	"nullspf/internal/attempt"
	"nullspf/internal/journal"
	"nullspf/internal/wire"
)

// Listener imports what nameservers write to a socket: dnstap in Frame Streams, with the
// handshake of fstrm or without.
type Listener struct {
	// Import says where and how; its format is [Dnstap], and it has no files.
	Import
	// Every is how often events are stored.
	Every time.Duration
	// Log, unless nil, is told what people should know.
	Log func(text string)

	hold    time.Duration
	zone    wire.Name
	queries chan heldQuery
	mu      sync.Mutex
	// identity is the server whose queries they are, "" while none has come.
	identity string
}

// heldQuery is a query that waits to be stored; came is when it came.
type heldQuery struct {
	question
	came time.Time
}

const (
	// maxWriters bounds the number of connections.
	maxWriters = 64
	// maxHeld bounds how many queries wait. When they cannot be stored, nameservers wait and
	// then drop theirs, which they count.
	maxHeld = 1 << 16
)

// Run imports what comes over a listener, until ctx is done; then it stores what it has, and
// returns nil. An error is that of the directory, when it cannot be used from the beginning.
func (l *Listener) Run(ctx context.Context, listener net.Listener) error {
	zone, err := wire.ParseName(string(l.Zone))
	if err != nil {
		return err
	}
	l.zone, l.identity = zone, l.Server
	l.queries = make(chan heldQuery, 4096)
	if l.hold == 0 {
		// The queries of a check belong together.
		l.hold = attempt.Default.Hold
	}
	if l.Log == nil {
		l.Log = func(string) {}
	}
	if err := l.store(nil); err != nil && !errors.Is(err, ErrNoServer) {
		return err
	}
	var writers sync.WaitGroup
	stop := context.AfterFunc(ctx, func() { _ = listener.Close() })
	defer stop()
	writers.Go(func() { l.accept(ctx, listener, &writers) })
	done := make(chan struct{})
	go func() {
		writers.Wait()
		close(done)
	}()
	return l.collect(done)
}

// accept serves connections.
func (l *Listener) accept(ctx context.Context, listener net.Listener, writers *sync.WaitGroup) {
	slots := make(chan struct{}, maxWriters)
	for {
		conn, err := listener.Accept()
		if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
			if err == nil {
				_ = conn.Close()
			}
			return
		}
		if err != nil {
			l.Log(err.Error())
			time.Sleep(100 * time.Millisecond) // no descriptor is free
			continue
		}
		select {
		case slots <- struct{}{}:
		default:
			l.Log(fmt.Sprintf("more than %d connections", maxWriters))
			_ = conn.Close()
			continue
		}
		writers.Go(func() {
			defer func() { <-slots }()
			closeEarly := context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Now()) })
			defer closeEarly()
			defer conn.Close()
			if err := l.serve(ctx, conn); err != nil && !errors.Is(err, io.EOF) && ctx.Err() == nil {
				l.Log("a nameserver's connection has ended: " + err.Error())
			}
		})
	}
}

// The control frames of the handshake; START and STOP are those of files.
const (
	controlAccept = 1
	controlReady  = 4
	controlFinish = 5
)

// controlType is the type of the field that has the type of the content.
const controlType = 1

// control is a control frame with the type of dnstap, or without.
func control(kind uint32, typed bool) []byte {
	b := binary.BigEndian.AppendUint32(make([]byte, 8), kind)
	if typed {
		b = binary.BigEndian.AppendUint32(b, controlType)
		b = binary.BigEndian.AppendUint32(b, uint32(len(dnstapType)))
		b = append(b, dnstapType...)
	}
	binary.BigEndian.PutUint32(b[4:], uint32(len(b)-8))
	return b
}

// serve reads a connection.
func (l *Listener) serve(ctx context.Context, conn net.Conn) error {
	d := &dnstap{in: newReader(conn), fresh: true}
	begin, err := d.in.Peek(12)
	if err != nil {
		return err
	}
	ready := binary.BigEndian.Uint32(begin[8:]) == controlReady
	if ready {
		if err := d.expect(controlReady); err != nil {
			return err
		}
		if _, err := conn.Write(control(controlAccept, true)); err != nil {
			return err
		}
	}
	for {
		var q question
		what, err := d.next(&q)
		if errors.Is(err, io.EOF) && ready {
			_, err = conn.Write(control(controlFinish, false))
			return err
		}
		if err != nil {
			return err
		}
		if what != isQuestion || q.qclass != dns.ClassINET || !within(q.name, l.zone) {
			continue
		}
		if err := l.mine(d.identity()); err != nil {
			return err
		}
		q.name = slices.Clone(q.name)
		if !l.deliver(ctx, heldQuery{q, time.Now()}) {
			return nil
		}
	}
}

// deliver hands a query over; false at the end, when nobody takes it.
func (l *Listener) deliver(ctx context.Context, q heldQuery) bool {
	select {
	case l.queries <- q:
		return true
	default:
	}
	select {
	case l.queries <- q:
		return true
	case <-ctx.Done():
		return false
	}
}

// mine refuses queries of another server than those before.
func (l *Listener) mine(identity string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.identity == "" {
		l.identity = identity
	}
	if l.Server == "" && identity != l.identity {
		return fmt.Errorf("it is of %q, those before were of %q: use a directory and a socket for each", identity, l.identity)
	}
	return nil
}

// collect stores queries from time to time, until done.
func (l *Listener) collect(done <-chan struct{}) error {
	tick := time.NewTicker(l.Every)
	defer tick.Stop()
	var held []heldQuery
	hour := time.Now().Truncate(time.Hour)
	flush := func(before time.Time) {
		n := slices.IndexFunc(held, func(q heldQuery) bool { return q.came.After(before) })
		if n < 0 {
			n = len(held)
		}
		if n == 0 {
			return
		}
		if err := l.store(held[:n]); err != nil {
			l.Log(fmt.Sprintf("%d queries cannot be stored yet: %v", n, err))
			return
		}
		held = append(held[:0], held[n:]...)
	}
	for {
		queries := l.queries
		if len(held) >= maxHeld {
			flush(time.Now())
		}
		if len(held) >= maxHeld {
			queries = nil // nameservers wait
		}
		select {
		case q := <-queries:
			held = append(held, q)
		case now := <-tick.C:
			flush(now.Add(-l.hold))
			if h := now.Truncate(time.Hour); h.After(hour) {
				hour = h
				l.compact()
			}
		case <-done:
			for len(l.queries) > 0 {
				held = append(held, <-l.queries)
			}
			if len(held) == 0 {
				return nil
			}
			return l.store(held)
		}
	}
}

// compact joins the segments of the hours that are over.
func (l *Listener) compact() {
	if _, err := journal.CompactDir(context.Background(), l.Dir, journal.CompactOptions{}); err != nil {
		l.Log(err.Error())
	}
}

// store adds queries to the directory, in order of time.
func (l *Listener) store(held []heldQuery) error {
	l.mu.Lock()
	server := l.identity
	l.mu.Unlock()
	out, list, err := l.open(server, server)
	if err != nil {
		return err
	}
	if len(held) == 0 {
		return out.Abort()
	}
	slices.SortStableFunc(held, func(a, b heldQuery) int { return int(min(max(a.time-b.time, -1), 1)) })
	w := newImporter(newBase(context.Background(), &l.Import, out, list), l.zone)
	var r FileResult
	for i := range held {
		if err := w.record(isQuestion, &held[i].question, i+1, &r); err != nil {
			return errors.Join(err, out.Abort())
		}
	}
	_, err = w.finish()
	return err
}
