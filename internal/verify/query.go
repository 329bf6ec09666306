package verify

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"

	"nullspf/internal/wire"
)

// query is a query to a server, with its answer or the reason why there is none.
type query struct {
	id     uint16
	name   string // with final dot
	rrtype uint16
	packed []byte

	msg *dns.Msg // nil without an answer
	err error    // nil with an answer
}

// prepare makes a query of q, whose ID differs from those of others.
func (q *query) prepare(name string, rrtype uint16, others []query) error {
	id := newID(others)
	packed, err := request(q.packed, id, name, rrtype)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	*q = query{id: id, name: name, rrtype: rrtype, packed: packed}
	return nil
}

// request makes the message of a query in a buffer that may be used again:
// one entry in the question section, and an OPT record (RFC 6891 section 6.1.2).
func request(buffer []byte, id uint16, name string, rrtype uint16) ([]byte, error) {
	const size = 512
	b := slices.Grow(buffer[:0], size)[:size]
	clear(b[:headerSize])
	binary.BigEndian.PutUint16(b, id)
	b[5], b[11] = 1, 1 // QDCOUNT, ARCOUNT
	at, err := dns.PackDomainName(name, b, headerSize, nil, false)
	if err != nil {
		return nil, err
	}
	b = binary.BigEndian.AppendUint16(b[:at], rrtype)
	b = binary.BigEndian.AppendUint16(b, dns.ClassINET)
	b = append(b, 0) // the root
	b = binary.BigEndian.AppendUint16(b, dns.TypeOPT)
	b = binary.BigEndian.AppendUint16(b, udpSize)
	return append(b, 0, 0, 0, 0, 0, 0), nil // no extended RCODE, version 0, DO clear, no options
}

// headerSize is the size of a message's header in bytes (RFC 1035 section
// 4.1.1).
const headerSize = 12

// errStray is for messages from the server's address that do not answer the
// query.
var errStray = errors.New("answers that do not match the query were ignored")

// acceptAny gives a message that came over UDP to the query that it answers.
func acceptAny(qs []query, packet []byte) error {
	if len(packet) < headerSize {
		return errMalformed
	}
	id := binary.BigEndian.Uint16(packet)
	for i := range qs {
		if q := &qs[i]; q.id == id && q.msg == nil {
			msg, err := q.accept(packet)
			q.msg = msg
			return err
		}
	}
	return errStray
}

var errMalformed = errors.New("malformed answers were ignored")

// accept unpacks a message and returns it when it answers the query: ID and
// question are the same, and it is whole. Of a truncated one, only header and
// question need be. Some servers refuse a query by a header alone.
func (q *query) accept(packet []byte) (*dns.Msg, error) {
	if len(packet) < headerSize {
		return nil, errMalformed
	}
	m := new(dns.Msg)
	err := m.Unpack(packet)
	if m.Id != q.id || !m.Response || m.Opcode != dns.OpcodeQuery {
		return nil, errStray
	}
	if err != nil && !m.Truncated {
		return nil, errMalformed
	}
	switch len(m.Question) {
	case 0:
		if len(packet) > headerSize || m.Rcode == dns.RcodeSuccess {
			return nil, errStray
		}
	case 1:
		if a := m.Question[0]; a.Qtype != q.rrtype || a.Qclass != dns.ClassINET || !strings.EqualFold(a.Name, q.name) {
			return nil, errStray
		}
	default:
		return nil, errStray
	}
	if !m.Truncated && !whole(packet) {
		return nil, errMalformed
	}
	return m, nil
}

// whole reports whether a message of at least a header ends with the last of
// the records that its header counts. Package dns lets it end before, between
// two records, and after.
func whole(packet []byte) bool {
	at := headerSize
	for section := range 4 {
		fixed := 10 // type, class, TTL and length
		if section == 0 {
			fixed = 4
		}
		for range binary.BigEndian.Uint16(packet[4+2*section:]) {
			next, err := wire.SkipName(packet, at)
			if at = next + fixed; err != nil || at > len(packet) {
				return false
			}
			if section > 0 {
				at += int(binary.BigEndian.Uint16(packet[at-2:]))
			}
		}
	}
	return at == len(packet)
}

// overTCP sends the query over TCP (RFC 7766).
func (q *query) overTCP(ctx context.Context, server netip.AddrPort, timeout time.Duration) (*dns.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", server.String())
	if err != nil {
		return nil, plainError(err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()

	message := binary.BigEndian.AppendUint16(nil, uint16(len(q.packed)))
	if _, err := conn.Write(append(message, q.packed...)); err != nil {
		return nil, plainError(err)
	}
	var size [2]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		return nil, plainError(err)
	}
	packet := make([]byte, binary.BigEndian.Uint16(size[:]))
	if _, err := io.ReadFull(conn, packet); err != nil {
		return nil, plainError(err)
	}
	m, err := q.accept(packet)
	if err == nil && m.Truncated {
		err = errors.New("the answer is truncated there too")
	}
	if err != nil {
		return nil, err
	}
	return m, nil
}

// refusal says why an answer says nothing about the RRset that was queried, or
// "".
func (q *query) refusal() string {
	switch {
	case q.msg == nil:
		return q.err.Error()
	case q.msg.Rcode != dns.RcodeSuccess:
		if name, ok := dns.RcodeToString[q.msg.Rcode]; ok {
			return "the server answers " + name
		}
		return fmt.Sprintf("the server answers RCODE %d", q.msg.Rcode)
	case !q.msg.Authoritative:
		return "the answer is not authoritative: AA is not set"
	}
	return ""
}
