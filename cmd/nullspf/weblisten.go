package main

import (
	"net"
	"net/netip"
	"sync"

	"nullspf/internal/conns"
)

// fairListener bounds the connections that are open: a further one takes the place of the
// oldest of the network with the most, so that nobody shuts out the others.
type fairListener struct {
	net.Listener
	open *conns.Set
	// exempt clients make room only when all connections are theirs.
	exempt func(netip.Addr) bool
}

func newFairListener(l net.Listener, most int, exempt func(netip.Addr) bool) *fairListener {
	return &fairListener{l, conns.New(conns.Limits{Connections: most}), exempt}
}

func (l *fairListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		at, _ := netip.ParseAddrPort(conn.RemoteAddr().String())
		client := at.Addr().Unmap().WithZone("")
		if c := l.open.Admit(conn, client, l.exempt(client)); c != nil {
			return &fairConn{Conn: c, remove: sync.OnceFunc(func() { l.open.Remove(c) })}, nil
		}
		_ = conn.Close()
	}
}

// fairConn makes room when it is closed.
type fairConn struct {
	net.Conn
	remove func()
}

func (c *fairConn) Close() error {
	defer c.remove()
	return c.Conn.Close()
}
