package nameserver

import (
	"encoding/binary"
	"net/netip"
	"slices"
)

// The header of the PROXY protocol, version 2
// (https://www.haproxy.org/download/1.8/doc/proxy-protocol.txt, section 2.2):
//
//	0         12       13         14       16
//	+---------+--------+----------+--------+----------------------------+------+
//	|signature|version,|family,   |length  |source, destination address,|TLVs  |
//	|         |command |transport |of rest |source, destination port    |      |
//	+---------+--------+----------+--------+----------------------------+------+
const (
	proxySignature = "\r\n\r\n\x00\r\nQUIT\n"
	proxyFixed     = len(proxySignature) + 4
	// maxProxyHeader is the longest over TCP; proxies add a few TLVs.
	maxProxyHeader = 1024

	proxyLocal, proxyProxy = 0x20, 0x21
	proxyIPv4, proxyIPv6   = 1, 2
	proxyDatagram          = 2
)

// proxied is what the header of a proxy says.
type proxied struct {
	// client is invalid when the proxy speaks for itself.
	client netip.AddrPort
	// datagram: the client came over UDP, so its address may be forged.
	datagram bool
}

// proxyHeaderSize is the length of the header at the start of b, of which
// proxyFixed bytes must be there; 0 is none.
func proxyHeaderSize(b []byte) int {
	if len(b) < proxyFixed || string(b[:len(proxySignature)]) != proxySignature {
		return 0
	}
	return proxyFixed + int(binary.BigEndian.Uint16(b[14:]))
}

// readProxyHeader reads the header at the start of b; size is 0 when there is no
// good one.
func readProxyHeader(b []byte) (p proxied, size int) {
	size = proxyHeaderSize(b)
	if size == 0 || size > len(b) {
		return p, 0
	}
	rest := b[proxyFixed:size]
	family, transport := b[13]>>4, b[13]&15
	p.datagram = transport == proxyDatagram
	switch {
	case b[12] == proxyLocal, b[12] == proxyProxy && family == 0:
	case b[12] == proxyProxy && family == proxyIPv4 && len(rest) >= 12:
		p.client = netip.AddrPortFrom(netip.AddrFrom4([4]byte(rest)), binary.BigEndian.Uint16(rest[8:]))
	case b[12] == proxyProxy && family == proxyIPv6 && len(rest) >= 36:
		p.client = netip.AddrPortFrom(netip.AddrFrom16([16]byte(rest)).Unmap(), binary.BigEndian.Uint16(rest[32:]))
	default:
		return p, 0
	}
	return p, size
}

// isProxy reports whether what comes from an address begins with a header. It
// must: whoever guesses believes what the clients of a proxy write.
func (t *table) isProxy(a netip.Addr) bool {
	return slices.ContainsFunc(t.proxies, func(p netip.Prefix) bool { return p.Contains(a) })
}

// unwrap takes the header off a message over UDP, and reports whether there was
// one.
func (q *query) unwrap() bool {
	p, size := readProxyHeader(q.buf[:q.size])
	if size == 0 {
		return false
	}
	q.size = copy(q.buf, q.buf[size:q.size])
	if p.client.IsValid() {
		q.client = p.client
	}
	return true
}

// unwrap takes the header off a connection, and reports whether there was one.
// From then on the connection counts for the network of the proxy's client.
func (c *tcpConn) unwrap() bool {
	r := c.memory.reader
	fixed, err := r.Peek(proxyFixed)
	if err != nil {
		return false
	}
	size := proxyHeaderSize(fixed)
	if size == 0 || size > maxProxyHeader {
		return false
	}
	header, err := r.Peek(size)
	if err != nil {
		return false
	}
	p, size := readProxyHeader(header)
	if size == 0 {
		return false
	}
	_, _ = r.Discard(size) // which is there
	if !p.client.IsValid() {
		return true
	}
	c.asker, c.unproven = p.client, p.datagram
	switch {
	case p.datagram:
		// Forged addresses would make of one flood that of many networks.
		c.server.attribute(c, c.client.Addr())
	case !c.table.Load().isSecondary(c.asker.Addr()):
		c.server.attribute(c, c.asker.Addr())
	}
	return true
}
