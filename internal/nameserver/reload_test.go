package nameserver

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// load sends queries over UDP and TCP until it is stopped, one at a time per
// client, and fails when one is not answered.
type load struct {
	stop  chan struct{}
	group sync.WaitGroup
	asked atomic.Uint64
}

func startLoad(t *testing.T, at netip.AddrPort, clients int, qname string) *load {
	l := &load{stop: make(chan struct{})}
	m := new(dns.Msg)
	m.SetQuestion(qname, dns.TypeA)
	query, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	for i := range clients {
		l.group.Go(func() {
			if err := l.client(at, i, query); err != nil {
				t.Error(err)
			}
		})
	}
	return l
}

func (l *load) client(at netip.AddrPort, client int, query []byte) error {
	network := "udp"
	if client%4 == 3 {
		network = "tcp"
	}
	conn, err := net.Dial(network, at.String())
	if err != nil {
		return err
	}
	defer conn.Close()
	c := &dns.Conn{Conn: conn}
	b, answer := make([]byte, len(query)), make([]byte, messageSize)
	copy(b, query)
	for id := uint16(0); ; id++ {
		select {
		case <-l.stop:
			return nil
		default:
		}
		binary.BigEndian.PutUint16(b, id)
		if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
			return err
		}
		l.asked.Add(1)
		if _, err := c.Write(b); err != nil {
			return fmt.Errorf("%s client %d: %w", network, client, err)
		}
		n, err := c.Read(answer)
		if err != nil || n < headerSize || binary.BigEndian.Uint16(answer) != id || answer[3]&15 != dns.RcodeSuccess {
			return fmt.Errorf("%s client %d: query %d: %d bytes, %w", network, client, id, n, err)
		}
	}
}

// end stops the clients and returns how many queries were asked.
func (l *load) end() uint64 {
	close(l.stop)
	l.group.Wait()
	return l.asked.Load()
}

// Under load, reloads that work, reloads that fail, and changes of everything
// that can change lose neither a query nor an event.
func TestReloadUnderLoad(t *testing.T) {
	variants := []change{
		func(*Config) {},
		func(c *Config) { c.Cookies.Secrets = []Secret{mustSecret(t, "e5e973e5a6b2a43f48e7dc849e37bfcf")} },
		func(c *Config) { c.Blocks[0].Track.TTL = 5 * time.Minute },
		listening("127.0.0.1", "127.0.0.2"),
		func(c *Config) {
			unlimited(c)
			c.Metrics, c.Health, c.Log = freePort, freePort, LogAll
		},
		func(c *Config) { c.Log, c.Blocks = LogErrors, append(c.Blocks, trackBlock("other.example")) },
	}
	broken := []change{
		nil, // cannot be loaded
		func(c *Config) { c.Blocks[0].Track.Nameservers = nil },
		func(c *Config) { c.Journal.Dir = "elsewhere" },
		listening("127.0.0.1", "192.0.2.1"),
		func(c *Config) { c.Control = "/nonexistent/socket" },
		parked("/nonexistent"),
	}
	s := startServer(t, testConfig(), Options{Workers: 2})
	at := s.address(t, false)
	l := startLoad(t, at, 12, exampleName)
	for i := range 60 {
		if err := s.reload(t, testConfig(variants[i%len(variants)])); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Millisecond)
		err := s.Reload(func() (*Config, error) {
			if b := broken[i%len(broken)]; b != nil {
				return testConfig(b), nil
			}
			return nil, errors.New("cannot be loaded")
		})
		if err == nil {
			t.Fatalf("broken configuration %d was taken", i%len(broken))
		}
		if !strings.Contains(strings.Join(s.Health().Problems, "\n"), "reload: ") {
			t.Fatal("health does not tell of the failed reload")
		}
	}
	asked := l.end()
	if asked < 1000 {
		t.Errorf("only %d queries were asked", asked)
	}
	c := s.settled(t)
	if got := c.UDP.Received + c.TCP.Received; got != asked || c.UDP.Dropped+c.TCP.Dropped != 0 {
		t.Errorf("%d queries sent, %+v", asked, c)
	}
	if got := uint64(len(s.recorder.take())); got != asked || c.Tracked != asked {
		t.Errorf("%d queries sent, %d events counted, %d recorded", asked, c.Tracked, got)
	}
	if done, failed := s.reloads.Load(), s.failedReloads.Load(); done != 60 || failed != 60 {
		t.Errorf("%d reloads, %d failed", done, failed)
	}
	if !strings.Contains(s.log.String(), "the configuration stays as it was") {
		t.Error("the log does not tell of failed reloads")
	}
}

