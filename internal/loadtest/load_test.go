package loadtest

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"

	"nullspf/internal/peers"
	"nullspf/spftrack"
)

// load is a number of clients that ask until they are stopped.
type load struct {
	t *testing.T
	// tolerant: the daemon will go away, so errors of sockets are not failures.
	tolerant bool
	// from is the network namespace of the clients, nil for that of the test.
	from    *peers.Netns
	stop    chan struct{}
	sending sync.WaitGroup
	reading sync.WaitGroup
	// closing tells readers to end when nothing comes any more.
	closing atomic.Bool
	// failures bounds what is told.
	failures atomic.Int64
	sockets  []*net.UDPConn
}

func newLoad(t *testing.T) *load {
	l := &load{t: t, stop: make(chan struct{})}
	t.Cleanup(func() {
		if !l.closing.Load() {
			l.end()
		}
	})
	return l
}

// there does something where the clients are.
func (l *load) there(do func() error) error {
	if l.from != nil {
		return l.from.Do(do)
	}
	return do()
}

// dial connects a client.
func (l *load) dial(network string, local net.Addr, to netip.AddrPort) (conn net.Conn, err error) {
	err = l.there(func() error {
		conn, err = (&net.Dialer{LocalAddr: local}).Dial(network, to.String())
		return err
	})
	return conn, err
}

// dialUDP connects a client whose socket loses nothing.
func (l *load) dialUDP(local net.Addr, to netip.AddrPort) *net.UDPConn {
	l.t.Helper()
	conn, err := l.dial("udp", local, to)
	if err != nil {
		l.t.Fatal(err)
	}
	udp := conn.(*net.UDPConn)
	if err := udp.SetReadBuffer(4 << 20); err != nil {
		l.t.Fatal(err)
	}
	l.sockets = append(l.sockets, udp)
	return udp
}

func (l *load) fail(err error) {
	if l.failures.Add(1) <= 5 {
		l.t.Error(err)
	}
}

// batchPackets is how many messages a client sends or takes at once.
const batchPackets = 64

type batchConn interface {
	ReadBatch([]ipv4.Message, int) (int, error)
	WriteBatch([]ipv4.Message, int) (int, error)
}

// pace calls send with how many messages are due, rate a second, until the load
// is stopped or send returns false. What is late by more than 200 ms, on a busy
// machine, is left out.
func (l *load) pace(rate int, send func(n int) bool) {
	began := time.Now()
	done := 0.0
	for {
		select {
		case <-l.stop:
			return
		default:
		}
		due := time.Since(began).Seconds() * float64(rate)
		done = max(done, due-float64(rate)/5)
		if n := int(due - done); n > 0 {
			n = min(n, batchPackets)
			done += float64(n)
			if !send(n) {
				return
			}
		}
		time.Sleep(time.Millisecond)
	}
}

// udp asks the queries of a stream over a socket of its own.
func (l *load) udp(to netip.AddrPort, rate int, s *stream) {
	l.t.Helper()
	l.udpFrom(netip.Addr{}, to, rate, s)
}

// udpFrom is udp from an address, the zero Addr for any.
func (l *load) udpFrom(from netip.Addr, to netip.AddrPort, rate int, s *stream) {
	l.t.Helper()
	var local net.Addr
	if from.IsValid() {
		local = net.UDPAddrFromAddrPort(netip.AddrPortFrom(from, 0))
	}
	conn := l.dialUDP(local, to)
	s.transport, s.local = spftrack.TransportUDP, localAddress(conn)
	var batch batchConn = ipv4.NewPacketConn(conn)
	if to.Addr().Is6() {
		batch = ipv6.NewPacketConn(conn)
	}
	l.reading.Go(func() { l.receive(conn, batch, s.take) })
	l.sending.Go(func() {
		messages := newMessages(512)
		l.pace(rate, func(n int) bool {
			for i := range n {
				number, ok := s.next()
				if !ok {
					l.fail(errors.New("the stream is too short for the test"))
					return false
				}
				b := messages[i].Buffers[0]
				messages[i].Buffers[0] = b[:s.put(b[:cap(b)], number)]
			}
			return l.send(batch, messages[:n])
		})
	})
}

func localAddress(conn net.Conn) netip.AddrPort {
	at := netip.MustParseAddrPort(conn.LocalAddr().String())
	return netip.AddrPortFrom(at.Addr().Unmap(), at.Port())
}

func newMessages(size int) []ipv4.Message {
	messages := make([]ipv4.Message, batchPackets)
	for i := range messages {
		messages[i].Buffers = [][]byte{make([]byte, size)}
	}
	return messages
}

// send sends messages. A daemon that has gone away makes errors, each instead
// of sending one message.
func (l *load) send(conn batchConn, messages []ipv4.Message) bool {
	for len(messages) > 0 {
		n, err := conn.WriteBatch(messages, 0)
		if err != nil && !l.tolerant {
			l.fail(err)
			return false
		}
		if err != nil {
			n = 1
		}
		messages = messages[n:]
	}
	return true
}

