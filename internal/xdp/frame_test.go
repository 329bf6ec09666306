package xdp

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

// The hardware addresses of a server and a client.
var (
	stationA = []byte{2, 0, 0, 0, 0, 1}
	stationB = []byte{2, 0, 0, 0, 0, 2}
)

// packet describes a frame that another program makes.
type packet struct {
	from, to string
	tag      uint16 // 0 is none
	message  string
	padding  int
	// change damages the layers before they are written; sizes and checksums are
	// made before it unless keep is set.
	change func(ip4 *layers.IPv4, ip6 *layers.IPv6, udp *layers.UDP)
	keep   bool
}

// frame makes the frame with gopacket.
func (p packet) frame(t testing.TB) []byte {
	t.Helper()
	from, to := netip.MustParseAddrPort(p.from), netip.MustParseAddrPort(p.to)
	ethernet := &layers.Ethernet{SrcMAC: stationB, DstMAC: stationA, EthernetType: layers.EthernetTypeIPv4}
	ip4 := &layers.IPv4{Version: 4, IHL: 5, TTL: 57, Id: 4711, Protocol: layers.IPProtocolUDP, SrcIP: from.Addr().AsSlice(), DstIP: to.Addr().AsSlice()}
	ip6 := &layers.IPv6{Version: 6, TrafficClass: 3, FlowLabel: 77, HopLimit: 57, NextHeader: layers.IPProtocolUDP, SrcIP: from.Addr().AsSlice(), DstIP: to.Addr().AsSlice()}
	udp := &layers.UDP{SrcPort: layers.UDPPort(from.Port()), DstPort: layers.UDPPort(to.Port())}
	var network gopacket.SerializableLayer = ip4
	if from.Addr().Is6() {
		network, ethernet.EthernetType = ip6, layers.EthernetTypeIPv6
		_ = udp.SetNetworkLayerForChecksum(ip6)
	} else {
		_ = udp.SetNetworkLayerForChecksum(ip4)
	}
	list := []gopacket.SerializableLayer{ethernet}
	if p.tag != 0 {
		list = append(list, &layers.Dot1Q{VLANIdentifier: p.tag, Priority: 5, Type: ethernet.EthernetType})
		ethernet.EthernetType = layers.EthernetTypeDot1Q
	}
	list = append(list, network, udp, gopacket.Payload(p.message))
	options := gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}
	b := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(b, options, list...); err != nil {
		t.Fatal(err)
	}
	if p.change != nil {
		p.change(ip4, ip6, udp)
		if p.keep {
			options = gopacket.SerializeOptions{}
		}
		if err := gopacket.SerializeLayers(b, options, list...); err != nil {
			t.Fatal(err)
		}
	}
	return append(bytes.Clone(b.Bytes()), make([]byte, p.padding)...)
}

// checkReply looks at a frame with gopacket: its checksums are right, and it is that of
// an answer to p.
func checkReply(t testing.TB, p packet, frame []byte, message string) {
	t.Helper()
	d := gopacket.NewPacket(frame, layers.LayerTypeEthernet, gopacket.Default)
	if err := d.TransportLayer().(*layers.UDP).SetNetworkLayerForChecksum(d.NetworkLayer()); err != nil {
		t.Fatal(err)
	}
	if err, mismatches := d.VerifyChecksums(); err != nil || len(mismatches) > 0 {
		t.Errorf("checksums: %v %v", err, mismatches)
	}
	ethernet := d.Layer(layers.LayerTypeEthernet).(*layers.Ethernet)
	if !bytes.Equal(ethernet.DstMAC, stationB) || !bytes.Equal(ethernet.SrcMAC, stationA) {
		t.Errorf("from %v to %v", ethernet.SrcMAC, ethernet.DstMAC)
	}
	if tag, ok := d.Layer(layers.LayerTypeDot1Q).(*layers.Dot1Q); ok != (p.tag != 0) || ok && tag.VLANIdentifier != p.tag {
		t.Errorf("tag %v", tag)
	}
	from, to := d.NetworkLayer().NetworkFlow().Endpoints()
	udp := d.TransportLayer().(*layers.UDP)
	source, _ := netip.AddrFromSlice(from.Raw())
	target, _ := netip.AddrFromSlice(to.Raw())
	if got := netip.AddrPortFrom(source, uint16(udp.SrcPort)).String(); got != p.to {
		t.Errorf("from %v", got)
	}
	if got := netip.AddrPortFrom(target, uint16(udp.DstPort)).String(); got != p.from {
		t.Errorf("to %v", got)
	}
	if string(udp.Payload) != message || int(udp.Length) != udpSize+len(message) {
		t.Errorf("message %q, length %d", udp.Payload, udp.Length)
	}
	if ip, ok := d.NetworkLayer().(*layers.IPv4); ok && (ip.TTL != hopLimit || ip.Flags != layers.IPv4DontFragment || ip.Id != 0 || ip.TOS != 0) {
		t.Errorf("%+v", ip)
	}
	if ip, ok := d.NetworkLayer().(*layers.IPv6); ok && (ip.HopLimit != hopLimit || ip.FlowLabel != 0 || ip.TrafficClass != 0) {
		t.Errorf("%+v", ip)
	}
}

