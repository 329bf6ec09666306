package nameserver

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/miekg/dns"
	"golang.org/x/sys/unix"

	"nullspf/internal/testsite"
	"nullspf/internal/torture"
	"nullspf/zones"
)

// everythingAt serves whatever there is at the addresses of a wire and a port: a
// tracking zone, parked zones, and secondary zones, of which one was never
// transferred; at the next port a tracking zone with a rate limit.
func everythingAt(port uint16, parkedDir, store string, primary netip.AddrPort) *Config {
	return testConfig(atWire, parked(parkedDir), secondaryOf(store, []string{primary.String()}, "second.example", "missing.example"), unlimited, func(c *Config) {
		c.Cookies.Secrets = []Secret{{1, 2, 3}}
		// The apex has more than an answer over UDP holds.
		for range 8 {
			c.Blocks[0].Track.TXT = append(c.Blocks[0].Track.TXT, string(bytes.Repeat([]byte("long "), 25)))
		}
		c.Blocks[1].Secondary = true
		few := trackBlock("few.example")
		few.Limit.Rate, few.XDP = 1, c.Blocks[0].XDP
		c.Blocks = append(c.Blocks, few)
		for i, at := range []uint16{port, port, port + 1} {
			c.Blocks[i].Listen = []netip.AddrPort{
				netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), at), netip.AddrPortFrom(netip.MustParseAddr("2001:db8::1"), at),
			}
		}
	})
}

// TestXDPLikeSockets asks a server with XDP and one without the same queries, over
// IPv4 and IPv6: answers, events and counts are the same.
func TestXDPLikeSockets(t *testing.T) {
	t.Parallel()
	r := torture.Start(t, 0)
	site, g, _ := parkedSite(t)
	second := &testsite.Site{Dir: t.TempDir(), Now: site.Now, Lists: map[*zones.Group]string{g: "domain\nsecond.example\n"}}
	if err := second.Build(t.Context()); err != nil {
		t.Fatal(err)
	}
	primary := startServer(t, parkedConfig(second, func(c *Config) {
		c.Transfer = &Transfer{To: []TransferRule{{Prefixes: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}}}}
	}), Options{}).address(t, false)
	beside := startXDP(t, everythingAt(53, site.Output(), t.TempDir(), primary))
	var sockets *testServer
	_ = beside.Wire.Server.Do(func() error {
		c := everythingAt(5300, site.Output(), t.TempDir(), primary)
		for i := range c.Blocks {
			c.Blocks[i].XDP = nil
		}
		sockets = startServer(t, c, Options{})
		return nil
	})
	both := []*testServer{beside.testServer, sockets}
	ask := func(network string, at netip.AddrPort, m *dns.Msg) (answer *dns.Msg) {
		t.Helper()
		_ = beside.Client.Do(func() error {
			answer = exchange(t, network, at, m)
			return nil
		})
		return answer
	}
	for _, s := range both {
		await(t, "the zone is transferred", func() bool {
			return ask("tcp", s.address(t, false), new(dns.Msg).SetQuestion("second.example.", dns.TypeSOA)).Rcode == dns.RcodeSuccess
		})
	}
	for received := uint64(0); r.More(1); {
		const queries = 1500
		for _, v6 := range []bool{false, true} {
			messages := make([][]byte, queries)
			for i := range messages {
				messages[i] = anyMessage(t, r.Rand, uint16(i))
			}
			var answers [2][][]byte
			for i, s := range both {
				err := beside.Client.Do(func() (err error) {
					answers[i], err = collect(s.address(t, v6), messages)
					return err
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			for i, m := range messages {
				if a, b := withoutCookie(t, answers[0][i]), withoutCookie(t, answers[1][i]); a != b {
					t.Fatalf("question % x\nbeside the kernel %s\nover sockets %s", m, a, b)
				}
			}
			a, b := eventLines(beside.recorder.take()), eventLines(sockets.recorder.take())
			if !slices.Equal(a, b) || len(a) < queries/4 {
				t.Fatalf("%d events beside the kernel, %d over sockets:\n%.2000v\n%.2000v", len(a), len(b), a, b)
			}
			received += queries
			c, other := beside.settled(t), sockets.settled(t)
			// One of 65536 right checksums is the sum of the pseudo header, and is left to
			// the kernel.
			if c.Beside < received-2-received/10_000 || c.UDP != other.UDP || c.Tracked != other.Tracked || c.SendErrors+c.SocketDrops > 0 {
				t.Fatalf("beside the kernel %+v\nover sockets %+v", c, other)
			}
		}
		r.Count("queries over sockets and beside the kernel", 2*queries)
	}
	// What exceeds the rate limit gets TC, except with a cookie.
	for i, s := range both {
		for _, v6 := range []bool{false, true} {
			at := s.address(t, v6)
			at = netip.AddrPortFrom(at.Addr(), at.Port()+1)
			before := s.settled(t)
			m := new(dns.Msg).SetQuestion("x.FD.1.few.example.", dns.TypeA)
			m.SetEdns0(1232, false)
			m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: "0102030405060708"}}
			first := ask("udp", at, m)
			if first.Truncated || !first.Authoritative {
				t.Errorf("server %d, first answer: %v", i, first)
			}
			await(t, "an answer exceeds the limit", func() bool {
				answer := ask("udp", at, m)
				return answer.Truncated && len(answer.Ns) == 0
			})
			m.IsEdns0().Option = first.IsEdns0().Option
			for range 3 {
				if answer := ask("udp", at, m); answer.Truncated {
					t.Errorf("server %d, with a cookie: %v", i, answer)
				}
			}
			after := s.settled(t)
			if got := after.UDP.outcomes[limited] - before.UDP.outcomes[limited]; got != 1 {
				t.Errorf("server %d: %d limited", i, got)
			}
			if got, want := after.Beside-before.Beside, after.UDP.Received-before.UDP.Received; i == 0 && got != want {
				t.Errorf("%d of %d beside the kernel", got, want)
			}
		}
	}
}

