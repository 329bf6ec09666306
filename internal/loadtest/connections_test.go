package loadtest

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"nullspf/internal/peers"
	"nullspf/internal/torture"
)

// Clients that hold connections: as many addresses as one server needs to run out
// of connections at the limit of each address, and one more.
const (
	holders        = 33
	perHolder      = 32
	newcomers      = 20
	newcomersShort = 2 * time.Second
)

// holding is what clients do with a connection that they hold.
type holding struct {
	name string
	hold func(conn net.Conn, query []byte)
}

var holdings = []holding{
	{"idle", func(conn net.Conn, _ []byte) { _, _ = conn.Read(make([]byte, 1)) }},
	{"a byte a second", func(conn net.Conn, query []byte) {
		for i := range query {
			if _, err := conn.Write(query[i : i+1]); err != nil {
				return
			}
			time.Sleep(time.Second)
		}
	}},
	{"polite", func(conn net.Conn, query []byte) {
		for exchangeOn(conn, query) == nil {
			time.Sleep(time.Second)
		}
	}},
}

// exchangeOn sends a message, with its length in front, and reads an answer.
func exchangeOn(conn net.Conn, framed []byte) error {
	if err := conn.SetDeadline(time.Now().Add(newcomersShort)); err != nil {
		return err
	}
	if _, err := conn.Write(framed); err != nil {
		return err
	}
	var length [2]byte
	if _, err := io.ReadFull(conn, length[:]); err != nil {
		return err
	}
	_, err := io.CopyN(io.Discard, conn, int64(binary.BigEndian.Uint16(length[:])))
	return err
}

func dialFrom(ctx context.Context, from, to netip.AddrPort) (net.Conn, error) {
	dialer := net.Dialer{Timeout: newcomersShort, LocalAddr: net.TCPAddrFromAddrPort(from)}
	return dialer.DialContext(ctx, "tcp4", to.String())
}

// heldOut holds connections to a server for some seconds, opens each anew when it
// is closed, and returns how many of some newcomers were served meanwhile, over TCP
// and over UDP.
func heldOut(ctx context.Context, at netip.AddrPort, h holding, framed []byte, lasts time.Duration) (tcp, udp int64) {
	ctx, stop := context.WithTimeout(ctx, lasts)
	defer stop()
	address := func(third, last int) netip.AddrPort {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 9, byte(third), byte(last)}), 0)
	}
	var holding, asking sync.WaitGroup
	for i := range holders * perHolder {
		holding.Go(func() {
			for ctx.Err() == nil {
				if conn, err := dialFrom(ctx, address(1, i/perHolder+1), at); err == nil {
					closed := context.AfterFunc(ctx, func() { _ = conn.Close() })
					h.hold(conn, framed)
					closed()
					_ = conn.Close()
				}
				time.Sleep(100 * time.Millisecond)
			}
		})
	}
	var servedTCP, servedUDP atomic.Int64
	for client := range newcomers {
		asking.Go(func() {
			// The second half of the time.
			time.Sleep(lasts/2 + time.Duration(client)*lasts/2/newcomers)
			if conn, err := dialFrom(context.Background(), address(2, client+1), at); err == nil {
				if exchangeOn(conn, framed) == nil {
					servedTCP.Add(1)
				}
				_ = conn.Close()
			}
			m := new(dns.Msg)
			if m.Unpack(framed[2:]) != nil {
				return
			}
			if _, _, err := (&dns.Client{Timeout: newcomersShort}).Exchange(m, at.String()); err == nil {
				servedUDP.Add(1)
			}
		})
	}
	asking.Wait()
	stop()
	holding.Wait()
	return servedTCP.Load(), servedUDP.Load()
}

// TestConnections has 33 addresses hold 32 TCP connections each, idle, with a byte
// a second, and with a query each second, as polite clients do; and counts which of
// 20 others are served: nearly all over TCP, all over UDP. Once it is over, all are
// served again.
func TestConnections(t *testing.T) {
	peers.RequireNamespaces(t)
	r := torture.Start(t, 2*time.Second)
	output := publish(t)
	query := new(dns.Msg).SetQuestion(publishedZones[0]+".", dns.TypeTXT)
	b, err := query.Pack()
	if err != nil {
		t.Fatal(err)
	}
	framed := append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...)
	others := besides
	if !torture.Asked() {
		others = nil
	}
	lasts := min(r.Left()/time.Duration(1+len(others)), 30*time.Second)
	// All holdings at once: each takes most of its time waiting.
	try := func(name string, start func(t *testing.T) netip.AddrPort, check bool) {
		var tried sync.WaitGroup
		for _, h := range holdings {
			at := start(t)
			tried.Go(func() {
				overTCP, overUDP := heldOut(t.Context(), at, h, framed, lasts)
				r.Figure(name+", "+h.name, "%d of %d served over TCP, %d over UDP", overTCP, newcomers, overUDP)
				if !check {
					return
				}
				if overTCP < newcomers*9/10 {
					t.Errorf("%s: %d of %d are served over TCP", h.name, overTCP, newcomers)
				}
				if overUDP != newcomers {
					t.Errorf("%s: %d of %d are served over UDP", h.name, overUDP, newcomers)
				}
				served := false
				for end := time.Now().Add(5 * time.Second); !served && time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
					if conn, err := net.Dial("tcp", at.String()); err == nil {
						served = exchangeOn(conn, framed) == nil
						_ = conn.Close()
					}
				}
				if !served {
					t.Errorf("%s: nobody is served afterwards", h.name)
				}
			})
		}
		tried.Wait()
		r.Count("connections held", len(holdings)*holders*perHolder)
	}
	try("nullspfd", func(t *testing.T) netip.AddrPort {
		s := newSite(t)
		s.servePublished(t, output)
		s.start(t)
		return s.at
	}, true)
	for _, kind := range others {
		try(string(kind), func(t *testing.T) netip.AddrPort { return startBeside(t, kind, output).Address }, false)
	}
}