// drainTime is how long a reader waits for answers after the last one.
const drainTime = 300 * time.Millisecond

// receive takes answers until the load is ended and none has come for a while.
func (l *load) receive(conn *net.UDPConn, batch batchConn, take func([]byte) error) {
	messages := newMessages(1500)
	patience := drainTime
	if l.tolerant {
		patience /= 10 // the daemon is gone
	}
	for {
		if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
			l.fail(err)
			return
		}
		n, err := batch.ReadBatch(messages, 0)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			if l.closing.Load() {
				return
			}
			continue
		case err != nil && !l.tolerant:
			l.fail(err)
			return
		case err != nil:
			if l.closing.Load() {
				return
			}
			time.Sleep(time.Millisecond)
			continue
		}
		for i := range messages[:n] {
			if err := take(messages[i].Buffers[0][:messages[i].N]); err != nil {
				l.fail(err)
			}
		}
	}
}

// tcpWindow is how many queries a TCP client has on its way.
const tcpWindow = 16

// tcp asks the queries of a stream over one connection, several at a time.
func (l *load) tcp(to netip.AddrPort, rate int, s *stream) {
	l.t.Helper()
	conn, err := l.dial("tcp", nil, to)
	if err != nil {
		l.t.Fatal(err)
	}
	s.transport, s.local = spftrack.TransportTCP, localAddress(conn)
	window := make(chan struct{}, tcpWindow)
	ended := make(chan struct{})
	var finished atomic.Bool
	l.reading.Go(func() {
		defer conn.Close()
		defer close(ended)
		frame := make([]byte, 2+4096)
		for {
			_, err := io.ReadFull(conn, frame[:2])
			size := int(binary.BigEndian.Uint16(frame))
			if err == nil {
				_, err = io.ReadFull(conn, frame[2:2+size])
			}
			if err != nil {
				if !l.tolerant && !finished.Load() {
					l.fail(err)
				}
				return
			}
			if err := s.take(frame[2 : 2+size]); err != nil {
				l.fail(err)
			}
			<-window
		}
	})
	l.sending.Go(func() {
		frame := make([]byte, 0, tcpWindow*(2+512))
		l.pace(rate, func(n int) bool {
			frame = frame[:0]
			for range min(n, tcpWindow) {
				select {
				case window <- struct{}{}:
				case <-ended:
					return false
				}
				number, ok := s.next()
				if !ok {
					l.fail(errors.New("the stream is too short for the test"))
					return false
				}
				at := len(frame)
				size := s.put(frame[at+2:cap(frame)], number)
				frame = frame[:at+2+size]
				binary.BigEndian.PutUint16(frame[at:], uint16(size))
			}
			if _, err := conn.Write(frame); err != nil {
				if !l.tolerant {
					l.fail(err)
				}
				return false
			}
			return true
		})
		// Wait for the answers on their way.
		for range tcpWindow {
			select {
			case window <- struct{}{}:
			case <-ended:
				return
			case <-time.After(5 * time.Second):
				if !l.tolerant {
					l.fail(errors.New("queries over TCP are not answered"))
				}
				return
			}
		}
		finished.Store(true)
		_ = conn.SetReadDeadline(time.Now())
	})
}

// halt stops asking.
func (l *load) halt() {
	select {
	case <-l.stop:
	default:
		close(l.stop)
	}
	l.sending.Wait()
}

// end stops asking and waits for the answers on their way. It returns how many
// the kernel dropped at the sockets of clients.
func (l *load) end() (drops uint64) {
	l.halt()
	l.closing.Store(true)
	l.reading.Wait()
	for _, conn := range l.sockets {
		drops += l.socketDrops(localAddress(conn))
		_ = conn.Close()
	}
	return drops
}

// socketDrops is what the kernel tells of the socket at an address.
func (l *load) socketDrops(at netip.AddrPort) uint64 {
	path := "/proc/thread-self/net/udp"
	if at.Addr().Is6() {
		path += "6"
	}
	var table []byte
	err := l.there(func() (err error) {
		table, err = os.ReadFile(path)
		return err
	})
	if err != nil {
		l.t.Error(err)
		return 0
	}
	port := strings.ToUpper(strconv.FormatUint(uint64(at.Port())+1<<16, 16)[1:])
	for line := range strings.Lines(string(table)) {
		fields := strings.Fields(line)
		if _, p, ok := strings.Cut(fields[1], ":"); ok && p == port {
			n, err := strconv.ParseUint(fields[len(fields)-1], 10, 64)
			if err != nil {
				l.t.Errorf("%s: %s", path, line)
			}
			return n
		}
	}
	l.t.Errorf("%s does not list port %d", path, at.Port())
	return 0
}
