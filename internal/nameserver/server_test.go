package nameserver

import (
	"bytes"
	"net/netip"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/rs/zerolog"

	"nullspf/internal/dnsname"
	"nullspf/internal/journal"
	"nullspf/internal/peers"
	"nullspf/spftrack"
)

// memory is a recorder that keeps events.
type memory struct {
	mu     sync.Mutex
	zones  []string
	events []event
	closed bool
	// layouts are by zone.
	layouts map[string][]spftrack.Layout
}

func (m *memory) SetLimits(journal.Limits) {}

func (m *memory) SetLayouts(zone string, layouts []spftrack.Layout) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.layouts == nil {
		m.layouts = make(map[string][]spftrack.Layout)
	}
	m.layouts[zone] = layouts
}

func (m *memory) Zone(name string) (uint16, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if i := slices.Index(m.zones, name); i >= 0 {
		return uint16(i), nil
	}
	m.zones = append(m.zones, name)
	return uint16(len(m.zones) - 1), nil
}

func (m *memory) Worker(int) eventWriter { return m }
func (m *memory) Shared() eventWriter    { return m }
func (m *memory) Commit()                {}
func (m *memory) Health() string         { return "" }

func (m *memory) Put(e *event) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	copied := *e
	copied.Name = bytes.Clone(e.Name)
	m.events = append(m.events, copied)
	return true
}

func (m *memory) Stats() recorderStats {
	m.mu.Lock()
	defer m.mu.Unlock()
	return recorderStats{Stored: uint64(len(m.events))}
}

func (m *memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	return nil
}

func (m *memory) take() []event {
	m.mu.Lock()
	defer m.mu.Unlock()
	events := m.events
	m.events = nil
	return events
}

// change is one of a configuration.
type change func(*Config)

// testConfig returns a configuration with a tracking zone and a journal on free
// ports of loopback.
func testConfig(changes ...change) *Config {
	c := &Config{
		Path: "Corefile",
		Blocks: []Block{{
			Position: "Corefile:2",
			Zones:    []dnsname.Name{"_spf.example.net"},
			Listen:   listenAt("127.0.0.1", "::1"),
			Track: Track{
				Position:    "Corefile:4",
				Nameservers: []dnsname.Name{"ns1.example.net", "ns2._spf.example.net"},
				Addresses: map[dnsname.Name][]netip.Addr{
					"ns2._spf.example.net": {netip.MustParseAddr("192.0.2.53"), netip.MustParseAddr("2001:db8::53")},
				},
				Layouts: []spftrack.Layout{spftrack.Track, spftrack.Classic},
				Explain: "Mail from %{d} is forged",
				TTL:     time.Minute,
				ApexTTL: time.Hour,
				TXT:     []string{"tracking zone", `second "text" with \ in it`},
			},
			Limit: RateLimit{Rate: DefaultRate},
		}},
		Journal: &Journal{Dir: "var"},
	}
	for _, change := range changes {
		change(c)
	}
	return c
}

// listenAt returns addresses with free ports.
func listenAt(addresses ...string) (list []netip.AddrPort) {
	for _, a := range addresses {
		list = append(list, netip.AddrPortFrom(netip.MustParseAddr(a), 0))
	}
	return list
}

// freePort is an address for an HTTP server.
var freePort = netip.MustParseAddrPort("127.0.0.1:0")

// listening has the first block at other addresses.
func listening(addresses ...string) change {
	return func(c *Config) { c.Blocks[0].Listen = listenAt(addresses...) }
}

// trackBlock is a block with tracking zones for which little is said.
func trackBlock(zones ...dnsname.Name) Block {
	b := Block{Zones: zones, Listen: listenAt("127.0.0.1"), Track: DefaultTrack(), Limit: RateLimit{Rate: DefaultRate}}
	b.Track.Nameservers = []dnsname.Name{"ns1.example.org"}
	return b
}

func writeFile(t testing.TB, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// testServer is a running server that records into memory.
type testServer struct {
	*Server
	recorder *memory
	log      *logBuffer
}

// logBuffer is a log for tests.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func startServer(t testing.TB, config *Config, o Options) *testServer {
	t.Helper()
	withoutIPv6(config)
	ts := &testServer{recorder: new(memory), log: new(logBuffer)}
	o.Logger = zerolog.New(ts.log)
	o.OpenJournal = func(*Journal, int, zerolog.Logger) (Recorder, error) { return ts.recorder, nil }
	s, err := Start(config, o)
	if err != nil {
		t.Fatal(err)
	}
	ts.Server = s
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Log(ts.log.String())
		}
	})
	return ts
}

// withoutIPv6 leaves out addresses that this machine does not have.
func withoutIPv6(c *Config) {
	if probeUDP(netip.MustParseAddrPort("[::1]:0")) == nil {
		return
	}
	for i := range c.Blocks {
		b := &c.Blocks[i]
		b.Listen = slices.DeleteFunc(b.Listen, func(at netip.AddrPort) bool { return at.Addr().Is6() })
	}
}

// reload reloads with another configuration.
func (ts *testServer) reload(t testing.TB, c *Config) error {
	t.Helper()
	withoutIPv6(c)
	return ts.Reload(func() (*Config, error) { return c, nil })
}

// address returns the first address of the family.
func (ts *testServer) address(t testing.TB, v6 bool) netip.AddrPort {
	t.Helper()
	for _, a := range ts.addresses() {
		if a.Addr().Is6() == v6 {
			return a
		}
	}
	if v6 {
		peers.Lack(t, "no IPv6: no address in %v", ts.addresses())
	}
	t.Fatalf("no address in %v", ts.addresses())
	return netip.AddrPort{}
}

// settled waits until every received message is answered or dropped, and
// returns the counts.
func (ts *testServer) settled(t testing.TB) Counts {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); ; {
		c := ts.Counts()
		if c.UDP.Received == c.UDP.Answered+c.UDP.Dropped && c.TCP.Received == c.TCP.Answered+c.TCP.Dropped {
			return c
		}
		if time.Now().After(deadline) {
			t.Fatalf("received is not answered plus dropped: %+v", c)
		}
		time.Sleep(time.Millisecond)
	}
}

// ask sends a message and returns the answer, both in wire format.
func ask(t testing.TB, network string, to netip.AddrPort, m []byte) []byte {
	t.Helper()
	conn, err := dns.DialTimeout(network, to.String(), 2*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.UDPSize = 65535
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write(m); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 65535)
	n, err := conn.Read(b)
	if err != nil {
		t.Fatalf("no answer: %v", err)
	}
	return b[:n]
}

// exchange asks a question and returns the answer.
func exchange(t testing.TB, network string, to netip.AddrPort, m *dns.Msg) *dns.Msg {
	t.Helper()
	b, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	answer := new(dns.Msg)
	raw := ask(t, network, to, b)
	if err := answer.Unpack(raw); err != nil {
		t.Fatalf("the answer % x cannot be read: %v", raw, err)
	}
	if answer.Id != m.Id || !answer.Response {
		t.Fatalf("not an answer to %d: %v", m.Id, answer)
	}
	if network == "udp" && len(raw) > maxUDPAnswer {
		t.Errorf("an answer of %d bytes over UDP", len(raw))
	}
	return answer
}

// addresses returns the addresses that are served over UDP and TCP, sorted.
func (s *Server) addresses() []netip.AddrPort { return slices.Clone(s.serving.Load().listen) }