// A reload answers what has arrived at an address before it leaves it, and
// opens the new one.
func TestReloadMovesAddress(t *testing.T) {
	s := startServer(t, testConfig(), Options{})
	old := s.address(t, false)
	if err := s.reload(t, testConfig(listening("127.0.0.2"))); err != nil {
		t.Fatal(err)
	}
	now := s.addresses()
	if len(now) != 1 || now[0].Addr() != netip.MustParseAddr("127.0.0.2") {
		t.Fatalf("addresses %v", now)
	}
	exchange(t, "udp", now[0], answerCases[0].query())
	exchange(t, "tcp", now[0], answerCases[0].query())
	if conn, err := net.Dial("tcp", old.String()); err == nil {
		_ = conn.Close()
		t.Errorf("%v is still open", old)
	}
	// It can be opened by another process again.
	if err := probeUDP(old); err != nil {
		t.Error(err)
	}
}

// What has arrived before the end is answered.
func TestStopDrains(t *testing.T) {
	s := startServer(t, testConfig(), Options{Workers: 1})
	at := s.address(t, false)
	conn, err := net.Dial("udp", at.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	m := answerCases[0].query()
	b, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	s.shards[0].mu.Lock() // hold up the worker
	const n = 200
	for i := range n {
		b[0] = byte(i)
		if i%10 == 9 {
			b[2] = 2 << 3 // odd
		} else {
			b[2] = 0
		}
		if _, err := conn.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	drained := make(chan struct{})
	go func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		for at, l := range s.listeners {
			delete(s.listeners, at)
			s.closeListener(l)
		}
		close(drained)
	}()
	time.Sleep(20 * time.Millisecond)
	s.shards[0].mu.Unlock()
	<-drained
	if err := conn.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if _, err := conn.Read(make([]byte, messageSize)); err != nil {
			t.Fatalf("answer %d: %v", i, err)
		}
	}
}

// Two servers at one address would share its queries; the second must fail.
func TestSecondServerFails(t *testing.T) {
	s := startServer(t, testConfig(), Options{})
	at := s.address(t, false)
	if err := probeUDP(at); err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("error %v", err)
	}
	l, err := openListener(at, 1)
	if err == nil {
		t.Fatal("the address could be opened twice")
	}
	if l != nil || !strings.Contains(err.Error(), "address already in use") || !strings.Contains(err.Error(), at.String()) {
		t.Errorf("listener %v, error %v", l, err)
	}
}

// On wildcard addresses, answers leave from the address that was asked.
func TestWildcardSourceAddress(t *testing.T) {
	s := startServer(t, testConfig(listening("0.0.0.0", "::")), Options{})
	for _, a := range s.addresses() {
		for _, to := range []string{"127.0.0.1", "127.1.2.3", "::1"} {
			addr := netip.MustParseAddr(to)
			if addr.Is6() != a.Addr().Is6() {
				continue
			}
			// A connected socket takes answers from nowhere else. The second
			// message takes the slow path.
			conn, err := (&net.Dialer{}).DialContext(context.Background(), "udp", netip.AddrPortFrom(addr, a.Port()).String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			for _, qclass := range []uint16{dns.ClassINET, dns.ClassCHAOS} {
				m := answerCases[0].query()
				m.Question[0].Qclass = qclass
				if err := conn.SetDeadline(time.Now().Add(2 * time.Second)); err != nil {
					t.Fatal(err)
				}
				c := &dns.Conn{Conn: conn}
				if err := c.WriteMsg(m); err != nil {
					t.Fatal(err)
				}
				if _, err := c.ReadMsg(); err != nil {
					t.Errorf("%s, class %d: %v", to, qclass, err)
				}
			}
		}
	}
}
