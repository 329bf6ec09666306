package loadtest

import (
	"encoding/binary"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync/atomic"

	"golang.org/x/net/ipv4"
)

// flood sends queries as fast as it can, each from another source address of
// 127.0.0.0/8, and throws the answers away. One in eight goes the slow way. It
// returns the number of those sent so far.
func (l *load) flood(to netip.AddrPort, s *stream) (sent *atomic.Int64) {
	l.t.Helper()
	conn, err := net.ListenUDP("udp4", nil)
	if err != nil {
		l.t.Fatal(err)
	}
	sent = new(atomic.Int64)
	batch := ipv4.NewPacketConn(conn)
	l.reading.Go(func() {
		l.receive(conn, batch, func([]byte) error { return nil })
		_ = conn.Close()
	})
	// Making addresses costs more than sending.
	oobs := make([][]byte, 1<<14)
	for i := range oobs {
		source := binary.BigEndian.AppendUint32(nil, 127<<24|rand.Uint32N(1<<24-2)+1)
		oobs[i] = (&ipv4.ControlMessage{Src: source}).Marshal()
	}
	l.sending.Go(func() {
		messages := newMessages(512)
		for i := range messages {
			messages[i].Addr = net.UDPAddrFromAddrPort(to)
			b := messages[i].Buffers[0]
			messages[i].Buffers[0] = b[:s.put(b, 0)]
		}
		for number := int64(0); ; {
			select {
			case <-l.stop:
				return
			default:
			}
			for i := range messages {
				s.put(messages[i].Buffers[0], number)
				if number%8 == 0 {
					messages[i].Buffers[0][2] = 5 << 3 // an update
				}
				messages[i].OOB = oobs[number%int64(len(oobs))]
				number++
			}
			n, err := batch.WriteBatch(messages, 0)
			if err != nil && !l.tolerant {
				l.fail(err)
				return
			}
			sent.Add(int64(max(n, 0)))
		}
	})
	return sent
}
