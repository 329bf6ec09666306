package nameserver

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
)

// listener is an address with its sockets: one for TCP and one for UDP of each
// worker. It stays open as long as a configuration names the address.
type listener struct {
	// at has the real port where the configuration says 0.
	at    netip.AddrPort
	table atomic.Pointer[table]
	udp   []*udpSocket
	tcp   *net.TCPListener
	// accepting is done when no more connections are accepted.
	accepting sync.WaitGroup
}

// portAttempts bounds the search for a port that is free for UDP and TCP.
const portAttempts = 16

// openListener opens all sockets of an address, or none.
func openListener(at netip.AddrPort, workers int) (l *listener, err error) {
	for range portAttempts {
		if l, err = tryListener(at, workers); err == nil || at.Port() != 0 {
			break
		}
	}
	return l, err
}

func tryListener(at netip.AddrPort, workers int) (*listener, error) {
	network := "tcp4"
	if at.Addr().Is6() {
		network = "tcp6"
	}
	tcp, err := net.ListenTCP(network, net.TCPAddrFromAddrPort(at))
	if err != nil {
		return nil, fmt.Errorf("listen on tcp %s: %w%s", at, err, bindHint(err))
	}
	l := &listener{at: at, tcp: tcp}
	if a, ok := tcp.Addr().(*net.TCPAddr); ok {
		l.at = netip.AddrPortFrom(at.Addr(), uint16(a.Port))
	}
	if err := probeUDP(l.at); err != nil {
		return nil, errors.Join(err, l.closeUnused())
	}
	for range workers {
		s, err := openUDP(l.at)
		if err != nil {
			return nil, errors.Join(err, l.closeUnused())
		}
		l.udp = append(l.udp, s)
	}
	return l, nil
}

// serve starts the workers.
func (l *listener) serve(s *Server) {
	for i, socket := range l.udp {
		w := &udpWorker{
			shard:  s.shards[i],
			socket: socket,
			table:  &l.table,
			slow:   s.slow,
			log:    s.log.With().Stringer("listen", l.at).Logger(),
			batch:  newBatch(socket.controls),
		}
		go w.run()
	}
	l.accepting.Go(func() { s.tcp.accept(l.tcp, &l.table) })
	s.drops.add(l)
}

// closeUnused closes a listener that does not serve.
func (l *listener) closeUnused() error {
	err := l.tcp.Close()
	for _, s := range l.udp {
		err = errors.Join(err, s.close())
	}
	return err
}

// close answers what has arrived and closes the sockets. Connections stay
// open.
func (l *listener) close(drops *dropCounter) error {
	err := l.tcp.Close()
	l.accepting.Wait()
	for _, s := range l.udp {
		s.stop()
	}
	for _, s := range l.udp {
		s.drain()
	}
	drops.remove(l)
	for _, s := range l.udp {
		err = errors.Join(err, s.close())
	}
	return err
}

// drops returns how many messages the kernel has dropped so far.
func (l *listener) drops() uint64 {
	var n uint64
	for _, s := range l.udp {
		n += s.drops()
	}
	return n
}

// dropCounter counts the messages that the kernel dropped at sockets, closed
// ones included.
type dropCounter struct {
	mu     sync.Mutex
	open   map[*listener]bool
	closed uint64
}

func (c *dropCounter) add(l *listener) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open == nil {
		c.open = make(map[*listener]bool)
	}
	c.open[l] = true
}

// remove keeps the count of a listener that is about to be closed.
func (c *dropCounter) remove(l *listener) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.open, l)
	c.closed += l.drops()
}

func (c *dropCounter) count() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.closed
	for l := range c.open {
		n += l.drops()
	}
	return n
}
