package nameserver

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/miekg/dns"

	"nullspf/internal/conns"
)

func dialTCP(t testing.TB, s *testServer) *net.TCPConn {
	t.Helper()
	conn, err := net.Dial("tcp", s.address(t, false).String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn.(*net.TCPConn)
}

// frame is a query with its length in front.
func frame(t testing.TB, id uint16, qname string, qtype uint16) []byte {
	t.Helper()
	m := new(dns.Msg)
	m.SetQuestion(qname, qtype)
	m.Id = id
	b, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...)
}

func readFrame(conn io.Reader) ([]byte, error) {
	var size [2]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		return nil, err
	}
	b := make([]byte, binary.BigEndian.Uint16(size[:]))
	_, err := io.ReadFull(conn, b)
	return b, err
}

// ended reports whether the server closes a connection in a time.
func ended(t testing.TB, conn net.Conn, within time.Duration) bool {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(within)); err != nil {
		t.Fatal(err)
	}
	_, err := io.Copy(io.Discard, conn)
	var timeout net.Error
	return !(errors.As(err, &timeout) && timeout.Timeout())
}

// Many queries in one segment, and one query in many.
func TestTCPPipelining(t *testing.T) {
	s := startServer(t, testConfig(), Options{})
	conn := dialTCP(t, s)
	var all []byte
	const n = 500
	for i := range n {
		all = append(all, frame(t, uint16(i), exampleName, dns.TypeA)...)
	}
	go func() {
		for len(all) > 0 {
			k := min(len(all), 1+len(all)%7919)
			if _, err := conn.Write(all[:k]); err != nil {
				return
			}
			all = all[k:]
		}
	}()
	for i := range n {
		b, err := readFrame(conn)
		if err != nil {
			t.Fatal(err)
		}
		if got := binary.BigEndian.Uint16(b); got != uint16(i) {
			t.Fatalf("answer %d where %d is due", got, i)
		}
	}
	for _, c := range frame(t, 7, exampleName, dns.TypeA) {
		if _, err := conn.Write([]byte{c}); err != nil {
			t.Fatal(err)
		}
	}
	if b, err := readFrame(conn); err != nil || binary.BigEndian.Uint16(b) != 7 {
		t.Fatal(err)
	}
	events := s.recorder.take()
	if len(events) != n+1 || !events[0].Verified || events[0].Transport.String() != "tcp" {
		t.Errorf("%d events, first %+v", len(events), events[0])
	}
}

func TestTCPMessages(t *testing.T) {
	s := startServer(t, testConfig(), Options{})
	// A message that exceeds the buffer is malformed, and the next is answered.
	conn := dialTCP(t, s)
	big := bytes.Repeat([]byte{0xff}, 2+60000)
	binary.BigEndian.PutUint16(big, 60000)
	copy(big[2:], frame(t, 1, exampleName, dns.TypeA)[2:])
	big[13] = 9 // additional records
	if _, err := conn.Write(append(big, frame(t, 2, exampleName, dns.TypeA)...)); err != nil {
		t.Fatal(err)
	}
	for id, rcode := range []byte{dns.RcodeFormatError, dns.RcodeSuccess} {
		b, err := readFrame(conn)
		if err != nil {
			t.Fatal(err)
		}
		if b[1] != byte(id+1) || b[3]&15 != rcode {
			t.Errorf("answer % x", b)
		}
	}
	// A message that has no answer ends the connection.
	for name, b := range map[string][]byte{
		"no message":  {0, 0},
		"short":       {0, 3, 1, 2, 3},
		"an answer":   append([]byte{0, 12, 1, 2, 0x80, 0}, make([]byte, 8)...),
		"two answers": bytes.Repeat(append([]byte{0, 12, 1, 2, 0x80, 0}, make([]byte, 8)...), 2),
	} {
		conn := dialTCP(t, s)
		if _, err := conn.Write(b); err != nil {
			t.Fatal(err)
		}
		if !ended(t, conn, 3*time.Second) {
			t.Errorf("%s: the connection stays open", name)
		}
	}
	s.settled(t)
}