// anyMessage makes a query of any kind, or something like one.
func anyMessage(t testing.TB, random *rand.Rand, id uint16) []byte {
	m := new(dns.Msg)
	names := []string{
		exampleName, fmt.Sprintf("%d.0.2.7.in-addr.CL.Shop%d.example.FD.1._SPF.example.net.", random.IntN(256), random.IntN(1e6)),
		fmt.Sprintf("l%d.SL.example.com.2._spf.example.net.", random.IntN(1e6)),
		"_spf.example.net.", "ns2._spf.example.net.", "example.org.", ".",
	}
	if random.IntN(4) == 0 {
		names = []string{
			"Brand.example.", "www.brand.example.", "x._dmarc.other.example.", "second.example.", fmt.Sprintf("l%d.Second.example.", random.IntN(1e6)),
			"_dmarc.second.example.", "a.b._domainkey.second.example.", "missing.example.", "x.missing.example.",
		}
	}
	m.SetQuestion(names[random.IntN(len(names))], []uint16{dns.TypeA, dns.TypeTXT, dns.TypeAAAA, dns.TypeNS, dns.TypeMX, dns.TypeANY, dns.TypeSOA, dns.TypeAXFR}[random.IntN(8)])
	m.Id, m.RecursionDesired, m.CheckingDisabled = id, random.IntN(2) == 0, random.IntN(2) == 0
	if random.IntN(20) == 0 {
		m.Opcode = random.IntN(16)
	}
	if random.IntN(2) == 0 {
		m.SetEdns0([]uint16{512, 1232, 4096}[random.IntN(3)], random.IntN(2) == 0)
		if random.IntN(2) == 0 {
			m.IsEdns0().Option = append(m.IsEdns0().Option, &dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: fmt.Sprintf("%016x", random.Uint64())})
		}
		if random.IntN(2) == 0 {
			m.IsEdns0().Option = append(m.IsEdns0().Option, &dns.EDNS0_SUBNET{Code: dns.EDNS0SUBNET, Family: 1, SourceNetmask: 24, Address: net.IPv4(198, 51, byte(random.IntN(256)), 0)})
		}
	}
	b, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	switch random.IntN(20) {
	case 0:
		b = b[:2+random.IntN(len(b)-1)]
	case 1:
		b[2+random.IntN(len(b)-2)] ^= 1 << random.IntN(8)
	case 2:
		b = append(b, make([]byte, random.IntN(maxUDPAnswer-len(b)))...)
	}
	return b
}

