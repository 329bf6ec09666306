// Package conns bounds the open connections of a server, so that a few clients or
// networks cannot shut out the others, whatever they do with their connections.
//
// When all are in use, the network with the most connections loses the one that has
// waited longest for its client. Clients that a server knows are exempt: they make
// room only when all connections are theirs.
package conns

import (
	"maps"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Limits bound what clients can hold.
type Limits struct {
	// Connections is the number of all. A further one takes the place of another.
	Connections int
	// PerClient is the number of one IPv4 address or IPv6 /64, PerNetwork that of a
	// /24 or a /48; further ones are refused. 0 is no limit.
	PerClient, PerNetwork int
	// Idle is the time that a client gets for its next step, a fifth of that when
	// three quarters of all connections are in use.
	Idle time.Duration
}

// Counts say how many connections are open, and how many were closed because of a
// limit: Evicted made room for others, Client and Network are those refused because
// of Limits.PerClient and PerNetwork.
type Counts struct {
	Open                     int
	Evicted, Client, Network uint64
}

// Set are the open connections of a server.
type Set struct {
	mu      sync.Mutex
	limits  Limits
	counts  Counts // without Open
	closing bool
	open    map[*Conn]struct{}
	// clients and networks count the open connections of each: clients without those
	// that are exempt, networks without those that belong to none.
	clients, networks map[netip.Addr]int
	serving           sync.WaitGroup
}

// Conn is a connection of a set. Its fields are guarded by the set's mu.
type Conn struct {
	net.Conn
	client netip.Addr
	exempt bool
	// network is the one that it counts for; the zero Addr is none.
	network netip.Addr
	// waiting is since when its client is waited for.
	waiting time.Time
}

// New returns a set without connections.
func New(limits Limits) *Set {
	return &Set{
		limits:   limits,
		open:     make(map[*Conn]struct{}),
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

// clientOf is what Limits.PerClient counts.
func clientOf(a netip.Addr) netip.Addr { return prefixOf(a, 32, 64) }

// networkOf is what loses connections to others.
func networkOf(a netip.Addr) netip.Addr { return prefixOf(a, 24, 48) }

// Admit adds a connection of a client, an address without zone. It is nil when the
// client has too many; the caller then closes conn. One that makes room for it is
// closed. What is added is removed by [Set.Remove].
func (s *Set) Admit(conn net.Conn, client netip.Addr, exempt bool) *Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &Conn{Conn: conn, client: client, exempt: exempt, waiting: time.Now()}
	if s.closing || !exempt && !s.fits(client) {
		return nil
	}
	if len(s.open) >= s.limits.Connections {
		s.counts.Evicted++
		evicted := s.idlest()
		s.forget(evicted)
		_ = evicted.Close()
	}
	s.open[c] = struct{}{}
	if !exempt {
		s.clients[clientOf(client)]++
		s.belong(c, networkOf(client))
	}
	s.serving.Add(1)
	return c
}

// fits reports whether a client may have one connection more. mu is held.
func (s *Set) fits(client netip.Addr) bool {
	switch {
	case s.limits.PerClient > 0 && s.clients[clientOf(client)] >= s.limits.PerClient:
		s.counts.Client++
		return false
	case s.limits.PerNetwork > 0 && s.networks[networkOf(client)] >= s.limits.PerNetwork:
		s.counts.Network++
		return false
	}
	return true
}

// belong counts a connection for a network instead of the one before; the zero Addr
// is none. mu is held.
func (s *Set) belong(c *Conn, network netip.Addr) {
	if c.network.IsValid() {
		decrease(s.networks, c.network)
	}
	if c.network = network; network.IsValid() {
		s.networks[network]++
	}
}

// Attribute counts a connection of an exempt client for the network of an address.
func (s *Set) Attribute(c *Conn, a netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.open[c]; ok {
		s.belong(c, networkOf(a))
	}
}

// Identify counts a connection of an exempt client, a proxy, for the client that it
// is for, as if that had connected. False: that client has too many; the caller
// closes the connection.
func (s *Set) Identify(c *Conn, client netip.Addr) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.open[c]; !ok {
		return true // it has made room for another
	}
	if !s.fits(client) {
		return false
	}
	c.client, c.exempt = client, false
	s.clients[clientOf(client)]++
	s.belong(c, networkOf(client))
	return true
}

// Exempt notes that the client of a connection is one that is exempt.
func (s *Set) Exempt(c *Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.open[c]; ok {
		s.uncount(c)
	}
	c.exempt = true
}

// Extend gives a client time for its next step, until latest at most unless that is
// zero. It fails when the connection is closed, or the set is.
func (s *Set) Extend(c *Conn, latest time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return net.ErrClosed
	}
	c.waiting = time.Now()
	until := c.waiting.Add(s.patience())
	if !latest.IsZero() && latest.Before(until) {
		until = latest
	}
	return c.SetDeadline(until)
}

// patience is the time that a client gets. mu is held.
func (s *Set) patience() time.Duration {
	if len(s.open) > s.limits.Connections*3/4 {
		return s.limits.Idle / 5
	}
	return s.limits.Idle
}

// idlest returns the connection that makes room for another. mu is held.
func (s *Set) idlest() (found *Conn) {
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
func (s *Set) forget(c *Conn) {
	if _, ok := s.open[c]; !ok {
		return // it has made room for another
	}
	delete(s.open, c)
	s.uncount(c)
}

// uncount takes a connection off those of its client and network. mu is held.
func (s *Set) uncount(c *Conn) {
	if !c.exempt {
		decrease(s.clients, clientOf(c.client))
	}
	s.belong(c, netip.Addr{})
}

func decrease(counts map[netip.Addr]int, a netip.Addr) {
	if counts[a]--; counts[a] == 0 {
		delete(counts, a)
	}
}

// Remove notes the end of a connection.
func (s *Set) Remove(c *Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget(c)
	s.serving.Done()
}

// SetLimits changes the limits. Connections that are open stay.
func (s *Set) SetLimits(change func(*Limits)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.limits)
}

// Counts returns the counts.
func (s *Set) Counts() Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.counts
	c.Open = len(s.open)
	return c
}

// Networks returns how many connections count for each network that has some, by its
// first address.
func (s *Set) Networks() map[netip.Addr]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.networks)
}

// Close lets every connection finish the step it is at, and waits for their ends.
// Those that take longer than the grace are cut.
func (s *Set) Close(grace time.Duration) {
	s.mu.Lock()
	s.closing = true
	for c := range s.open {
		_ = c.SetDeadline(time.Now().Add(grace))
		_ = c.SetReadDeadline(time.Now())
	}
	s.mu.Unlock()
	s.serving.Wait()
}
