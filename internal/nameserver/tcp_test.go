package nameserver

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/miekg/dns"
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

// frame is a question with its length in front.
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

// Many questions in one segment, and one question in many.
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
	s := startServer(t, testConfig(), Options{TCP: tcpLimits{Connections: 100, PerClient: 100, Idle: 300 * time.Millisecond}})
	idle, slow, greedy, busy := dialTCP(t, s), dialTCP(t, s), dialTCP(t, s), dialTCP(t, s)
	stop := make(chan struct{})
	defer close(stop)
	go func() { // an octet now and then
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
	go func() { // questions, and never a look at the answers
		b := bytes.Repeat(frame(t, 1, exampleName, dns.TypeA), 100)
		for {
			if _, err := greedy.Write(b); err != nil {
				return
			}
		}
	}()
	start := time.Now()
	for time.Since(start) < time.Second { // a question now and then
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
	for deadline := time.Now().Add(5 * time.Second); s.tcp.connections() > 1; {
		if time.Now().After(deadline) {
			t.Fatal("a client that takes no answers is not cut")
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func TestTCPLimits(t *testing.T) {
	s := startServer(t, testConfig(), Options{TCP: tcpLimits{Connections: 8, PerClient: 5, Idle: 10 * time.Second}})
	answered := func(local string) bool {
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
		if _, err := conn.Write(frame(t, 1, exampleName, dns.TypeA)); err != nil {
			return false
		}
		_, err = readFrame(conn)
		return err == nil
	}
	for i := range 7 {
		if got := answered("127.0.0.1"); got != (i < 5) {
			t.Errorf("connection %d of one address: answered %v", i+1, got)
		}
	}
	for i := range 5 {
		if got := answered("127.0.0.2"); got != (i < 3) {
			t.Errorf("connection %d of another address: answered %v", i+1, got)
		}
	}
	if total, client := s.tcp.overTotal.Load(), s.tcp.overClient.Load(); total != 2 || client != 2 {
		t.Errorf("%d refused because of all, %d because of one client, want 2 and 2", total, client)
	}
	// Of the last quarter each client gets a fifth of the time.
	if got := s.tcp.patience(); got != 2*time.Second {
		t.Errorf("patience %v", got)
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
	s.tcp.close(stopGrace)
	if took := time.Since(start); took > stopGrace/2 {
		t.Errorf("stopping took %v", took)
	}
	if !ended(t, idle, time.Second) || !ended(t, asking, time.Second) {
		t.Error("a connection outlives the server")
	}
}
