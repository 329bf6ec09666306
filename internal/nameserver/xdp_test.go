package nameserver

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/rs/zerolog"

	"nullspf/internal/peers"
)

// xdpTest is a server at one end of a wire, and clients at the other.
type xdpTest struct {
	*peers.Wire
	*testServer
}

// startXDP starts a server in a namespace of its own.
func startXDP(t *testing.T, config *Config) *xdpTest {
	t.Helper()
	peers.RequireRoot(t, "network namespaces and XDP")
	w, err := peers.NewWire()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	x := &xdpTest{Wire: w}
	_ = w.Server.Do(func() error {
		x.testServer = startServer(t, config, Options{})
		return nil
	})
	return x
}

// atWire has the first block at the addresses of a wire, with XDP.
func atWire(c *Config) {
	c.Blocks[0].Listen = []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:53"), netip.MustParseAddrPort("[2001:db8::1]:53")}
	c.Blocks[0].XDP = []XDP{{Position: "Corefile:3", Interface: "eth0"}}
}

// ask asks from the client's end and returns the answer.
func (x *xdpTest) ask(t *testing.T, at netip.AddrPort, m *dns.Msg) (answer *dns.Msg) {
	t.Helper()
	_ = x.Client.Do(func() error {
		answer = exchange(t, "udp", at, m)
		return nil
	})
	return answer
}

// Both families, answers of the fast and of the slow path, events, and the counts.
func TestXDPAnswers(t *testing.T) {
	t.Parallel()
	x := startXDP(t, testConfig(atWire))
	for i, at := range x.addresses() {
		m := new(dns.Msg)
		m.SetQuestion(exampleName, dns.TypeA)
		if answer := x.ask(t, at, m); answer.Rcode != dns.RcodeSuccess || !answer.Authoritative {
			t.Error(answer)
		}
		m.SetQuestion("example.", dns.TypeA)
		if answer := x.ask(t, at, m); answer.Rcode != dns.RcodeRefused {
			t.Error(answer)
		}
		m.Opcode = dns.OpcodeUpdate
		if answer := x.ask(t, at, m); answer.Rcode != dns.RcodeNotImplemented {
			t.Error(answer)
		}
		if c := x.settled(t); c.Beside != uint64(3*(i+1)) || c.UDP.Received != c.Beside || c.UDP.Answered != c.Beside || c.Tracked != uint64(i+1) {
			t.Errorf("%+v", c)
		}
	}
	events := x.recorder.take()
	if len(events) != 2 {
		t.Fatalf("%d events", len(events))
	}
	for i, want := range []string{"192.0.2.2", "2001:db8::2"} {
		if got := events[i].Resolver.Addr().String(); got != want || string(events[i].Name) == "" {
			t.Errorf("%s %q, want %s", got, events[i].Name, want)
		}
	}
}

// A reload changes addresses, takes XDP away and gives it back; queries are always
// answered, and no program is left in the end.
func TestXDPReload(t *testing.T) {
	t.Parallel()
	x := startXDP(t, testConfig(atWire))
	beside := uint64(0)
	check := func(what string, at string, isBeside bool) {
		t.Helper()
		m := new(dns.Msg)
		m.SetQuestion(exampleName, dns.TypeA)
		x.ask(t, netip.MustParseAddrPort(at), m)
		if isBeside {
			beside++
		}
		if got := x.settled(t).Beside; got != beside {
			t.Errorf("%s: %d beside, want %d", what, got, beside)
		}
	}
	reload := func(changes ...change) {
		t.Helper()
		err := x.Wire.Server.Do(func() error { return x.reload(t, testConfig(changes...)) })
		if err != nil {
			t.Fatal(err)
		}
	}
	check("start", "192.0.2.1:53", true)
	reload(atWire, func(c *Config) {
		c.Blocks[0].Listen = append(c.Blocks[0].Listen, netip.MustParseAddrPort("192.0.2.1:5300"))
	})
	check("same address", "192.0.2.1:53", true)
	check("new address", "192.0.2.1:5300", true)
	reload(atWire, func(c *Config) { c.Blocks[0].XDP = nil })
	check("without", "192.0.2.1:53", false)
	everywhere := func(c *Config) {
		c.Blocks[0].Listen = []netip.AddrPort{netip.MustParseAddrPort("0.0.0.0:5353")}
	}
	reload(atWire, everywhere)
	check("all addresses", "192.0.2.1:5353", true)
	bad := testConfig(atWire, everywhere, func(c *Config) { c.Blocks[0].XDP[0].Interface = "eth9" })
	err := x.Wire.Server.Do(func() error { return x.reload(t, bad) })
	if err == nil || !strings.Contains(err.Error(), "Corefile:3: xdp: eth9: there is no such interface") {
		t.Error(err)
	}
	check("after a bad reload", "192.0.2.1:5353", true)
}