var goodPackets = map[string]packet{
	"ipv4":        {from: "192.0.2.7:4242", to: "192.0.2.1:53", message: "question"},
	"ipv4 odd":    {from: "198.51.100.7:4242", to: "192.0.2.1:53", message: "odd size"[:7]},
	"ipv4 empty":  {from: "192.0.2.7:4242", to: "192.0.2.1:53", padding: 18},
	"ipv4 padded": {from: "192.0.2.7:4242", to: "192.0.2.1:53", message: "x", padding: 17},
	"ipv4 tagged": {from: "192.0.2.7:4242", to: "192.0.2.1:53", message: "question", tag: 7},
	"ipv4 no checksum": {from: "192.0.2.7:4242", to: "192.0.2.1:53", message: "question", keep: true,
		change: func(_ *layers.IPv4, _ *layers.IPv6, udp *layers.UDP) { udp.Checksum = 0 }},
	"ipv6":        {from: "[2001:db8::7]:4242", to: "[2001:db8::1]:53", message: "question"},
	"ipv6 tagged": {from: "[2001:db8::7]:4242", to: "[2001:db8::1]:53", message: "question", tag: 4094},
	"ipv6 local":  {from: "[fe80::7]:4242", to: "[fe80::1]:53", message: "question"},
}

func TestFrames(t *testing.T) {
	for name, p := range goodPackets {
		t.Run(name, func(t *testing.T) {
			b := p.frame(t)
			var h header
			if err := h.parse(b); err != nil {
				t.Fatal(err)
			}
			if h.source.String() != p.from || h.local.String() != p.to || string(b[h.payload():h.end]) != p.message {
				t.Errorf("%v to %v: %q", h.source, h.local, b[h.payload():h.end])
			}
			for _, answer := range []string{"", "a", "an answer", string(bytes.Repeat([]byte("long"), 300))} {
				reply := append(bytes.Clone(b), make([]byte, maxFrame)...)
				copy(reply[h.payload():], answer)
				checkReply(t, p, reply[:h.reply(reply, len(answer))], answer)
			}
		})
	}
}

// A computed checksum of 0 is sent as 0xffff (RFC 768).
func TestChecksumIsNeverZero(t *testing.T) {
	p := packet{from: "192.0.2.7:4242", to: "192.0.2.1:53", message: "xx"}
	zeros := 0
	for n := range 1 << 16 {
		b := p.frame(t)
		var h header
		if err := h.parse(b); err != nil {
			t.Fatal(err)
		}
		binary.BigEndian.PutUint16(b[h.payload():], uint16(n))
		size := h.reply(b, 2)
		switch binary.BigEndian.Uint16(b[h.udp+6:]) {
		case 0:
			t.Fatal("no checksum")
		case 0xffff:
			zeros++
			checkReply(t, p, b[:size], string(b[h.payload():size]))
		}
	}
	if zeros != 1 {
		t.Errorf("%d checksums are 0xffff", zeros)
	}
}

// TestDamagedFrames changes every bit of good frames: the only ones that may make
// no difference are those that nothing covers.
func TestDamagedFrames(t *testing.T) {
	for name, p := range goodPackets {
		if p.keep {
			continue
		}
		b := p.frame(t)
		var good header
		if err := good.parse(b); err != nil {
			t.Fatal(err)
		}
		uncovered := func(bit int) bool {
			at := bit / 8
			switch {
			case at < 12, p.tag != 0 && (at == 14 || at == 15): // stations, tag
				return true
			case at >= good.end: // padding
				return true
			}
			// Traffic class, flow label, hop limit (RFC 8200 section 3).
			return good.source.Addr().Is6() && (bit >= good.ip*8+4 && at < good.ip+4 || at == good.ip+7)
		}
		for bit := range len(b) * 8 {
			b[bit/8] ^= 1 << (7 - bit%8)
			var h header
			if err := h.parse(b); (err == nil) != uncovered(bit) {
				t.Errorf("%s: bit %d of byte %d: %v", name, bit%8, bit/8, err)
			}
			b[bit/8] ^= 1 << (7 - bit%8)
		}
		for size := range good.end {
			var h header
			if h.parse(b[:size]) == nil {
				t.Errorf("%s: %d bytes of %d are enough", name, size, good.end)
			}
		}
	}
}

