package xfr

import (
	"encoding/binary"

	"github.com/miekg/dns"

	"nullspf/internal/wire"
)

// opcodeBits is where OPCODE stands in byte 2 of the header.
const opcodeBits = 0x78

// Notify is what a NOTIFY message says (RFC 1996).
type Notify struct {
	Zone wire.Name
	// Serial is that of the SOA record in the answer section, if there is one.
	Serial    uint32
	HasSerial bool
}

// ReadNotify reads a NOTIFY request without its TSIG record. ok is false when it
// is none, or malformed.
func ReadNotify(msg []byte) (n Notify, ok bool) {
	if len(msg) < headerSize || msg[2]&(0x80|opcodeBits) != dns.OpcodeNotify<<3 || binary.BigEndian.Uint16(msg[4:]) != 1 {
		return n, false
	}
	zone, at, err := wire.ReadName(msg, headerSize)
	if err != nil || at+4 > len(msg) || binary.BigEndian.Uint16(msg[at:]) != dns.TypeSOA || binary.BigEndian.Uint16(msg[at+2:]) != dns.ClassINET {
		return n, false
	}
	n.Zone = zone
	if binary.BigEndian.Uint16(msg[6:]) == 0 {
		return n, true
	}
	r, _, err := wire.ReadRecord(msg, at+4)
	if err != nil {
		return n, false
	}
	if soa, err := wire.ParseSOA(r.Data); err == nil && r.Type == dns.TypeSOA && r.Name == zone {
		n.Serial, n.HasSerial = soa.Serial, true
	}
	return n, true
}

// appendNotify appends a NOTIFY request with the SOA record of a version.
func appendNotify(dst []byte, id uint16, zone wire.Name, v Version) []byte {
	dst = binary.BigEndian.AppendUint16(dst, id)
	dst = append(dst, dns.OpcodeNotify<<3|0x04, 0, 0, 1, 0, 1, 0, 0, 0, 0)
	dst = append(dst, zone...)
	dst = binary.BigEndian.AppendUint16(dst, dns.TypeSOA)
	dst = binary.BigEndian.AppendUint16(dst, dns.ClassINET)
	for r := range v.Records {
		dst = r.Append(dst)
		break
	}
	return dst
}