// collect sends messages, each with its index as ID, and returns what is answered
// to each; nil is nothing.
func collect(at netip.AddrPort, messages [][]byte) ([][]byte, error) {
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(at))
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	answers := make([][]byte, len(messages))
	buf := make([]byte, 65535)
	const window = 50
	for first := 0; first < len(messages); first += window {
		batch := messages[first:min(first+window, len(messages))]
		missing := 0
		for _, m := range batch {
			if len(m) >= headerSize && m[2]&flagQR == 0 {
				missing++
			}
			if _, err := conn.Write(m); err != nil {
				return nil, err
			}
		}
		for missing > 0 {
			if err := conn.SetReadDeadline(time.Now().Add(2 * time.Second)); err != nil {
				return nil, err
			}
			n, err := conn.Read(buf)
			if errors.Is(err, os.ErrDeadlineExceeded) {
				break // the comparison shows which
			}
			if err != nil {
				return nil, err
			}
			i := int(binary.BigEndian.Uint16(buf))
			if i >= len(answers) || answers[i] != nil {
				return nil, fmt.Errorf("an answer that was not asked for, or a second one: % x", buf[:n])
			}
			answers[i] = bytes.Clone(buf[:n])
			missing--
		}
	}
	return answers, nil
}

// withoutCookie is an answer without the server cookie, which has the time in it.
func withoutCookie(t testing.TB, b []byte) string {
	if b == nil {
		return "nothing"
	}
	m := new(dns.Msg)
	if err := m.Unpack(b); err != nil {
		t.Fatalf("% x: %v", b, err)
	}
	if opt := m.IsEdns0(); opt != nil {
		for _, o := range opt.Option {
			if c, ok := o.(*dns.EDNS0_COOKIE); ok && len(c.Cookie) == 2*cookieSize {
				c.Cookie = c.Cookie[:16]
			}
		}
	}
	return fmt.Sprintf("%d bytes\n%v", len(b), m)
}

// eventLines are events without time and port, sorted.
func eventLines(events []event) (lines []string) {
	for _, e := range events {
		lines = append(lines, fmt.Sprintf("%q %d %d %v %v %v", e.Name, e.Qtype, e.Transport, e.Verified, e.Resolver.Addr(), e.ECS))
	}
	slices.Sort(lines)
	return lines
}