func TestTCPIdleAndSlowClients(t *testing.T) {
	s := startServer(t, testConfig(), Options{TCP: conns.Limits{Connections: 100, PerClient: 100, Idle: time.Second}})
	idle, slow, greedy, busy := dialTCP(t, s), dialTCP(t, s), dialTCP(t, s), dialTCP(t, s)
	stop := make(chan struct{})
	defer close(stop)
	go func() { // a byte now and then
		for i := range 10000 {
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
			}
			b := frame(t, 1, exampleName, dns.TypeA)
			if _, err := slow.Write(b[i%len(b) : i%len(b)+1]); err != nil {
				return
			}
		}
	}()
	go func() { // queries, and never a look at the answers
		b := bytes.Repeat(frame(t, 1, exampleName, dns.TypeA), 100)
		for {
			if _, err := greedy.Write(b); err != nil {
				return
			}
		}
	}()
	start := time.Now()
	for time.Since(start) < 2*time.Second { // a query now and then
		if _, err := busy.Write(frame(t, 1, exampleName, dns.TypeA)); err != nil {
			t.Fatalf("a client that asks is cut: %v", err)
		}
		if _, err := readFrame(busy); err != nil {
			t.Fatalf("a client that asks is cut: %v", err)
		}
		time.Sleep(100 * time.Millisecond)
	}
	if !ended(t, idle, time.Second) {
		t.Error("an idle client is not cut")
	}
	if !ended(t, slow, time.Second) {
		t.Error("a slow client is not cut")
	}
	for deadline := time.Now().Add(5 * time.Second); s.tcp.conns.Counts().Open > 1; {
		if time.Now().After(deadline) {
			t.Fatal("a client that takes no answers is not cut")
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// dialFrom connects from an address of loopback.
func dialFrom(t testing.TB, s *testServer, local string) *net.TCPConn {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(local)}}
	conn, err := d.Dial("tcp", s.address(t, false).String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn.(*net.TCPConn)
}

// askOver reports whether a query over a connection is answered.
func askOver(t testing.TB, conn net.Conn) bool {
	t.Helper()
	if _, err := conn.Write(frame(t, 1, exampleName, dns.TypeA)); err != nil {
		return false
	}
	_, err := readFrame(conn)
	return err == nil
}

func TestTCPLimits(t *testing.T) {
	s := startServer(t, testConfig(), Options{TCP: conns.Limits{Connections: 8, PerClient: 5, Idle: 10 * time.Second}})
	opened := make(map[string][]*net.TCPConn)
	open := func(local string, want bool) {
		t.Helper()
		conn := dialFrom(t, s, local)
		if askOver(t, conn) != want {
			t.Errorf("connection %d of %s: answered %v", len(opened[local])+1, local, !want)
		}
		opened[local] = append(opened[local], conn)
	}
	for i := range 7 {
		open("127.0.0.1", i < 5)
	}
	for range 3 {
		open("127.0.1.1", true)
	}
	// All are used. The first has just asked, so that the second goes.
	if !askOver(t, opened["127.0.0.1"][0]) {
		t.Error("the first connection is closed")
	}
	open("127.0.1.1", true)
	for i, conn := range opened["127.0.0.1"][:5] {
		if askOver(t, conn) != (i != 1) {
			t.Errorf("connection %d of the network with the most: answered %v", i+1, i == 1)
		}
	}
	for i, conn := range opened["127.0.1.1"] {
		if !askOver(t, conn) {
			t.Errorf("connection %d of the other network is closed", i+1)
		}
	}
	if n := s.tcp.conns.Counts(); n != (conns.Counts{Open: 8, Evicted: 1, Client: 2}) {
		t.Errorf("%+v, want 1 evicted, and 2 refused because of one client", n)
	}
	if n := s.tcp.conns.Networks(); n[netip.MustParseAddr("127.0.0.0")] != 4 {
		t.Errorf("networks %v", n)
	}
}

// Of all that some networks do with as many connections as they may have,
// nothing shuts others out.
func TestTCPOccupied(t *testing.T) {
	for name, keep := range map[string]func(net.Conn){
		"idle": func(net.Conn) {},
		"one byte": func(c net.Conn) {
			_, _ = c.Write([]byte{0})
		},
		"polite": func(c net.Conn) { askOver(t, c) },
	} {
		t.Run(name, func(t *testing.T) {
			s := startServer(t, testConfig(), Options{})
			var held []net.Conn
			for address := range 33 {
				for range 32 {
					conn := dialFrom(t, s, fmt.Sprintf("127.0.%d.1", address))
					keep(conn)
					held = append(held, conn)
				}
			}
			for i := range 28 {
				// Of the same networks and of others.
				conn := dialFrom(t, s, fmt.Sprintf("127.0.%d.2", 10+i))
				for j := range 40 {
					keep(held[(40*i+j)%len(held)])
				}
				for range 2 {
					if !askOver(t, conn) {
						t.Errorf("client %d is not served", i+1)
					}
				}
			}
			if n := s.tcp.conns.Counts().Open; n > defaultTCPLimits.Connections {
				t.Errorf("%d connections", n)
			}
		})
	}
}

// Stopping lets a client have the answers to what it asked.
func TestTCPStop(t *testing.T) {
	s := startServer(t, testConfig(), Options{})
	idle, asking := dialTCP(t, s), dialTCP(t, s)
	if _, err := asking.Write(frame(t, 1, exampleName, dns.TypeA)); err != nil {
		t.Fatal(err)
	}
	if _, err := readFrame(asking); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	s.tcp.conns.Close(stopGrace)
	if took := time.Since(start); took > stopGrace/2 {
		t.Errorf("stopping took %v", took)
	}
	if !ended(t, idle, time.Second) || !ended(t, asking, time.Second) {
		t.Error("a connection outlives the server")
	}
}
