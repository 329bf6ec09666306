package xdp

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket/layers"
	"golang.org/x/sys/unix"

	"nullspf/internal/peers"
)

// wire is a wire whose stations have the hardware addresses of the test frames.
type wire struct {
	*peers.Wire
	// socket sends and receives frames at the client's end.
	socket int
}

func newWire(t testing.TB) *wire {
	t.Helper()
	peers.RequireRoot(t, "network namespaces and XDP")
	w, err := peers.NewWire()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	x := &wire{Wire: w}
	for _, end := range []struct {
		*peers.Netns
		station []byte
	}{{w.Server, stationA}, {w.Client, stationB}} {
		if err := end.IP("link set eth0 address " + net.HardwareAddr(end.station).String()); err != nil {
			t.Fatal(err)
		}
	}
	err = w.Client.Do(func() error {
		const all = unix.ETH_P_ALL<<8&0xff00 | unix.ETH_P_ALL>>8
		i, err := net.InterfaceByName("eth0")
		if err != nil {
			return err
		}
		if x.socket, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, all); err != nil {
			return err
		}
		if err := unix.SetsockoptTimeval(x.socket, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 5}); err != nil {
			return err
		}
		return unix.Bind(x.socket, &unix.SockaddrLinklayer{Protocol: all, Ifindex: i.Index})
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(x.socket) })
	return x
}

func (w *wire) send(t testing.TB, frame []byte) {
	t.Helper()
	if _, err := unix.Write(w.socket, frame); err != nil {
		t.Fatal(err)
	}
}

