package loadtest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/net/ipv4"
)

// oddMessage is a message that is not an event.
type oddMessage struct {
	name    string
	message []byte
	// outcome is the label of the answers in metrics, or of the dropped
	// messages when drop is set.
	outcome string
	drop    bool
	rcode   int
}

// oddMessages returns 16 messages, so that the ID of an answer tells which it
// belongs to.
func oddMessages(t *testing.T) []oddMessage {
	t.Helper()
	query := func(change func(*dns.Msg)) []byte {
		m := new(dns.Msg)
		m.SetQuestion("198.51.100.7.in-addr.CL.odd.example.FD.1."+trackingZone+".", dns.TypeA)
		change(m)
		b, err := m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	name := func(name string) func(*dns.Msg) {
		return func(m *dns.Msg) { m.Question[0].Name = name }
	}
	opcode := func(opcode int) func(*dns.Msg) {
		return func(m *dns.Msg) { m.Opcode = opcode }
	}
	edns := func(version uint8) func(*dns.Msg) {
		return func(m *dns.Msg) { m.SetEdns0(4096, true).IsEdns0().SetVersion(version) }
	}
	plain := query(func(*dns.Msg) {})
	broken := func(offset int, value byte) []byte {
		b := append([]byte(nil), plain...)
		b[offset] = value
		return b
	}
	return []oddMessage{
		{"another zone", query(name("www.example.org.")), "refused", false, dns.RcodeRefused},
		{"the root", query(name(".")), "refused", false, dns.RcodeRefused},
		{"the zone above", query(name("example.net.")), "refused", false, dns.RcodeRefused},
		{"class CH", query(func(m *dns.Msg) { m.Question[0].Qclass = dns.ClassCHAOS }), "refused", false, dns.RcodeRefused},
		{"a transfer", query(func(m *dns.Msg) { m.SetAxfr(trackingZone + ".") }), "refused", false, dns.RcodeRefused},
		{"notify", query(opcode(dns.OpcodeNotify)), "notimp", false, dns.RcodeNotImplemented},
		{"update", query(opcode(dns.OpcodeUpdate)), "notimp", false, dns.RcodeNotImplemented},
		{"status", query(opcode(dns.OpcodeStatus)), "notimp", false, dns.RcodeNotImplemented},
		{"EDNS version 1", query(edns(1)), "badvers", false, dns.RcodeBadVers & 15},
		{"EDNS version 255", query(edns(255)), "badvers", false, dns.RcodeBadVers & 15},
		{"a header alone", plain[:12], "formerr", false, dns.RcodeFormatError},
		{"a cut query", plain[:len(plain)-3], "formerr", false, dns.RcodeFormatError},
		{"two queries", broken(5, 2), "formerr", false, dns.RcodeFormatError},
		{"a label of 64 bytes", broken(12, 64), "formerr", false, dns.RcodeFormatError},
		{"a response", broken(2, 0x84), "response", true, 0},
		{"half a header", plain[:6], "short", true, 0},
	}
}

// oddCounts are what was sent and answered of each odd message.
type oddCounts struct {
	messages       []oddMessage
	sent, answered []atomic.Uint64
}

func newOddCounts(t *testing.T) *oddCounts {
	messages := oddMessages(t)
	return &oddCounts{messages, make([]atomic.Uint64, len(messages)), make([]atomic.Uint64, len(messages))}
}

// put writes message number n with its ID into b.
func (o *oddCounts) put(b []byte, n uint16) int {
	i := int(n) % len(o.messages)
	o.sent[i].Add(1)
	size := copy(b, o.messages[i].message)
	binary.BigEndian.PutUint16(b, n)
	return size
}

// take notes an answer.
func (o *oddCounts) take(b []byte) error {
	if len(b) < 12 {
		return fmt.Errorf("an answer of %d bytes", len(b))
	}
	i := int(binary.BigEndian.Uint16(b)) % len(o.messages)
	o.answered[i].Add(1)
	if m := &o.messages[i]; m.drop || b[2]&0x80 == 0 || int(b[3]&15) != m.rcode {
		return fmt.Errorf("%s: answered with the flags %02x%02x", m.name, b[2], b[3])
	}
	return nil
}

// count adds up what was sent and answered with an outcome.
func (o *oddCounts) count(outcome string) (sent, answered uint64) {
	for i := range o.messages {
		if outcome == "" || o.messages[i].outcome == outcome {
			sent += o.sent[i].Load()
			answered += o.answered[i].Load()
		}
	}
	return sent, answered
}

// oddUDP sends odd messages over UDP.
func (l *load) oddUDP(to netip.AddrPort, rate int, o *oddCounts) {
	l.t.Helper()
	conn := l.dialUDP(nil, to)
	batch := ipv4.NewPacketConn(conn)
	l.reading.Go(func() { l.receive(conn, batch, o.take) })
	l.sending.Go(func() {
		messages := newMessages(512)
		id := uint16(0)
		l.pace(rate, func(n int) bool {
			for i := range n {
				b := messages[i].Buffers[0]
				messages[i].Buffers[0] = b[:o.put(b[:cap(b)], id)]
				id++
			}
			return l.send(batch, messages[:n])
		})
	})
}

// oddTCP sends each odd message over a connection of its own, one after the
// other.
func (l *load) oddTCP(to netip.AddrPort, rate int, o *oddCounts) {
	frame := make([]byte, 2+4096)
	id := uint16(0)
	l.sending.Go(func() {
		l.pace(rate, func(n int) bool {
			for range n {
				if err := oddExchange(to, frame, o, id); err != nil {
					l.fail(err)
					return false
				}
				id++
			}
			return true
		})
	})
}

// oddExchange sends a message over TCP. A message without answer ends the
// connection.
func oddExchange(to netip.AddrPort, frame []byte, o *oddCounts, id uint16) error {
	conn, err := net.Dial("tcp", to.String())
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return err
	}
	size := o.put(frame[2:], id)
	binary.BigEndian.PutUint16(frame, uint16(size))
	if _, err := conn.Write(frame[:2+size]); err != nil {
		return err
	}
	m := &o.messages[int(id)%len(o.messages)]
	_, err = io.ReadFull(conn, frame[:2])
	if m.drop {
		if !errors.Is(err, io.EOF) {
			return fmt.Errorf("%s over TCP: %v instead of the end of the connection", m.name, err)
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s over TCP: %w", m.name, err)
	}
	size = int(binary.BigEndian.Uint16(frame))
	if _, err := io.ReadFull(conn, frame[2:2+size]); err != nil {
		return fmt.Errorf("%s over TCP: %w", m.name, err)
	}
	return o.take(frame[2 : 2+size])
}
