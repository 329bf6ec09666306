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
	log := s.log.With().Stringer("listen", l.at).Logger()
	for i, socket := range l.udp {
		w := &udpWorker{
			shard:  s.shards[i],
			inbox:  &socketInbox{batch: newBatch(socket.controls), socket: socket, table: &l.table, log: log},
			slow:   s.slow,
			log:    log,
			weight: fullWeight,
		}
		go func() {
			defer close(socket.done)
			w.run()
		}()
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

// drops implements [dropper].
func (l *listener) drops() uint64 {
	var n uint64
	for _, s := range l.udp {
		n += s.drops()
	}
	return n
}

// dropper is where the kernel drops messages: the sockets of an address, or the
// queues of an interface.
type dropper interface {
	// drops returns how many it has dropped so far.
	drops() uint64
}

// dropCounter counts the messages that the kernel dropped, before what has been
// closed too.
type dropCounter struct {
	mu     sync.Mutex
	open   map[dropper]bool
	closed uint64
}

func (c *dropCounter) add(d dropper) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open == nil {
		c.open = make(map[dropper]bool)
	}
	c.open[d] = true
}

// remove keeps the count of what is about to be closed.
func (c *dropCounter) remove(d dropper) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.open, d)
	c.closed += d.drops()
}

func (c *dropCounter) count() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.closed
	for d := range c.open {
		n += d.drops()
	}
	return n
}