// open opens the device of the server's end.
func (w *wire) open(t testing.TB, f *Filter) *Device {
	t.Helper()
	var d *Device
	err := w.Server.Do(func() (err error) {
		d, err = Open("eth0", f)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// attached reports whether there is a program at the server's end.
func (w *wire) attached(t testing.TB) bool {
	t.Helper()
	text, err := w.Server.Output("ip", "-d", "link", "show", "dev", "eth0")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Contains(text, "prog/xdp")
}

// next waits for a message.
func next(t testing.TB, q *Queue, m *Message, patience time.Duration) bool {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if n := q.Receive(); n > 0 {
			if n > 1 {
				t.Errorf("%d messages", n)
			}
			return q.Message(0, m)
		}
	}
	return false
}

// TestProgram sends frames and looks which of them come beside the kernel.
func TestProgram(t *testing.T) {
	t.Parallel()
	w := newWire(t)
	d := w.open(t, &Filter{
		Local: []netip.AddrPort{
			netip.MustParseAddrPort("192.0.2.1:53"), netip.MustParseAddrPort("192.0.2.1:5300"), netip.MustParseAddrPort("192.0.2.3:53"),
			netip.MustParseAddrPort("[2001:db8::1]:53"), netip.MustParseAddrPort("[2001:db8::1]:5300"), netip.MustParseAddrPort("[2001:db8::1:0:0:1]:53"),
		},
		VLANs: []uint16{7, 4094},
		Kernel: []netip.Prefix{
			netip.MustParsePrefix("192.0.2.1/32"), netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("172.16.128.0/17"),
			netip.MustParsePrefix("2001:db8::1/128"), netip.MustParsePrefix("2001:db8:1::/48"), netip.MustParsePrefix("2001:db8:2::/64"),
			netip.MustParsePrefix("2001:db8:3:0:8000::/65"), netip.MustParsePrefix("8000::/1"),
		},
	})
	defer d.Close()
	if d.Generic || len(d.Queues) != 1 {
		t.Errorf("%+v", d)
	}
	q := d.Queues[0]
	const to4, to6 = "192.0.2.1:53", "[2001:db8::1]:53"
	from4, from6 := "192.0.2.7:4242", "[2001:db8::7]:4242"
	const taken, left = true, false
	// A frame that is always taken ends each wait.
	marker := packet{from: "192.0.2.9:9", to: to4, message: "marker"}
	var m Message
	w.send(t, marker.frame(t))
	if next(t, q, &m, 50*time.Millisecond) {
		t.Fatal("taken before Begin")
	}
	if err := d.Begin(); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		packet packet
		frame  func(b []byte) []byte
		want   bool
	}{
		"ipv4":                  {packet{from: from4, to: to4}, nil, taken},
		"ipv4 second port":      {packet{from: from4, to: "192.0.2.1:5300"}, nil, taken},
		"ipv4 second address":   {packet{from: from4, to: "192.0.2.3:53"}, nil, taken},
		"ipv4 port of another":  {packet{from: from4, to: "192.0.2.3:5300"}, nil, left},
		"ipv4 other port":       {packet{from: from4, to: "192.0.2.1:54"}, nil, left},
		"ipv4 other address":    {packet{from: from4, to: "192.0.2.2:53"}, nil, left},
		"ipv4 vlan":             {packet{from: from4, to: to4, tag: 7}, nil, taken},
		"ipv4 last vlan":        {packet{from: from4, to: to4, tag: 4094}, nil, taken},
		"ipv4 other vlan":       {packet{from: from4, to: to4, tag: 8}, nil, left},
		"ipv4 padded":           {packet{from: from4, to: to4, padding: 30}, nil, taken},
		"ipv4 port 0":           {packet{from: "192.0.2.7:0", to: to4}, nil, taken},
		"ipv4 this network":     {packet{from: "0.0.0.0:4242", to: to4}, nil, left},
		"ipv4 loopback":         {packet{from: "127.8.0.1:4242", to: to4}, nil, left},
		"ipv4 multicast":        {packet{from: "224.0.0.1:4242", to: to4}, nil, left},
		"ipv4 broadcast":        {packet{from: "255.255.255.255:4242", to: to4}, nil, left},
		"ipv4 own":              {packet{from: "192.0.2.1:4242", to: to4}, nil, left},
		"ipv4 elsewhere":        {packet{from: "10.255.0.1:4242", to: to4}, nil, left},
		"ipv4 elsewhere 17":     {packet{from: "172.16.128.1:4242", to: to4}, nil, left},
		"ipv4 beside elsewhere": {packet{from: "172.16.127.1:4242", to: to4}, nil, taken},
		"ipv4 options": {packet{from: from4, to: to4, change: func(ip *layers.IPv4, _ *layers.IPv6, _ *layers.UDP) {
			ip.Options = []layers.IPv4Option{{OptionType: 1}}
		}}, nil, left},
		"ipv4 first fragment":    {packet{from: from4, to: to4, change: func(ip *layers.IPv4, _ *layers.IPv6, _ *layers.UDP) { ip.Flags = layers.IPv4MoreFragments }}, nil, left},
		"ipv4 don't fragment":    {packet{from: from4, to: to4, change: func(ip *layers.IPv4, _ *layers.IPv6, _ *layers.UDP) { ip.Flags = layers.IPv4DontFragment }}, nil, taken},
		"ipv4 evil":              {packet{from: from4, to: to4, change: func(ip *layers.IPv4, _ *layers.IPv6, _ *layers.UDP) { ip.Flags = layers.IPv4EvilBit }}, nil, left},
		"ipv4 second fragment":   {packet{from: from4, to: to4, change: func(ip *layers.IPv4, _ *layers.IPv6, _ *layers.UDP) { ip.FragOffset = 1 }}, nil, left},
		"ipv4 tcp":               {packet{from: from4, to: to4, change: func(ip *layers.IPv4, _ *layers.IPv6, _ *layers.UDP) { ip.Protocol = layers.IPProtocolTCP }}, nil, left},
		"ipv4 largest":           {packet{from: from4, to: to4, message: strings.Repeat("x", MaxMessage)}, nil, taken},
		"ipv4 too large":         {packet{from: from4, to: to4, message: strings.Repeat("x", MaxMessage+60)}, nil, left},
		"ipv4 other station":     {packet{from: from4, to: to4}, func(b []byte) []byte { b[5] ^= 1; return b }, left},
		"ipv4 other station 2":   {packet{from: from4, to: to4}, func(b []byte) []byte { b[1] ^= 1; return b }, left},
		"ipv4 broadcast station": {packet{from: from4, to: to4}, func(b []byte) []byte { copy(b, bytes.Repeat([]byte{255}, 6)); return b }, left},
		"ipv4 from a group":      {packet{from: from4, to: to4}, func(b []byte) []byte { b[6] |= 1; return b }, left},
		"ipv4 short":             {packet{from: from4, to: to4}, func(b []byte) []byte { return b[:41] }, left},
		"ipv4 ethernet only":     {packet{from: from4, to: to4}, func(b []byte) []byte { return b[:14] }, left},
		"ipv4 stacked tags":      {packet{from: from4, to: to4, tag: 7}, func(b []byte) []byte { return append(append(bytes.Clone(b[:16]), 0x81, 0, 0, 7), b[16:]...) }, left},
		"ipv4 offloaded":         {packet{from: from4, to: to4, message: strings.Repeat("x", 40)}, offload4, left},
		"ipv6":                   {packet{from: from6, to: to6}, nil, taken},
		"ipv6 second port":       {packet{from: from6, to: "[2001:db8::1]:5300"}, nil, taken},
		"ipv6 second address":    {packet{from: from6, to: "[2001:db8::1:0:0:1]:53"}, nil, taken},
		"ipv6 other address":     {packet{from: from6, to: "[2001:db8::2]:53"}, nil, left},
		"ipv6 other network":     {packet{from: from6, to: "[2001:db9::1]:53"}, nil, left},
		"ipv6 other port":        {packet{from: from6, to: "[2001:db8::1]:54"}, nil, left},
		"ipv6 vlan":              {packet{from: from6, to: to6, tag: 7}, nil, taken},
		"ipv6 other vlan":        {packet{from: from6, to: to6, tag: 9}, nil, left},
		"ipv6 unspecified":       {packet{from: "[::]:4242", to: to6}, nil, left},
		"ipv6 loopback":          {packet{from: "[::1]:4242", to: to6}, nil, left},
		"ipv6 multicast":         {packet{from: "[ff02::1]:4242", to: to6}, nil, left},
		"ipv6 mapped":            {packet{from: "[::ffff:192.0.2.7]:4242", to: to6}, nil, left},
		"ipv6 own":               {packet{from: "[2001:db8::1]:4242", to: to6}, nil, left},
		"ipv6 elsewhere 48":      {packet{from: "[2001:db8:1:2::3]:4242", to: to6}, nil, left},
		"ipv6 elsewhere 64":      {packet{from: "[2001:db8:2::3]:4242", to: to6}, nil, left},
		"ipv6 beside 64":         {packet{from: "[2001:db8:2:1::3]:4242", to: to6}, nil, taken},
		"ipv6 elsewhere 65":      {packet{from: "[2001:db8:3:0:8000::1]:4242", to: to6}, nil, left},
		"ipv6 beside 65":         {packet{from: "[2001:db8:3::1]:4242", to: to6}, nil, taken},
		"ipv6 elsewhere 1":       {packet{from: "[c000::1]:4242", to: to6}, nil, left},
		"ipv6 extension":         {packet{from: from6, to: to6, change: func(_ *layers.IPv4, ip *layers.IPv6, _ *layers.UDP) { ip.NextHeader = layers.IPProtocolIPv6Destination }}, nil, left},
		"ipv6 fragment":          {packet{from: from6, to: to6, change: func(_ *layers.IPv4, ip *layers.IPv6, _ *layers.UDP) { ip.NextHeader = layers.IPProtocolIPv6Fragment }}, nil, left},
		"ipv6 short":             {packet{from: from6, to: to6}, func(b []byte) []byte { return b[:61] }, left},
		"ipv6 offloaded":         {packet{from: from6, to: to6, message: strings.Repeat("x", 40)}, offload6, left},
		"arp":                    {packet{from: from4, to: to4}, func(b []byte) []byte { b[13] = 6; return b }, left},
	} {
		frame := c.packet.frame(t)
		if c.frame != nil {
			frame = c.frame(frame)
		}
		w.send(t, frame)
		w.send(t, marker.frame(t))
		got := false
		for seen := false; !seen; {
			n := q.Receive()
			if n == 0 {
				if _, err := q.Wait(); err != nil {
					t.Fatal(err)
				}
			}
			for i := range n {
				ok := q.Message(i, &m)
				if seen = ok && m.Source.String() == marker.from; !seen {
					got = true
					if !ok || m.Source.String() != c.packet.from || m.Local.String() != c.packet.to {
						t.Errorf("%s: %v from %v to %v", name, ok, m.Source, m.Local)
					}
				}
			}
			if err := q.Flush(); err != nil {
				t.Error(err)
			}
		}
		if got != c.want {
			t.Errorf("%s: taken %v, want %v", name, got, c.want)
		}
	}
}

// offload4 and offload6 leave the checksum as the kernel leaves it to hardware.
func offload4(b []byte) []byte { return offload(b, 14+12, 8) }
func offload6(b []byte) []byte { return offload(b, 14+8, 32) }

func offload(b []byte, addresses, size int) []byte {
	udp := addresses + size
	s := fold(sum(upperLayer(len(b)-udp), b[addresses:udp]))
	b[udp+6], b[udp+7] = byte(s), byte(s>>8)
	return b
}

// Answers arrive as they were made.
func TestReplies(t *testing.T) {
	t.Parallel()
	w := newWire(t)
	f := &Filter{VLANs: []uint16{7, 4094}}
	for _, p := range goodPackets {
		f.Local = append(f.Local, netip.MustParseAddrPort(p.to))
	}
	d := w.open(t, f)
	defer d.Close()
	if err := d.Begin(); err != nil {
		t.Fatal(err)
	}
	q := d.Queues[0]
	for name, p := range goodPackets {
		w.send(t, p.frame(t))
		var m Message
		if !next(t, q, &m, time.Second) {
			t.Errorf("%s does not arrive", name)
			continue
		}
		answer := "the answer to " + string(m.Buffer[:m.Size])
		copy(m.Buffer, answer)
		q.Reply(0, len(answer))
		if err := q.Flush(); err != nil {
			t.Error(err)
		}
		b := make([]byte, 2000)
		for {
			n, err := unix.Read(w.socket, b)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if bytes.Equal(b[6:12], stationA) && bytes.Contains(b[:n], []byte(answer)) {
				p.tag = 0 // packet(7) shows tags elsewhere
				checkReply(t, p, b[:n], answer)
				break
			}
		}
	}
}

// More messages than there are frames go through the rings, none is lost.
func TestRingsGoRound(t *testing.T) {
	t.Parallel()
	w := newWire(t)
	p := goodPackets["ipv4"]
	d := w.open(t, &Filter{Local: []netip.AddrPort{netip.MustParseAddrPort(p.to)}})
	defer d.Close()
	if err := d.Begin(); err != nil {
		t.Fatal(err)
	}
	q, frame := d.Queues[0], p.frame(t)
	var m Message
	for round := range 3 * frames / 32 {
		for range 32 {
			w.send(t, frame)
		}
		for got := 0; got < 32; {
			n := q.Receive()
			if n == 0 {
				if _, err := q.Wait(); err != nil {
					t.Fatal(err)
				}
			}
			for i := range n {
				if !q.Message(i, &m) || string(m.Buffer[:m.Size]) != p.message {
					t.Fatalf("round %d: %q", round, m.Buffer[:m.Size])
				}
				if round%3 > 0 {
					q.Reply(i, m.Size)
				}
			}
			got += n
			if err := q.Flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if q.Dropped() != 0 {
		t.Errorf("%d dropped", q.Dropped())
	}
}

// An interface has one program, which goes with the device.
func TestOneProgram(t *testing.T) {
	t.Parallel()
	w := newWire(t)
	f := &Filter{Local: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:53")}}
	d := w.open(t, f)
	if !w.attached(t) {
		t.Error("no program")
	}
	err := w.Server.Do(func() error {
		second, err := Open("eth0", f)
		if err == nil {
			return errors.Join(errors.New("two programs"), second.Close())
		}
		if !errors.Is(err, errBusy) {
			return err
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if !w.attached(t) {
		t.Error("the second one took the program away")
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	if w.attached(t) {
		t.Error("the program stays")
	}
	if err := w.open(t, f).Close(); err != nil {
		t.Error(err)
	}
}

// Waiting ends with the device, and with the interface.
func TestEnds(t *testing.T) {
	t.Parallel()
	w := newWire(t)
	f := &Filter{Local: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:53")}}
	d := w.open(t, f)
	d.End()
	if ended, err := d.Queues[0].Wait(); !ended || err != nil {
		t.Error(ended, err)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	d = w.open(t, f)
	if err := d.Begin(); err != nil {
		t.Fatal(err)
	}
	if err := w.Server.IP("link del eth0"); err != nil {
		t.Fatal(err)
	}
	for begin := time.Now(); ; {
		ended, err := d.Queues[0].Wait()
		if errors.Is(err, ErrGone) {
			break
		}
		if ended || err != nil || time.Since(begin) > 5*time.Second {
			t.Fatal(ended, err)
		}
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

// What cannot be served is refused with a reason.
func TestRefusals(t *testing.T) {
	t.Parallel()
	w := newWire(t)
	if err := w.Server.IP("link add small type veth peer name other mtu 1200", "link set small mtu 1200"); err != nil {
		t.Fatal(err)
	}
	many := new(Filter)
	for i := range MaxLocal + 1 {
		many.Local = append(many.Local, netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, byte(i >> 8), byte(i)}), 53))
	}
	for name, want := range map[string]string{"lo": "not an Ethernet interface", "none": "no such interface", "small": "MTU is 1200", "eth0": "more than 256 addresses"} {
		err := w.Server.Do(func() error {
			d, err := Open(name, many)
			if err == nil {
				_ = d.Close()
			}
			return err
		})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if w.attached(t) {
		t.Error("a program is left")
	}
	// As many as there may be.
	full := &Filter{Local: many.Local[1:]}
	for i := range MaxKernel {
		full.Kernel = append(full.Kernel, netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 1, byte(i >> 8), byte(i)}), 100))
	}
	if err := w.open(t, full).Close(); err != nil {
		t.Error(err)
	}
}

// Where the driver does not run programs, the kernel does.
func TestGenericMode(t *testing.T) {
	t.Parallel()
	w := newWire(t)
	if err := w.Server.IP("link add eth1 link eth0 type macvlan mode bridge", "link set eth1 address 02:00:00:00:00:05", "link set eth1 up"); err != nil {
		t.Fatal(err)
	}
	p := goodPackets["ipv6"]
	var d *Device
	err := w.Server.Do(func() (err error) {
		d, err = Open("eth1", &Filter{Local: []netip.AddrPort{netip.MustParseAddrPort(p.to)}})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if !d.Generic || d.ZeroCopy {
		t.Errorf("%+v", d)
	}
	if err := d.Begin(); err != nil {
		t.Fatal(err)
	}
	frame := p.frame(t)
	frame[5] = 5
	w.send(t, frame)
	var m Message
	if !next(t, d.Queues[0], &m, 5*time.Second) || string(m.Buffer[:m.Size]) != p.message || m.Source.String() != p.from {
		t.Fatalf("%q from %v", m.Buffer, m.Source)
	}
	copy(m.Buffer, "answer")
	d.Queues[0].Reply(0, len("answer"))
	if err := d.Queues[0].Flush(); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 2000)
	for {
		n, err := unix.Read(w.socket, b)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Equal(b[:6], stationB) && b[11] == 5 && bytes.HasSuffix(b[:n], []byte("answer")) {
			return
		}
	}
}
