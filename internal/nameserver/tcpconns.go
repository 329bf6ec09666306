package nameserver

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// tcpLimits bound what TCP clients can hold.
type tcpLimits struct {
	// Connections is the number of all. A further one takes the place of that
	// which has waited longest for a query, of the network with the most: so a
	// few networks cannot shut out the others, whatever they do with their
	// connections. PerClient is the number of one IPv4 address or IPv6 /64, of
	// which further ones are closed at once. Secondaries, some of which open a
	// connection for each zone, are exempt from PerClient, and make room only when
	// all connections are theirs. Proxies are exempt from PerClient; each of their
	// connections counts for the network of the client that it is for.
	Connections, PerClient int
	// Idle is the time in which the next query must have arrived whole, and
	// in which the client must take its answers (RFC 7766 section 6.2.3). It is
	// a fifth of that when three quarters of all connections are in use.
	Idle time.Duration
}

// defaultTCPLimits are those of [Options] without any.
var defaultTCPLimits = tcpLimits{Connections: 1000, PerClient: 32, Idle: 10 * time.Second}

// tcpConns are the open connections of all addresses, within limits.
type tcpConns struct {
	limits tcpLimits
	// evicted and refused count connections closed because of Connections and
	// of PerClient.
	evicted, refused atomic.Uint64

	mu      sync.Mutex
	closing bool
	open    map[*tcpConn]struct{}
	// clients and networks count the open connections of each: clients without
	// those of secondaries and proxies, networks without those of secondaries.
	clients, networks map[netip.Addr]int
	serving           sync.WaitGroup
}

func newTCPConns(limits tcpLimits) tcpConns {
	return tcpConns{
		limits:   limits,
		open:     make(map[*tcpConn]struct{}),
		clients:  make(map[netip.Addr]int),
		networks: make(map[netip.Addr]int),
	}
}

// prefixOf is the first address of the network that a has at a length.
func prefixOf(a netip.Addr, v4, v6 int) netip.Addr {
	bits := v4
	if a.Is6() {
		bits = v6
	}
	p, _ := a.Prefix(bits) // of an address without zone, which fits
	return p.Addr()
}

// tcpClient is what PerClient counts.
func tcpClient(a netip.Addr) netip.Addr { return prefixOf(a, 32, 64) }

// tcpNetwork is what loses connections to others.
func tcpNetwork(a netip.Addr) netip.Addr { return prefixOf(a, 24, 48) }

// admit counts a connection, and reports whether it may stay. One that has to
// make room is closed.
func (s *tcpConns) admit(c *tcpConn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := c.table.Load()
	c.secondary = t.isSecondary(c.client.Addr()) || t.isProxy(c.client.Addr())
	switch {
	case s.closing:
		return false
	case !c.secondary && s.clients[tcpClient(c.client.Addr())] >= s.limits.PerClient:
		s.refused.Add(1)
		return false
	case len(s.open) >= s.limits.Connections:
		s.evicted.Add(1)
		evicted := s.idlest()
		s.forget(evicted)
		_ = evicted.Close()
	}
	c.waiting = time.Now()
	s.open[c] = struct{}{}
	if !c.secondary {
		s.clients[tcpClient(c.client.Addr())]++
		s.belong(c, tcpNetwork(c.client.Addr()))
	}
	s.serving.Add(1)
	return true
}

// belong counts a connection for a network instead of the one before; the zero
// Addr is none. mu is held.
func (s *tcpConns) belong(c *tcpConn, network netip.Addr) {
	if c.network.IsValid() {
		decrease(s.networks, c.network)
	}
	if c.network = network; network.IsValid() {
		s.networks[network]++
	}
}

// attribute counts a connection of a proxy for the network of an address.
func (s *tcpConns) attribute(c *tcpConn, a netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.open[c]; ok {
		s.belong(c, tcpNetwork(a))
	}
}

// idlest returns the connection that makes room for another. mu is held.
func (s *tcpConns) idlest() (found *tcpConn) {
	most := 0
	for c := range s.open {
		n := s.networks[c.network]
		if found == nil || n > most || n == most && c.waiting.Before(found.waiting) {
			found, most = c, n
		}
	}
	return found
}

// forget takes a connection out of the counts. mu is held.
func (s *tcpConns) forget(c *tcpConn) {
	if _, ok := s.open[c]; !ok {
		return // evicted before
	}
	delete(s.open, c)
	s.uncount(c)
}

// uncount takes a connection off those of its client and network. mu is held.
func (s *tcpConns) uncount(c *tcpConn) {
	if !c.secondary {
		decrease(s.clients, tcpClient(c.client.Addr()))
	}
	s.belong(c, netip.Addr{})
}

func decrease(counts map[netip.Addr]int, a netip.Addr) {
	if counts[a]--; counts[a] == 0 {
		delete(counts, a)
	}
}

// remove notes the end of a connection that was added.
func (s *tcpConns) remove(c *tcpConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget(c)
	s.serving.Done()
}

// prove notes that the client of a connection has proved to be a secondary.
func (s *tcpConns) prove(c *tcpConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.open[c]; ok {
		s.uncount(c)
	}
	c.secondary = true
}

// setConnections changes the limit of all connections.
func (s *tcpConns) setConnections(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limits.Connections = n
}

// connections returns how many are open.
func (s *tcpConns) connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open)
}

// patience is the time that a client gets. mu is held.
func (s *tcpConns) patience() time.Duration {
	if len(s.open) > s.limits.Connections*3/4 {
		return s.limits.Idle / 5
	}
	return s.limits.Idle
}

// close lets every connection answer what it is at, and ends it. Those that
// take longer than the grace are cut.
func (s *tcpConns) close(grace time.Duration) {
	s.mu.Lock()
	s.closing = true
	for c := range s.open {
		_ = c.SetDeadline(time.Now().Add(grace))
		_ = c.SetReadDeadline(time.Now())
	}
	s.mu.Unlock()
	s.serving.Wait()
}
