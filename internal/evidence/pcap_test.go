package evidence

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

// TestGrowingPcap: a capture that is being written is read as far as it is whole, and
// connections go on in what comes later.
func TestGrowingPcap(t *testing.T) {
	t.Parallel()
	whole, err := os.ReadFile("testdata/tcpdump-any-sll2.pcap")
	if err != nil {
		t.Fatal(err)
	}
	path := copyOf(t, "tcpdump-any-sll2.pcap")
	i := newImport(t, path)
	i.Format = Pcap
	events := uint64(0)
	for size := 10; ; size = min(size+1500, len(whole)) {
		writeFile(t, path, whole[:size])
		r := i.run(t)
		if events += r.Events; size == len(whole) && r.Files[0].Cut {
			t.Errorf("%+v", r.Files[0])
		}
		if size == len(whole) {
			break
		}
	}
	tcp := 0
	all := rows(t, i.Dir)
	for _, row := range all {
		if row.Transport == "tcp" {
			if tcp++; !row.SourceVerified {
				t.Errorf("%+v", row)
			}
		}
	}
	if events != 37 || len(all) != 37 || tcp == 0 {
		t.Errorf("%d events, %d in the journal, %d over TCP", events, len(all), tcp)
	}
	for name, text := range map[string][]byte{"text": []byte("hello"), "pcapng": {0x0a, 0x0d, 0x0d, 0x0a, 0, 0, 0, 0}} {
		writeFile(t, path, text)
		if _, err := i.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "no capture in the format of libpcap") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// segment is a TCP segment of a capture.
type segment struct {
	server       bool
	seq, ack     uint32
	flags, bytes string
}

// capture is a file with the segments of one connection.
func capture(t *testing.T, segments []segment) []byte {
	t.Helper()
	var b bytes.Buffer
	w := pcapgo.NewWriter(&b)
	if err := w.WriteFileHeader(65535, layers.LinkTypeRaw); err != nil {
		t.Fatal(err)
	}
	for _, s := range segments {
		ip := &layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolTCP, SrcIP: netip.MustParseAddr("203.0.113.70").AsSlice(), DstIP: netip.MustParseAddr("192.0.2.31").AsSlice()}
		tcp := &layers.TCP{SrcPort: 40001, DstPort: 53, Seq: s.seq, Ack: s.ack, Window: 1000,
			SYN: strings.Contains(s.flags, "S"), ACK: strings.Contains(s.flags, "A"), FIN: strings.Contains(s.flags, "F"), RST: strings.Contains(s.flags, "R")}
		if s.server {
			ip.SrcIP, ip.DstIP, tcp.SrcPort, tcp.DstPort = ip.DstIP, ip.SrcIP, 53, 40001
		}
		if err := tcp.SetNetworkLayerForChecksum(ip); err != nil {
			t.Fatal(err)
		}
		buf := gopacket.NewSerializeBuffer()
		if err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, ip, tcp, gopacket.Payload(s.bytes)); err != nil {
			t.Fatal(err)
		}
		info := gopacket.CaptureInfo{Timestamp: time.Unix(1795777679, 0), CaptureLength: len(buf.Bytes()), Length: len(buf.Bytes())}
		if err := w.WritePacket(info, buf.Bytes()); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

// TestConnections: a source is verified by the handshake only; what a capture lacks, or has
// twice, makes no query.
func TestConnections(t *testing.T) {
	t.Parallel()
	query := "\x00\x01\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01x\x04_spf\x06keeper\x04test\x00\x00\x10\x00\x01"
	message := string(binary.BigEndian.AppendUint16(nil, uint16(len(query)))) + query
	half := len(message) / 2
	const c, s = 1000, 0xffffffff // the server's numbers wrap around
	open := []segment{{false, c, 0, "S", ""}, {true, s, c + 1, "SA", ""}, {false, c + 1, 0, "A", ""}}
	after := uint32(len(message))
	for _, k := range []struct {
		what                     string
		segments                 []segment
		questions, verified, bad int
	}{
		{"one", append(open[:3:3], segment{false, c + 1, 0, "A", message}), 1, 1, 0},
		{"in two parts, one of them twice", append(open[:3:3], segment{false, c + 1, 0, "A", message[:half]}, segment{false, c + 1, 0, "A", message[:half]}, segment{false, c + 1, 0, "A", message}), 1, 1, 0},
		{"two in a segment", append(open[:3:3], segment{false, c + 1, 0, "A", message + message}), 2, 2, 0},
		{"without the server", []segment{open[0], open[2], {false, c + 1, 0, "A", message}}, 1, 0, 0},
		{"of a stranger, who does not know the number", []segment{open[0], open[1], {false, c + 1, 1 << 30, "A", message}}, 1, 0, 0},
		{"refused by the server", []segment{open[0], {true, 0, c + 1, "RA", ""}, {false, c + 1, 0, "A", message}}, 1, 0, 0},
		{"in the middle", []segment{{false, c + 1, 0, "A", message}}, 1, 0, 0},
		{"a part is missing", append(open[:3:3], segment{false, c + 1 + 2, 0, "A", message}), 0, 0, 1},
		{"reset", append(open[:3:3], segment{false, c + 1, 0, "A", message[:half]}, segment{false, c + 1, 0, "R", ""}, segment{false, c + 1 + uint32(half), 0, "A", message[half:]}), 0, 0, 1},
		{"too long", append(open[:3:3], segment{false, c + 1, 0, "A", "\xff\xff" + message}), 0, 0, 1},
		{"a response", append(open[:3:3], segment{false, c + 1, 0, "A", strings.Replace(message, "\x00\x01\x01", "\x00\x01\x81", 1)}), 0, 0, 0},
		{"another behind it", append(open[:3:3], segment{false, c + 1, 0, "A", message}, segment{false, c + 1 + after, 0, "AF", message}), 2, 2, 0},
	} {
		p := &pcap{in: newReader(bytes.NewReader(capture(t, k.segments)))}
		questions, verified, bad := 0, 0, 0
		for {
			var q question
			what, err := p.next(&q)
			if err != nil {
				break
			}
			switch what {
			case isQuestion:
				questions++
				if q.verified {
					verified++
				}
			case isBad:
				bad++
			}
		}
		if questions != k.questions || verified != k.verified || bad != k.bad {
			t.Errorf("%s: %d questions, %d verified, %d bad", k.what, questions, verified, bad)
		}
	}
}
