package xdp

import (
	"encoding/binary"
	"errors"
	"net/netip"
)

// Sizes of headers, in bytes.
const (
	ethernetSize = 14
	// tagSize is that of an IEEE 802.1Q tag.
	tagSize  = 4
	ipv4Size = 20
	ipv6Size = 40
	udpSize  = 8
	// MaxHeaders is what stands before a message at most.
	MaxHeaders = ethernetSize + tagSize + ipv6Size + udpSize
)

const (
	etherIPv4 = 0x0800
	etherIPv6 = 0x86dd
	etherTag  = 0x8100

	protocolUDP = 17
	// hopLimit is that of answers (RFC 1700, "IP time to live").
	hopLimit = 64
	// dontFragment is a flag beside the fragment offset (RFC 791 section 3.1).
	dontFragment = 0x4000
)

// errFrame is the error of a frame that is damaged or none of ours.
var errFrame = errors.New("xdp: not a whole UDP message")

// header says where the parts of a frame stand:
//
//	0          ip         udp   payload   end
//	+----------+----------+-----+---------+---------+
//	| Ethernet | IP       | UDP | message | padding |
//	+----------+----------+-----+---------+---------+
type header struct {
	ip, udp, end int
	source       netip.AddrPort
	local        netip.AddrPort
}

func (h *header) payload() int { return h.udp + udpSize }

// parse reads the headers of a frame that holds one UDP message, and checks
// lengths and checksums. Fragments, IP options, extension headers and stacked tags
// are errors, too.
func (h *header) parse(b []byte) error {
	if len(b) < ethernetSize {
		return errFrame
	}
	kind := binary.BigEndian.Uint16(b[12:])
	h.ip = ethernetSize
	if kind == etherTag {
		if len(b) < ethernetSize+tagSize {
			return errFrame
		}
		kind = binary.BigEndian.Uint16(b[16:])
		h.ip += tagSize
	}
	switch kind {
	case etherIPv4:
		return h.parseIPv4(b)
	case etherIPv6:
		return h.parseIPv6(b)
	}
	return errFrame
}

// parseIPv4 reads a header of RFC 791 section 3.1.
func (h *header) parseIPv4(b []byte) error {
	if len(b) < h.ip+ipv4Size {
		return errFrame
	}
	ip := b[h.ip : h.ip+ipv4Size]
	total := int(binary.BigEndian.Uint16(ip[2:]))
	switch {
	case ip[0] != 4<<4|ipv4Size/4,
		binary.BigEndian.Uint16(ip[6:])&^dontFragment != 0,
		ip[9] != protocolUDP,
		total < ipv4Size+udpSize || total > len(b)-h.ip,
		fold(sum(0, ip)) != 0xffff:
		return errFrame
	}
	h.udp, h.end = h.ip+ipv4Size, h.ip+total
	source, local := netip.AddrFrom4([4]byte(ip[12:])), netip.AddrFrom4([4]byte(ip[16:]))
	return h.parseUDP(b, source, local, sum(0, ip[12:20]))
}

// parseIPv6 reads a header of RFC 8200 section 3.
func (h *header) parseIPv6(b []byte) error {
	if len(b) < h.ip+ipv6Size {
		return errFrame
	}
	ip := b[h.ip : h.ip+ipv6Size]
	size := int(binary.BigEndian.Uint16(ip[4:]))
	if ip[0]>>4 != 6 || ip[6] != protocolUDP || size < udpSize || size > len(b)-h.ip-ipv6Size {
		return errFrame
	}
	h.udp, h.end = h.ip+ipv6Size, h.ip+ipv6Size+size
	source, local := netip.AddrFrom16([16]byte(ip[8:])), netip.AddrFrom16([16]byte(ip[24:]))
	if source.Is4In6() || local.Is4In6() {
		return errFrame // RFC 4038 section 4.2
	}
	return h.parseUDP(b, source, local, sum(0, ip[8:40]))
}

// parseUDP reads a header of RFC 768. pseudo is the sum of the addresses. What
// stands between the end of the message and that of the packet is ignored.
func (h *header) parseUDP(b []byte, source, local netip.Addr, pseudo uint64) error {
	udp := b[h.udp:h.end]
	size := int(binary.BigEndian.Uint16(udp[4:]))
	if size < udpSize || size > len(udp) {
		return errFrame
	}
	h.end = h.udp + size
	given := binary.BigEndian.Uint16(udp[6:])
	if given == 0 && source.Is6() {
		return errFrame // RFC 8200 section 8.1
	}
	if given != 0 && fold(sum(pseudo+upperLayer(size), udp[:size])) != 0xffff {
		return errFrame
	}
	h.source = netip.AddrPortFrom(source, binary.BigEndian.Uint16(udp))
	h.local = netip.AddrPortFrom(local, binary.BigEndian.Uint16(udp[2:]))
	return nil
}

// reply turns the headers of a frame round, for an answer of size bytes that
// stands in the place of its message, and returns the length of the frame. b has
// room for the answer. The frame goes to the station that it came from, in the
// VLAN in which it came.
func (h *header) reply(b []byte, size int) int {
	swap(b[:12], 6)
	size += udpSize
	var pseudo uint64
	if h.ip+ipv4Size == h.udp {
		ip := b[h.ip:h.udp]
		clear(ip[1:12])
		binary.BigEndian.PutUint16(ip[2:], uint16(ipv4Size+size))
		// Never fragmented, so the identification means nothing (RFC 6864
		// section 4.1).
		binary.BigEndian.PutUint16(ip[6:], dontFragment)
		ip[8], ip[9] = hopLimit, protocolUDP
		swap(ip[12:20], 4)
		pseudo = sum(0, ip[12:20])
		binary.NativeEndian.PutUint16(ip[10:], ^fold(sum(pseudo, ip[:12])))
	} else {
		ip := b[h.ip:h.udp]
		ip[0], ip[1], ip[2], ip[3] = 6<<4, 0, 0, 0
		binary.BigEndian.PutUint16(ip[4:], uint16(size))
		ip[7] = hopLimit
		swap(ip[8:40], 16)
		pseudo = sum(0, ip[8:40])
	}
	udp := b[h.udp : h.udp+size]
	swap(udp[:4], 2)
	binary.BigEndian.PutUint16(udp[4:], uint16(size))
	udp[6], udp[7] = 0, 0
	checksum := ^fold(sum(pseudo+upperLayer(size), udp))
	if checksum == 0 {
		checksum = 0xffff // 0 means none (RFC 768)
	}
	binary.NativeEndian.PutUint16(udp[6:], checksum)
	return h.udp + size
}

// swap exchanges the first n bytes of b and the n bytes behind them.
func swap(b []byte, n int) {
	for i := range n {
		b[i], b[n+i] = b[n+i], b[i]
	}
}

// upperLayer is what the pseudo header adds to the addresses: protocol and length
// (RFC 768, RFC 8200 section 8.1).
func upperLayer(size int) uint64 {
	var b [4]byte
	binary.BigEndian.PutUint16(b[:], protocolUDP)
	binary.BigEndian.PutUint16(b[2:], uint16(size))
	return sum(0, b[:])
}
