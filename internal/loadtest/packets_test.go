package loadtest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/miekg/dns"

	"nullspf/internal/peers"
	"nullspf/internal/torture"
)

// seedPackets are messages that are as they should be.
func seedPackets(t *testing.T) (seeds [][]byte) {
	t.Helper()
	add := func(m *dns.Msg, options ...dns.EDNS0) {
		if options != nil {
			m.SetEdns0(1232, true).IsEdns0().Option = options
		}
		b, err := m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		seeds = append(seeds, b)
	}
	query := func(name string, qtype uint16) *dns.Msg { return new(dns.Msg).SetQuestion(name, qtype) }
	tracked := "198.51.100.7.in-addr.CL.shop.example.FD.1." + trackingZone + "."
	zone := publishedZones[0] + "."
	add(query(tracked, dns.TypeA))
	add(query("mail.example.org.HE.user.LP.198.51.100.7.in-addr.CL.shop.example.FD.2."+trackingZone+".", dns.TypeTXT))
	add(query(trackingZone+".", dns.TypeSOA), &dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: "0123456789abcdef0123456789abcdef"})
	add(query(trackingZone+".", dns.TypeNS), &dns.EDNS0_SUBNET{Code: dns.EDNS0SUBNET, Family: 1, SourceNetmask: 24, Address: net.IPv4(192, 0, 2, 0)})
	add(query(tracked, dns.TypeANY), &dns.EDNS0_LOCAL{Code: 65001, Data: []byte("unknown")}, &dns.EDNS0_NSID{Code: dns.EDNS0NSID})
	add(query(zone, dns.TypeTXT), &dns.EDNS0_PADDING{Padding: make([]byte, 100)})
	add(query("www."+zone, dns.TypeMX))
	add(query("*._domainkey."+zone, dns.TypeTXT))
	add(query("none.example.", dns.TypeA))
	add(new(dns.Msg).SetNotify(zone))
	add(new(dns.Msg).SetIxfr(zone, 1, "ns1.example.net.", "hostmaster.example.net."))
	add(new(dns.Msg).SetAxfr(zone))
	update := new(dns.Msg).SetUpdate(zone)
	update.Insert([]dns.RR{&dns.A{Hdr: dns.RR_Header{Name: "x." + zone, Rrtype: dns.TypeA, Class: dns.ClassINET}, A: net.IPv4(192, 0, 2, 1)}})
	add(update)
	signed := query(zone, dns.TypeSOA)
	signed.SetTsig(transferKey+".", dns.HmacSHA256, 300, time.Now().Unix())
	b, _, err := dns.TsigGenerate(signed, transferSecret, "", false)
	if err != nil {
		t.Fatal(err)
	}
	seeds = append(seeds, b)
	// A name that points at itself, and one that points behind the end.
	for _, pointer := range [][]byte{{0xc0, 12}, {0xc0, 0xff}, {1, 'a', 0xc0, 12}} {
		m := append([]byte{0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0}, pointer...)
		seeds = append(seeds, append(m, 0, 1, 0, 1))
	}
	return seeds
}

// mutate returns a damaged message, which has the ID if it has room for it.
func mutate(random *rand.Rand, seeds [][]byte, id uint16) []byte {
	pick := func() []byte { return seeds[random.IntN(len(seeds))] }
	m := bytes.Clone(pick())
	for range random.IntN(5) {
		if len(m) == 0 {
			break
		}
		at := random.IntN(len(m))
		switch random.IntN(8) {
		case 0:
			m[at] ^= 1 << random.IntN(8)
		case 1:
			m[at] = []byte{0, 1, 12, 0x3f, 0x40, 0x7f, 0x80, 0xc0, 0xff}[random.IntN(9)]
		case 2:
			m = m[:at]
		case 3:
			m = append(m, make([]byte, random.IntN(64))...)
		case 4: // the counts of the sections
			if len(m) >= 12 {
				m[5+2*random.IntN(4)] = byte(random.IntN(4))
			}
		case 5: // opcode and flags
			if len(m) > 3 {
				m[2], m[3] = byte(random.Uint32()), byte(random.Uint32())
			}
		case 6: // the end of another message
			other := pick()
			m = append(m[:at], other[min(at, len(other)):]...)
		case 7: // a part twice
			to := at + random.IntN(len(m)-at)
			m = append(m[:to:to], m[at:]...)
		}
	}
	if len(m) > 2000 {
		m = m[:2000]
	}
	if len(m) >= 2 {
		binary.BigEndian.PutUint16(m, id)
	}
	return m
}

