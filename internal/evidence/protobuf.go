package evidence

import (
	"net/netip"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"nullspf/spftrack"
)

// fields are those of a message in Protocol Buffers, by number: the last of each, those with
// greater numbers left out.
type fields [32]struct {
	// value is that of a number, bytes that of the others.
	value uint64
	bytes []byte
}

// read reads a message; false when it cannot be read.
func (f *fields) read(b []byte) bool {
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return false
		}
		b = b[n:]
		var value uint64
		var text []byte
		switch kind {
		case protowire.VarintType:
			value, n = protowire.ConsumeVarint(b)
		case protowire.Fixed32Type:
			var v uint32
			v, n = protowire.ConsumeFixed32(b)
			value = uint64(v)
		case protowire.Fixed64Type:
			value, n = protowire.ConsumeFixed64(b)
		case protowire.BytesType:
			text, n = protowire.ConsumeBytes(b)
		default:
			n = protowire.ConsumeFieldValue(number, kind, b)
		}
		if n < 0 {
			return false
		}
		b = b[n:]
		if int(number) < len(f) {
			f[number].value, f[number].bytes = value, text
		}
	}
	return true
}

// Both dnstap and PBDNSMessage number protocols so. Of the rest, TLS, HTTPS and DNSCrypt over
// TCP are built on TCP.
const (
	protocolUDP         = 1
	protocolDNSCryptUDP = 5
	protocolQUIC        = 7
)

// setClient sets where a query came from, and how.
func setClient(q *question, address []byte, port, protocol uint64) bool {
	addr, ok := netip.AddrFromSlice(address)
	if !ok || port > 65535 || protocol > protocolQUIC {
		return false
	}
	q.client = netip.AddrPortFrom(addr.Unmap(), uint16(port))
	switch protocol {
	case 0, protocolUDP, protocolDNSCryptUDP:
		q.transport, q.verified = spftrack.TransportUDP, false
	case protocolQUIC:
		q.transport, q.verified = spftrack.TransportUDP, true
	default:
		q.transport, q.verified = spftrack.TransportTCP, true
	}
	return true
}

// maxTime is the year 2200, in seconds since 1970-01-01 UTC.
const maxTime = 7258118400

// at sets the time of a query; 0 seconds are none.
func (q *question) at(seconds, nanoseconds uint64) outcome {
	if seconds == 0 {
		return isTimeless
	}
	q.time = int64(seconds)*int64(time.Second) + int64(nanoseconds)
	return isQuestion
}

// identityOf is the name of a server, cut to what a journal takes.
func identityOf(name []byte) string { return string(name[:min(len(name), 255)]) }
