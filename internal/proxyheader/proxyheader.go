// Package proxyheader reads the header of the PROXY protocol
// (https://www.haproxy.org/download/1.8/doc/proxy-protocol.txt), with which a proxy
// says whose message or connection it forwards. It is read only where the proxy is
// known: whoever guesses believes what the clients of a proxy write.
package proxyheader

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"strconv"
	"strings"
)

// The header of version 2, section 2.2:
//
//	0         12       13         14       16
//	+---------+--------+----------+--------+----------------------------+------+
//	|signature|version,|family,   |length  |source, destination address,|TLVs  |
//	|         |command |transport |of rest |source, destination port    |      |
//	+---------+--------+----------+--------+----------------------------+------+
const (
	signature = "\r\n\r\n\x00\r\nQUIT\n"
	fixed     = len(signature) + 4

	commandLocal, commandProxy = 0x20, 0x21
	familyIPv4, familyIPv6     = 1, 2
	transportDatagram          = 2
)

const (
	// maxSize is the longest header over TCP; proxies add a few TLVs.
	maxSize = 1024
	// maxLine is the longest line of version 1, section 2.1.
	maxLine = 107
	prefix1 = "PROXY "
)

// Header is what a header says.
type Header struct {
	// Client is never IPv4-mapped, and invalid when the proxy speaks for itself, or
	// does not know the client.
	Client netip.AddrPort
	// Datagram: the client came over UDP, so its address may be forged.
	Datagram bool
}

var (
	errNone = errors.New("no header of the PROXY protocol")
	errBad  = errors.New("malformed header of the PROXY protocol")
)

// size is the length of the header at the start of b, of which fixed bytes must be
// there; 0 is none.
func size(b []byte) int {
	if len(b) < fixed || string(b[:len(signature)]) != signature {
		return 0
	}
	return fixed + int(binary.BigEndian.Uint16(b[14:]))
}

// Parse reads the header, of version 2, at the start of a message; n, its length, is
// 0 when there is no good one.
func Parse(b []byte) (h Header, n int) {
	n = size(b)
	if n == 0 || n > len(b) {
		return h, 0
	}
	rest := b[fixed:n]
	family, transport := b[13]>>4, b[13]&15
	h.Datagram = transport == transportDatagram
	switch {
	case b[12] == commandLocal, b[12] == commandProxy && family == 0:
	case b[12] == commandProxy && family == familyIPv4 && len(rest) >= 12:
		h.Client = netip.AddrPortFrom(netip.AddrFrom4([4]byte(rest)), binary.BigEndian.Uint16(rest[8:]))
	case b[12] == commandProxy && family == familyIPv6 && len(rest) >= 36:
		h.Client = netip.AddrPortFrom(netip.AddrFrom16([16]byte(rest)).Unmap(), binary.BigEndian.Uint16(rest[32:]))
	default:
		return h, 0
	}
	return h, n
}

// Read takes the header, of version 2, off a connection. The reader has room for
// [MinBuffer] bytes. The error is that of the connection, or says that there is no
// good header.
func Read(r *bufio.Reader) (h Header, err error) {
	start, err := r.Peek(fixed)
	if err != nil {
		return h, err
	}
	n := size(start)
	if n == 0 || n > maxSize {
		return h, errNone
	}
	b, err := r.Peek(n)
	if err != nil {
		return h, err
	}
	if h, n = Parse(b); n == 0 {
		return h, errBad
	}
	_, _ = r.Discard(n) // which is there
	return h, nil
}

// MinBuffer is what a reader given to [Read] and [ReadAny] buffers at least.
const MinBuffer = maxSize

// ReadAny is Read for connections of both versions.
func ReadAny(r *bufio.Reader) (h Header, err error) {
	start, err := r.Peek(len(prefix1))
	switch {
	case err != nil:
		return h, err
	case string(start) != prefix1:
		return Read(r)
	}
	for n := len(prefix1) + 1; n <= maxLine; n++ {
		b, err := r.Peek(n)
		if err != nil {
			return h, err
		}
		if line, whole := bytes.CutSuffix(b, []byte("\r\n")); whole {
			h, err = parseLine(string(line))
			_, _ = r.Discard(n)
			return h, err
		}
	}
	return h, errBad
}

// parseLine reads a line of version 1, such as
//
//	PROXY TCP4 192.0.2.7 198.51.100.25 56324 25
func parseLine(line string) (h Header, err error) {
	words := strings.Split(line, " ")
	if len(words) >= 2 && words[1] == "UNKNOWN" {
		return h, nil // what follows is to be ignored
	}
	if len(words) != 6 {
		return h, errBad
	}
	source, err := netip.ParseAddr(words[2])
	port, err2 := strconv.ParseUint(words[4], 10, 16)
	if err != nil || err2 != nil || source.Zone() != "" || words[1] != "TCP4" && words[1] != "TCP6" || source.Is4() != (words[1] == "TCP4") {
		return h, errBad
	}
	h.Client = netip.AddrPortFrom(source.Unmap(), uint16(port))
	return h, nil
}