// mute reports whether a message must not be answered: it has no whole header, or
// is an answer itself.
func mute(m []byte) bool { return len(m) < 12 || m[2]&0x80 != 0 }

// judge says what is wrong with an answer, by a second parser of messages.
func judge(query, answer []byte, udp bool) error {
	var m dns.Msg
	if err := m.Unpack(answer); err != nil {
		return fmt.Errorf("it cannot be read: %w", err)
	}
	switch {
	case mute(query):
		return errors.New("there must be none")
	case !m.Response || m.Id != binary.BigEndian.Uint16(query):
		return errors.New("it is not the answer to this query")
	case m.Opcode != int(query[2]>>3&15):
		return errors.New("it has another opcode")
	case udp && len(answer) > 1232:
		return errors.New("it is too long for UDP")
	case m.Rcode == dns.RcodeSuccess && len(m.Question) != 1:
		return fmt.Errorf("it has %d questions", len(m.Question))
	case len(m.Question) == 1 && !bytes.HasPrefix(query[12:], wireQuestion(answer)):
		return errors.New("it has another question")
	}
	return nil
}

// wireQuestion is the question of a message with one, as it stands in it.
func wireQuestion(m []byte) []byte {
	end := 12
	for end < len(m) && m[end] != 0 && m[end] < 0xc0 {
		end += 1 + int(m[end])
	}
	return m[12:min(len(m), end+5)]
}

// packetCounts is what became of damaged messages.
type packetCounts struct{ sent, mute, answered, wrong int }

// window is how many messages are on their way: no socket drops so few.
const window = 64

// mutatedUDP sends damaged messages until more returns false, and waits for
// answers with patience. wrong is told what is wrong with them.
func mutatedUDP(t *testing.T, random *rand.Rand, at netip.AddrPort, patience time.Duration, more func() bool, wrong func(error)) (c packetCounts) {
	t.Helper()
	seeds := seedPackets(t)
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(at))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	answer := make([]byte, 65535)
	for first := 0; more(); first += window {
		var queries [window][]byte
		due := 0
		for i := range queries {
			queries[i] = mutate(random, seeds, uint16(first+i))
			if _, err := conn.Write(queries[i]); err != nil {
				t.Fatal(err)
			}
			c.sent++
			if mute(queries[i]) {
				c.mute++
			} else {
				due++
			}
		}
		for due > 0 {
			if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
				t.Fatal(err)
			}
			n, err := conn.Read(answer)
			if errors.Is(err, os.ErrDeadlineExceeded) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if n < 2 {
				wrong(fmt.Errorf("an answer of %d bytes", n))
				continue
			}
			query := queries[(int(binary.BigEndian.Uint16(answer))-first)&(window-1)]
			c.answered++
			due--
			if err := judge(query, answer[:n], true); err != nil {
				c.wrong++
				wrong(fmt.Errorf("%w\nquery    % x\nanswer   % x", err, query, answer[:n]))
			}
		}
		if due > 0 {
			wrong(fmt.Errorf("%d of %d messages are not answered", due, window))
		}
	}
	return c
}

