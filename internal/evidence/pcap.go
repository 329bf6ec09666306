package evidence

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"

	"nullspf/spftrack"
)

// pcap reads captures in the format of libpcap, such as tcpdump writes: queries to port 53, over
// UDP and TCP. Fragments of IP are passed over: no query needs them.
//
// Anyone can put packets into a capture. A query over TCP is of a verified source only when the
// capture has the handshake, with both sequence numbers.
type pcap struct {
	in *reader
	// order is that of the numbers of the file, nil before its header was read; unit is that of
	// fractions of a second, in nanoseconds.
	order binary.ByteOrder
	unit  int64
	link  layers.LinkType
	frame []byte
	flows flowTable
	// queue are questions that one packet has completed.
	queue []tcpQuestion
	name  []byte
}

const (
	// The header of a file: magic number, versions, time zone, accuracy, greatest length,
	// link type. That of a packet: seconds, fraction, length in the file, length.
	pcapHeader   = 24
	packetHeader = 16
	// maxPacket bounds packets, as tcpdump does.
	maxPacket = 256 << 10

	portDNS = 53
)

func (p *pcap) identity() string { return "" }
func (p *pcap) odd() int         { return 0 }

var errNoPcap = errors.New("no capture in the format of libpcap; for pcapng, use editcap -F pcap")

func (p *pcap) next(q *question) (outcome, error) {
	if len(p.queue) > 0 {
		return p.pop(q), nil
	}
	if p.order == nil {
		if err := p.header(); err != nil {
			return isOther, err
		}
	}
	b, err := p.in.Peek(packetHeader)
	switch {
	case errors.Is(err, io.EOF) && len(b) == 0:
		return isOther, io.EOF
	case errors.Is(err, io.EOF):
		return isOther, errCut
	case err != nil:
		return isOther, err
	}
	size := p.order.Uint32(b[8:])
	if size > maxPacket {
		return isOther, fmt.Errorf("a packet of %d bytes; captures have at most %d", size, maxPacket)
	}
	if p.frame, err = frame(p.in, p.frame, packetHeader+int(size)); err != nil {
		return isOther, err
	}
	p.in.Write(p.frame)
	at := int64(p.order.Uint32(p.frame))*int64(time.Second) + int64(p.order.Uint32(p.frame[4:]))*p.unit
	p.packet(gopacket.NewPacket(p.frame[packetHeader:], p.link, gopacket.DecodeOptions{Lazy: true, NoCopy: true}), at)
	if len(p.queue) > 0 {
		return p.pop(q), nil
	}
	return isOther, nil
}

// header reads the header of the file.
func (p *pcap) header() error {
	magic, err := p.in.Peek(4)
	if err != nil && len(magic) < 4 {
		if errors.Is(err, io.EOF) && len(magic) > 0 {
			err = errCut
		}
		return err
	}
	switch string(magic) {
	case "\xd4\xc3\xb2\xa1":
		p.order, p.unit = binary.LittleEndian, 1000
	case "\xa1\xb2\xc3\xd4":
		p.order, p.unit = binary.BigEndian, 1000
	case "\x4d\x3c\xb2\xa1":
		p.order, p.unit = binary.LittleEndian, 1
	case "\xa1\xb2\x3c\x4d":
		p.order, p.unit = binary.BigEndian, 1
	default:
		return errNoPcap
	}
	b, err := frame(p.in, nil, pcapHeader)
	if err != nil {
		p.order = nil
		return err
	}
	p.in.Write(b)
	// The bits above tell of checksums behind frames.
	p.link = layers.LinkType(p.order.Uint32(b[20:]) & 0xffff)
	return nil
}

// tcpQuestion is a query that a packet has completed; of UDP too.
type tcpQuestion struct {
	question
	message []byte
}

// pop reads the first of the queue.
func (p *pcap) pop(q *question) outcome {
	next := p.queue[0]
	p.queue = p.queue[1:]
	*q = next.question
	const header = 12
	if len(next.message) >= header && next.message[2]&0x80 != 0 {
		return isOther // a response
	}
	var ok bool
	if p.name, ok = readQuestion(next.message, p.name[:0], q); !ok {
		return isBad
	}
	if q.time <= 0 {
		return isTimeless
	}
	return isQuestion
}