// Frames with right checksums that are not one whole message.
func TestOtherFrames(t *testing.T) {
	const from4, to4, from6, to6 = "192.0.2.7:4242", "192.0.2.1:53", "[2001:db8::7]:4242", "[2001:db8::1]:53"
	for name, p := range map[string]packet{
		"first fragment": {from: from4, to: to4, change: func(ip4 *layers.IPv4, _ *layers.IPv6, _ *layers.UDP) { ip4.Flags = layers.IPv4MoreFragments }},
		"last fragment":  {from: from4, to: to4, change: func(ip4 *layers.IPv4, _ *layers.IPv6, _ *layers.UDP) { ip4.FragOffset = 8 }},
		"option": {from: from4, to: to4, change: func(ip4 *layers.IPv4, _ *layers.IPv6, _ *layers.UDP) {
			ip4.Options = []layers.IPv4Option{{OptionType: 1}}
		}},
		"tcp":           {from: from4, to: to4, change: func(ip4 *layers.IPv4, _ *layers.IPv6, _ *layers.UDP) { ip4.Protocol = layers.IPProtocolTCP }},
		"version 5":     {from: from4, to: to4, change: func(ip4 *layers.IPv4, _ *layers.IPv6, _ *layers.UDP) { ip4.Version = 5 }},
		"long":          {from: from4, to: to4, keep: true, change: func(_ *layers.IPv4, _ *layers.IPv6, udp *layers.UDP) { udp.Length = 9; udp.Checksum = 0 }},
		"short":         {from: from4, to: to4, keep: true, change: func(_ *layers.IPv4, _ *layers.IPv6, udp *layers.UDP) { udp.Length = 7; udp.Checksum = 0 }},
		"fragment 6":    {from: from6, to: to6, change: func(_ *layers.IPv4, ip6 *layers.IPv6, _ *layers.UDP) { ip6.NextHeader = layers.IPProtocolIPv6Fragment }},
		"tcp 6":         {from: from6, to: to6, change: func(_ *layers.IPv4, ip6 *layers.IPv6, _ *layers.UDP) { ip6.NextHeader = layers.IPProtocolTCP }},
		"no checksum 6": {from: from6, to: to6, keep: true, change: func(_ *layers.IPv4, _ *layers.IPv6, udp *layers.UDP) { udp.Checksum = 0 }},
		"mapped":        {from: "[::ffff:192.0.2.7]:4242", to: to6},
	} {
		var h header
		if h.parse(p.frame(t)) == nil {
			t.Errorf("%s is taken", name)
		}
	}
	for _, stacked := range [][]byte{nil, bytes.Repeat([]byte{0x81, 0}, 30)} {
		var h header
		if h.parse(stacked) == nil {
			t.Errorf("% x is taken", stacked)
		}
	}
}

// What is parsed can be answered, and the answer parsed, with its ends exchanged.
func FuzzFrame(f *testing.F) {
	for _, p := range goodPackets {
		f.Add(p.frame(f), []byte("answer"))
	}
	f.Fuzz(func(t *testing.T, frame, answer []byte) {
		var h header
		if len(frame) > maxFrame || len(answer) > MaxMessage || h.parse(frame) != nil {
			return
		}
		if h.payload() > h.end || h.end > len(frame) || h.payload() > MaxHeaders {
			t.Fatalf("%+v", h)
		}
		b := append(bytes.Clone(frame), make([]byte, MaxHeaders+MaxMessage)...)
		copy(b[h.payload():], answer)
		b = b[:h.reply(b, len(answer))]
		var r header
		if err := r.parse(b); err != nil {
			t.Fatalf("the answer to % x is % x: %v", frame, b, err)
		}
		if r.source != h.local || r.local != h.source || !bytes.Equal(b[r.payload():r.end], answer) || r.end != len(b) {
			t.Fatalf("%+v, answer %+v", h, r)
		}
	})
}