// A damaged frame is counted and not answered; what the kernel is to see it sees, and
// answers go to the station and the VLAN from which queries came.
func TestXDPFrames(t *testing.T) {
	t.Parallel()
	x := startXDP(t, testConfig(atWire, func(c *Config) { c.Blocks[0].XDP[0].VLANs = []uint16{7} }))
	var server net.HardwareAddr
	err := x.Wire.Server.Do(func() error {
		i, err := net.InterfaceByName("eth0")
		server = i.HardwareAddr
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	const all = unix.ETH_P_ALL<<8&0xff00 | unix.ETH_P_ALL>>8
	var socket int
	err = x.Client.Do(func() error {
		i, err := net.InterfaceByName("eth0")
		if err != nil {
			return err
		}
		if socket, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, all); err != nil {
			return err
		}
		return cmp.Or(
			unix.SetsockoptTimeval(socket, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 5}),
			unix.Bind(socket, &unix.SockaddrLinklayer{Protocol: all, Ifindex: i.Index}))
	})
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(socket)
	station := net.HardwareAddr{2, 0, 0, 0, 0, 9}
	m := new(dns.Msg)
	m.SetQuestion(exampleName, dns.TypeA)
	write := func(tag uint16, change func(ip *layers.IPv4, udp *layers.UDP), damage func(frame []byte) []byte) {
		t.Helper()
		m.Id++
		payload, err := m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		ethernet := &layers.Ethernet{SrcMAC: station, DstMAC: server, EthernetType: layers.EthernetTypeIPv4}
		ip := &layers.IPv4{Version: 4, IHL: 5, TTL: 64, Protocol: layers.IPProtocolUDP, SrcIP: net.IPv4(198, 51, 100, 7), DstIP: net.IPv4(192, 0, 2, 1)}
		udp := &layers.UDP{SrcPort: 4242, DstPort: 53}
		_ = udp.SetNetworkLayerForChecksum(ip)
		if change != nil {
			change(ip, udp)
		}
		list := []gopacket.SerializableLayer{ethernet, ip, udp, gopacket.Payload(payload)}
		if tag != 0 {
			ethernet.EthernetType = layers.EthernetTypeDot1Q
			list = slices.Insert(list, 1, gopacket.SerializableLayer(&layers.Dot1Q{VLANIdentifier: tag, Type: layers.EthernetTypeIPv4}))
		}
		b := gopacket.NewSerializeBuffer()
		if err := gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, list...); err != nil {
			t.Fatal(err)
		}
		frame := b.Bytes()
		if damage != nil {
			frame = damage(frame)
		}
		if _, err := unix.Write(socket, frame); err != nil {
			t.Fatal(err)
		}
	}
	// send sends the query from another station than the one that the kernel knows,
	// then a good one, and reports whether the first is answered there before that.
	send := func(tag uint16, change func(ip *layers.IPv4, udp *layers.UDP), damage func(frame []byte) []byte) (answered bool) {
		t.Helper()
		write(tag, change, damage)
		first := binary.BigEndian.AppendUint16(nil, m.Id)
		write(0, nil, nil)
		second := binary.BigEndian.AppendUint16(nil, m.Id)
		buf := make([]byte, 2000)
		for {
			n, err := unix.Read(socket, buf)
			if err != nil {
				t.Fatal(err)
			}
			if got := buf[:n]; !bytes.Equal(got[:6], station) || !bytes.Equal(got[6:12], server) {
				continue
			}
			switch id := buf[14+20+8:][:2]; {
			case bytes.Equal(id, first):
				answered = true
			case bytes.Equal(id, second):
				return answered
			}
		}
	}
	for name, c := range map[string]struct {
		tag             uint16
		change          func(ip *layers.IPv4, udp *layers.UDP)
		damage          func(frame []byte) []byte
		answered        bool
		beside, damaged uint64
	}{
		"good":           {answered: true, beside: 1},
		"vlan":           {tag: 7, answered: true, beside: 1},
		"other vlan":     {tag: 8},
		"wrong checksum": {damage: func(b []byte) []byte { b[len(b)-1] ^= 1; return b }, beside: 1, damaged: 1},
		"wrong length":   {damage: func(b []byte) []byte { b[14+20+5]++; return b }, beside: 1, damaged: 1},
		"short":          {damage: func(b []byte) []byte { return b[:60] }, beside: 1, damaged: 1},
		"first fragment": {change: func(ip *layers.IPv4, _ *layers.UDP) { ip.Flags = layers.IPv4MoreFragments }},
		"other port":     {change: func(_ *layers.IPv4, udp *layers.UDP) { udp.DstPort = 54 }},
		"own address":    {change: func(ip *layers.IPv4, _ *layers.UDP) { ip.SrcIP = net.IPv4(192, 0, 2, 1) }},
		"source port 0":  {change: func(_ *layers.IPv4, udp *layers.UDP) { udp.SrcPort = 0 }, beside: 1},
	} {
		before := x.Counts()
		if got := send(c.tag, c.change, c.damage); got != c.answered {
			t.Errorf("%s: answered %v", name, got)
		}
		after := x.settled(t)
		if after.Beside-before.Beside != c.beside+1 || after.UDP.outcomes[dropFrame]-before.UDP.outcomes[dropFrame] != c.damaged {
			t.Errorf("%s: from %+v to %+v", name, before, after)
		}
	}
}