// packet takes in a packet.
func (p *pcap) packet(packet gopacket.Packet, time int64) {
	network := packet.NetworkLayer()
	if network == nil {
		return
	}
	from, ok1 := netip.AddrFromSlice(network.NetworkFlow().Src().Raw())
	to, ok2 := netip.AddrFromSlice(network.NetworkFlow().Dst().Raw())
	if !ok1 || !ok2 {
		return
	}
	at := question{time: time, transport: spftrack.TransportUDP}
	switch t := packet.TransportLayer().(type) {
	case *layers.UDP:
		if t.DstPort != portDNS {
			return
		}
		at.client = netip.AddrPortFrom(from.Unmap(), uint16(t.SrcPort))
		p.queue = append(p.queue, tcpQuestion{at, t.Payload})
	case *layers.TCP:
		at.transport = spftrack.TransportTCP
		switch {
		case t.DstPort == portDNS:
			at.client = netip.AddrPortFrom(from.Unmap(), uint16(t.SrcPort))
			p.queue = p.flows.fromClient(flowKey{at.client, to.Unmap()}, t, at, p.queue)
		case t.SrcPort == portDNS:
			p.flows.fromServer(flowKey{netip.AddrPortFrom(to.Unmap(), uint16(t.DstPort)), from.Unmap()}, t)
		}
	}
}

// flowKey is a connection to port 53 of a server.
type flowKey struct {
	client netip.AddrPort
	server netip.Addr
}

// flow is what a client sends.
type flow struct {
	// next is the number of its next byte; server that of the first byte of the server, once
	// answered: it has accepted the connection. proven: the client knows that number.
	next, server     uint32
	answered, proven bool
	// rest is the begin of a message.
	rest []byte
}

// flowTable are the connections, the newest maxFlows at least.
type flowTable struct {
	fresh, old map[flowKey]*flow
}

const (
	maxFlows = 1 << 13
	// maxQuery bounds a query over TCP. The name has 255 bytes.
	maxQuery = 4096
)

func (t *flowTable) get(key flowKey) *flow {
	if f := t.fresh[key]; f != nil {
		return f
	}
	return t.old[key]
}

func (t *flowTable) put(key flowKey, f *flow) {
	if len(t.fresh) >= maxFlows {
		t.old, t.fresh = t.fresh, nil
	}
	if t.fresh == nil {
		t.fresh = make(map[flowKey]*flow)
	}
	t.fresh[key] = f
}

func (t *flowTable) remove(key flowKey) {
	delete(t.fresh, key)
	delete(t.old, key)
}

// fromServer takes in a segment of a server: what matters is that it accepts a connection.
func (t *flowTable) fromServer(key flowKey, s *layers.TCP) {
	if f := t.get(key); f != nil && s.SYN && s.ACK && s.Ack == f.next {
		f.answered, f.server = true, s.Seq+1
	}
}

// fromClient takes in a segment of a client and appends the queries that it completes.
func (t *flowTable) fromClient(key flowKey, s *layers.TCP, at question, queue []tcpQuestion) []tcpQuestion {
	if s.SYN {
		t.put(key, &flow{next: s.Seq + 1})
		return queue
	}
	f := t.get(key)
	if f == nil {
		if len(s.Payload) == 0 {
			return queue
		}
		// The capture began later.
		f = &flow{next: s.Seq}
		t.put(key, f)
	}
	if s.ACK && f.answered && s.Ack-f.server < 1<<20 {
		f.proven = true
	}
	behind := int32(f.next - s.Seq)
	switch {
	case s.RST:
		t.remove(key)
		return queue
	case behind < 0:
		t.remove(key) // a segment is missing
		return append(queue, tcpQuestion{question: at})
	case int(behind) < len(s.Payload):
		fresh := s.Payload[behind:]
		f.next += uint32(len(fresh))
		f.rest = append(f.rest, fresh...)
	}
	at.verified = f.proven
	for len(f.rest) >= 2 {
		n := 2 + int(binary.BigEndian.Uint16(f.rest))
		if n > maxQuery {
			t.remove(key)
			return append(queue, tcpQuestion{question: at})
		}
		if len(f.rest) < n {
			break
		}
		queue = append(queue, tcpQuestion{at, slices.Clone(f.rest[2:n])})
		f.rest = slices.Clone(f.rest[n:])
	}
	if s.FIN {
		t.remove(key)
	}
	return queue
}