// When the interface goes, nullspfd says so and goes on; a reload takes it again.
func TestXDPInterfaceGoes(t *testing.T) {
	t.Parallel()
	x := startXDP(t, testConfig(atWire, func(c *Config) {
		c.Blocks[0].Listen = []netip.AddrPort{netip.MustParseAddrPort("0.0.0.0:53")}
	}))
	if err := x.Wire.Server.IP("link del eth0"); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(5 * time.Second); !strings.Contains(x.log.String(), "sockets answer from now on"); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("not noticed")
		}
	}
	problems := func(want int) {
		t.Helper()
		p := x.Health().Problems
		if len(p) != want || want > 0 && !strings.HasPrefix(p[0], "xdp: eth0 is gone") {
			t.Errorf("problems %q", p)
		}
	}
	problems(1)
	reload := func() {
		t.Helper()
		err := x.Wire.Server.Do(func() error { return x.reload(t, testConfig(atWire, listening("0.0.0.0"), atPort53)) })
		if err != nil {
			t.Fatal(err)
		}
	}
	reload()
	if !strings.Contains(x.log.String(), "is not back") {
		t.Error("nothing is said of the missing interface")
	}
	problems(1)
	if err := x.Connect(); err != nil {
		t.Fatal(err)
	}
	reload()
	problems(0)
	m := new(dns.Msg)
	m.SetQuestion(exampleName, dns.TypeA)
	x.ask(t, netip.MustParseAddrPort("192.0.2.1:53"), m)
	if c := x.settled(t); c.Beside != 1 {
		t.Errorf("%+v", c)
	}
}

// atPort53 has the first block at port 53.
func atPort53(c *Config) {
	for i, at := range c.Blocks[0].Listen {
		c.Blocks[0].Listen[i] = netip.AddrPortFrom(at.Addr(), 53)
	}
}

// One interface serves one nullspfd.
func TestXDPTwice(t *testing.T) {
	t.Parallel()
	x := startXDP(t, testConfig(atWire))
	second := testConfig(atWire, func(c *Config) {
		c.Blocks[0].Listen = []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:5300")}
	})
	err := x.Wire.Server.Do(func() error {
		s, err := Start(second, Options{Logger: zerolog.Nop(), OpenJournal: func(*Journal, int, zerolog.Logger) (Recorder, error) { return new(memory), nil }})
		if err == nil {
			_ = s.Stop()
		}
		return err
	})
	if err == nil || !strings.Contains(err.Error(), "Corefile:3: xdp: eth0: another program is attached") {
		t.Error(err)
	}
}

// An address that is given by name goes before one that is meant by all addresses.
func TestXDPRoutes(t *testing.T) {
	one, all, six := new(listener), new(listener), new(listener)
	p := &xdpPlan{routes: []xdpRoute{
		{netip.MustParseAddrPort("0.0.0.0:53"), all}, {netip.MustParseAddrPort("[::]:53"), six},
		{netip.MustParseAddrPort("192.0.2.1:53"), one}, {netip.MustParseAddrPort("203.0.113.1:53"), one},
	}}
	p.expand([]netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.9"), netip.MustParseAddr("fe80::1%eth0")})
	want := []xdpRoute{
		{netip.MustParseAddrPort("192.0.2.1:53"), one}, {netip.MustParseAddrPort("192.0.2.9:53"), all},
		{netip.MustParseAddrPort("203.0.113.1:53"), one}, {netip.MustParseAddrPort("[fe80::1]:53"), six},
	}
	if !slices.Equal(p.routes, want) {
		t.Errorf("%v", p.routes)
	}
}
