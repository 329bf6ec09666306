package evidence

import (
	"encoding/binary"
	"net/netip"

	"github.com/miekg/dns"

	"nullspf/internal/wire"
)

// readQuestion reads the question and the client subnet (RFC 7871) of a query in wire
// format, whose name it appends to dst.
func readQuestion(msg, dst []byte, q *question) ([]byte, bool) {
	const header = 12
	if len(msg) < header || binary.BigEndian.Uint16(msg[4:]) != 1 || msg[2]&0x80 != 0 {
		return dst, false
	}
	// A pointer has nothing to point to.
	var labels wire.Labels
	at := header + labels.Read(msg[header:])
	if at == header || len(msg) < at+4 {
		return dst, false
	}
	dst = append(dst, msg[header:at]...)
	q.name = dst
	q.qtype = binary.BigEndian.Uint16(msg[at:])
	q.qclass = binary.BigEndian.Uint16(msg[at+2:])
	q.subnet = netip.Prefix{}
	// A query has no records before those of the additional section.
	if binary.BigEndian.Uint32(msg[6:]) == 0 {
		q.subnet = optionSubnet(msg, at+4, int(binary.BigEndian.Uint16(msg[10:])))
	}
	return dst, true
}

// optionSubnet looks for a client subnet in records; the zero Prefix when there is none, or
// it cannot be read.
func optionSubnet(msg []byte, at, records int) netip.Prefix {
	for range records {
		next, err := wire.SkipName(msg, at)
		if err != nil || len(msg) < next+10 {
			break
		}
		size := int(binary.BigEndian.Uint16(msg[next+8:]))
		data := msg[next+10:]
		if len(data) < size {
			break
		}
		if binary.BigEndian.Uint16(msg[next:]) == dns.TypeOPT {
			return subnetOf(data[:size])
		}
		at = next + 10 + size
	}
	return netip.Prefix{}
}

func subnetOf(options []byte) netip.Prefix {
	for len(options) >= 4 {
		code, size := binary.BigEndian.Uint16(options), int(binary.BigEndian.Uint16(options[2:]))
		data := options[4:]
		if len(data) < size {
			break
		}
		if code == dns.EDNS0SUBNET && size >= 4 {
			return clientSubnet(data[:size])
		}
		options = data[size:]
	}
	return netip.Prefix{}
}

// clientSubnet reads family, source and scope prefix length, and the address, cut.
func clientSubnet(data []byte) netip.Prefix {
	var full [16]byte
	address := data[4:]
	size := map[uint16]int{1: 4, 2: 16}[binary.BigEndian.Uint16(data)]
	if size == 0 || len(address) > size {
		return netip.Prefix{}
	}
	copy(full[:], address)
	addr, _ := netip.AddrFromSlice(full[:size])
	prefix, err := addr.Prefix(int(data[2]))
	if err != nil {
		return netip.Prefix{}
	}
	return prefix
}