// mutatedTCP sends damaged messages one after the other, over a new connection
// when the server has closed one.
func mutatedTCP(t *testing.T, random *rand.Rand, at netip.AddrPort, more func() bool, wrong func(error)) (c packetCounts) {
	t.Helper()
	seeds := seedPackets(t)
	frame := make([]byte, 2+65535)
	var conn net.Conn
	defer func() {
		if conn != nil {
			_ = conn.Close()
		}
	}()
	for more() {
		if conn == nil {
			var err error
			if conn, err = net.Dial("tcp", at.String()); err != nil {
				t.Fatal(err)
			}
		}
		query := mutate(random, seeds, uint16(c.sent))
		binary.BigEndian.PutUint16(frame, uint16(len(query)))
		n := copy(frame[2:], query)
		if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write(frame[:2+n]); err != nil {
			t.Fatal(err)
		}
		c.sent++
		_, err := io.ReadFull(conn, frame[:2])
		if mute(query) {
			c.mute++
			if !errors.Is(err, io.EOF) {
				wrong(fmt.Errorf("over TCP, %v instead of the end of the connection\nquery    % x", err, query))
			}
			_ = conn.Close()
			conn = nil
			continue
		}
		size := int(binary.BigEndian.Uint16(frame))
		if err == nil {
			_, err = io.ReadFull(conn, frame[2:2+size])
		}
		if err != nil {
			wrong(fmt.Errorf("over TCP: %w\nquery    % x", err, query))
			_ = conn.Close()
			conn = nil
			continue
		}
		c.answered++
		if err := judge(query, frame[2:2+size], false); err != nil {
			c.wrong++
			wrong(fmt.Errorf("over TCP: %w\nquery    % x\nanswer   % x", err, query, frame[2:2+size]))
		}
	}
	return c
}

// TestMutatedPackets sends damaged messages over UDP and TCP. Each is answered, or
// dropped as no query; a second parser reads the answers; metrics account for every
// one; nothing panics. NSD and Knot DNS get the same over UDP.
func TestMutatedPackets(t *testing.T) {
	r := torture.Start(t, 3*time.Second)
	output := publish(t)
	s := newSite(t)
	s.servePublished(t, output)
	d := s.start(t)
	shown := 0
	wrong := func(err error) {
		if shown++; shown <= 5 {
			t.Error(err)
		}
	}
	// A part of the time for each of two transports and two other servers.
	part := r.Left() / time.Duration(2+len(besides))
	until := func() func() bool {
		end := time.Now().Add(part)
		return func() bool { return time.Now().Before(end) && !t.Failed() }
	}
	overUDP := mutatedUDP(t, r.Fork(1), s.at, time.Second, until(), wrong)
	overTCP := mutatedTCP(t, r.Fork(2), s.at, until(), wrong)
	m := d.settled(t)
	r.Count("messages over UDP", overUDP.sent)
	r.Count("over TCP", overTCP.sent)
	r.Count("answered", overUDP.answered+overTCP.answered)
	r.Count("dropped, being no query", overUDP.mute+overTCP.mute)
	r.Count("wrong or missing", shown)
	for transport, c := range map[string]packetCounts{udp: overUDP, tcp: overTCP} {
		if m.received(transport) != uint64(c.sent) || m.answered(transport) != uint64(c.answered) || m.dropped(transport) != uint64(c.mute) || m.dropped(`"panic"`) != 0 {
			t.Errorf("%s: %+v, but\n%s", transport, c, m.text())
		}
	}
	if got, want := d.health(t).Status, "ok"; got != want {
		t.Errorf("health: %s", got)
	}
	d.stop(t)
	checkDir(t, s.journal)

	for _, kind := range besides {
		p := startBeside(t, kind, output)
		// Much is not answered.
		c := mutatedUDP(t, r.Fork(1), p.Address, 20*time.Millisecond, until(), func(error) {})
		if _, there := peers.Serial(t.Context(), p.Address, publishedZones[0]); !there {
			t.Logf("%s does not answer any more:\n%s", kind, p.Log())
		}
		r.Figure(string(kind), "%.1f %% of %d answered, %d answers wrong", 100*float64(c.answered)/float64(c.sent-c.mute), c.sent-c.mute, c.wrong)
	}
}
