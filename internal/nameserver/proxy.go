package nameserver

import (
	"net/netip"
	"slices"

	"nullspf/internal/proxyheader"
)

// isProxy reports whether what comes from an address begins with a header of the
// PROXY protocol. It must: whoever guesses believes what the clients of a proxy
// write.
func (t *table) isProxy(a netip.Addr) bool {
	return slices.ContainsFunc(t.proxies, func(p netip.Prefix) bool { return p.Contains(a) })
}

// unwrap takes the header off a message over UDP, and reports whether there was
// one.
func (q *query) unwrap() bool {
	h, size := proxyheader.Parse(q.buf[:q.size])
	if size == 0 {
		return false
	}
	q.size = copy(q.buf, q.buf[size:q.size])
	if h.Client.IsValid() {
		q.client = h.Client
	}
	return true
}

// unwrap takes the header off a connection, and reports whether there was one.
// From then on the connection counts for the network of the proxy's client.
func (c *tcpConn) unwrap() bool {
	h, err := proxyheader.Read(c.memory.reader)
	if err != nil {
		return false
	}
	if !h.Client.IsValid() {
		return true
	}
	c.asker, c.unproven = h.Client, h.Datagram
	switch {
	case h.Datagram:
		// Forged addresses would make of one flood that of many networks.
		c.server.conns.Attribute(c.Conn, c.client.Addr())
	case !c.table.Load().isSecondary(c.asker.Addr()):
		c.server.conns.Attribute(c.Conn, c.asker.Addr())
	}
	return true
}
