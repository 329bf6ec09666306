package peers

import (
	"encoding/binary"
	"net/netip"
)

// ProxyHeader is what a proxy writes before what a client has sent to it: a header of
// the PROXY protocol, version 2, with a TLV. The zero AddrPort is the proxy itself.
func ProxyHeader(datagram bool, client netip.AddrPort) []byte {
	command, transport := byte(0x21), byte(1)
	if datagram {
		transport = 2
	}
	family := byte(1)
	if client.Addr().Is6() {
		family = 2
	}
	var rest []byte
	if client.IsValid() {
		a := client.Addr().AsSlice()
		rest = append(append(rest, a...), a...)
		rest = binary.BigEndian.AppendUint16(rest, client.Port())
		rest = binary.BigEndian.AppendUint16(rest, 53)
	} else {
		command, family, transport = 0x20, 0, 0
	}
	rest = append(rest, 0xe0, 0, 2, 'x', 'y')
	b := append([]byte("\r\n\r\n\x00\r\nQUIT\n"), command, family<<4|transport)
	return append(binary.BigEndian.AppendUint16(b, uint16(len(rest))), rest...)
}
