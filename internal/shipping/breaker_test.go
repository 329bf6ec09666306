package shipping

import (
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// breaker is a proxy that breaks connections off: before, within and after a request,
// and within an answer; or passes a request on late, when its client has given up.
type breaker struct {
	at    netip.AddrPort
	quiet atomic.Bool
	late  sync.WaitGroup
}

func newBreaker(t *testing.T, to netip.AddrPort, r *rand.Rand) *breaker {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	b := &breaker{at: l.Addr().(*net.TCPAddr).AddrPort()}
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			kind, at := r.IntN(12), r.IntN(60_000)
			if b.quiet.Load() {
				kind = -1
			}
			go b.serve(client.(*net.TCPConn), to, kind, int64(at))
		}
	}()
	return b
}

// calm lets everything pass from now on.
func (b *breaker) calm() { b.quiet.Store(true) }

func (b *breaker) serve(client *net.TCPConn, to netip.AddrPort, kind int, at int64) {
	defer client.Close()
	if kind == 0 {
		return
	}
	conn, err := net.DialTimeout("tcp", to.String(), time.Second)
	if err != nil {
		return
	}
	server := conn.(*net.TCPConn)
	switch kind {
	case 1: // the request breaks off
		_ = client.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		_, _ = io.CopyN(server, client, at)
		_ = server.Close()
	case 2: // the request arrives, the answer is lost
		go func() { _, _ = io.Copy(server, client) }()
		_, _ = server.Read(make([]byte, 1))
		_ = server.Close()
	case 3: // the request arrives late
		b.late.Add(1)
		request := make([]byte, 8<<20)
		_ = client.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		n, _ := io.ReadFull(client, request)
		_ = client.Close()
		go func() {
			defer b.late.Done()
			defer server.Close()
			time.Sleep(time.Duration(at) * time.Microsecond * 10)
			_, _ = server.Write(request[:n])
			_ = server.SetReadDeadline(time.Now().Add(2 * time.Second))
			_, _ = io.Copy(io.Discard, server)
		}()
	default:
		go func() {
			_, _ = io.Copy(server, client)
			_ = server.CloseWrite()
		}()
		if kind == 4 { // the answer breaks off
			_, _ = io.CopyN(client, server, at%200)
			_ = server.Close()
			return
		}
		_, _ = io.Copy(client, server)
		_ = server.Close()
	}
}
