package loadtest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"nullspf/internal/peers"
	"nullspf/internal/torture"
)

// signedTransfer is a request for a transfer of a published zone.
type signedTransfer struct {
	name, secret, algorithm string
	// at is when it is signed.
	at time.Time
	// edit changes the message once it is signed.
	edit func(m []byte) []byte
}

// message makes the request.
func (s signedTransfer) message(t *testing.T) []byte {
	t.Helper()
	m := new(dns.Msg).SetAxfr(publishedZones[0] + ".")
	m.Id = 0x4f4f
	if s.name == "" {
		b, err := m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	m.SetTsig(s.name, s.algorithm, 300, s.at.Unix())
	b, _, err := dns.TsigGenerate(m, s.secret, "", false)
	if err != nil {
		t.Fatal(err)
	}
	if s.edit != nil {
		b = s.edit(bytes.Clone(b))
	}
	return b
}

// tsigTable are requests, and what becomes of them.
func tsigTable(now time.Time) (names []string, requests map[string]signedTransfer, want map[string]string) {
	requests, want = make(map[string]signedTransfer), make(map[string]string)
	right := signedTransfer{transferKey + ".", transferSecret, dns.HmacSHA256, now, nil}
	add := func(name, result string, change func(s *signedTransfer)) {
		s := right
		change(&s)
		names, requests[name], want[name] = append(names, name), s, result
	}
	// The record begins with the name of the key.
	record := func(m []byte) int { return bytes.LastIndex(m, []byte("\x03xfr")) }
	const fixed = len(transferKey) + 2
	add("right", "NOERROR", func(*signedTransfer) {})
	add("not signed", "REFUSED", func(s *signedTransfer) { s.name = "" })
	add("another key", "NOTAUTH BADKEY", func(s *signedTransfer) { s.name = "other." })
	add("another secret", "NOTAUTH BADSIG", func(s *signedTransfer) { s.secret = "YW5vdGhlciBzZWNyZXQgb2YgMzIgYnl0ZXMuLi4uLi4=" })
	add("another algorithm", "NOTAUTH BADKEY", func(s *signedTransfer) { s.algorithm = dns.HmacSHA512 })
	add("an hour ago", "NOTAUTH BADTIME", func(s *signedTransfer) { s.at = now.Add(-time.Hour) })
	add("in an hour", "NOTAUTH BADTIME", func(s *signedTransfer) { s.at = now.Add(time.Hour) })
	add("class IN", "FORMERR", func(s *signedTransfer) {
		s.edit = func(m []byte) []byte { binary.BigEndian.PutUint16(m[record(m)+fixed+2:], dns.ClassINET); return m }
	})
	add("TTL 1", "FORMERR", func(s *signedTransfer) {
		s.edit = func(m []byte) []byte { m[record(m)+fixed+7] = 1; return m }
	})
	add("twice", "FORMERR", func(s *signedTransfer) {
		s.edit = func(m []byte) []byte { m[11]++; return append(m, m[record(m):]...) }
	})
	add("not the last record", "FORMERR", func(s *signedTransfer) {
		s.edit = func(m []byte) []byte { m[11]++; return append(m, 0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0) }
	})
	add("cut off", "FORMERR", func(s *signedTransfer) { s.edit = func(m []byte) []byte { return m[:len(m)-9] } })
	return names, requests, want
}

// ask sends a request over TCP and returns what became of it: the RCODE of the
// answer and the error of its TSIG record.
func (s signedTransfer) ask(message []byte, at netip.AddrPort) (string, error) {
	conn, err := net.Dial("tcp", at.String())
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return "", err
	}
	if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(message))), message...)); err != nil {
		return "", err
	}
	frame := make([]byte, 65535)
	if _, err := io.ReadFull(conn, frame[:2]); errors.Is(err, io.EOF) {
		return "closed", nil
	} else if err != nil {
		return "", err
	}
	size := int(binary.BigEndian.Uint16(frame))
	if _, err := io.ReadFull(conn, frame[:size]); err != nil {
		return "", err
	}
	var m dns.Msg
	if err := m.Unpack(frame[:size]); err != nil {
		return "", fmt.Errorf("the answer cannot be read: %w", err)
	}
	result := dns.RcodeToString[m.Rcode]
	if sig := m.IsTsig(); sig != nil && sig.Error != 0 {
		// 16 is BADVERS elsewhere.
		result += " " + map[uint16]string{16: "BADSIG", 17: "BADKEY", 18: "BADTIME", 22: "BADTRUNC"}[sig.Error]
	}
	return result, nil
}

// TestDamagedSignatures asks for transfers with signatures that are wrong in all
// ways, and with right ones of which a bit is changed. Nobody gets a zone so.
func TestDamagedSignatures(t *testing.T) {
	r := torture.Start(t, time.Second)
	output := publish(t)
	s := newSite(t)
	s.servePublished(t, output)
	d := s.start(t)
	names, requests, want := tsigTable(time.Now())
	servers := map[string]netip.AddrPort{"nullspfd": s.at}
	order := []string{"nullspfd"}
	for _, kind := range besides {
		servers[string(kind)] = startBeside(t, kind, output).Address
		order = append(order, string(kind))
	}
	same := make(map[string]int)
	for _, name := range names {
		var row []string
		for _, server := range order {
			got, err := requests[name].ask(requests[name].message(t), servers[server])
			if err != nil {
				got = err.Error()
			}
			row = append(row, server+" "+got)
			if got == want[name] {
				same[server]++
			} else if server == "nullspfd" {
				t.Errorf("%s: %s, want %s", name, got, want[name])
			}
			if (got == "NOERROR") != (name == "right") {
				t.Errorf("%s at %s: %s", name, server, got)
			}
		}
		t.Logf("%-20s %s", name, strings.Join(row, ", "))
	}
	for _, server := range order {
		r.Figure(server, "%d of %d as RFC 8945 says", same[server], len(names))
	}

	right := requests["right"]
	whole := right.message(t)
	for n := 0; r.More(200); n++ {
		if right.at = time.Now(); n%100 == 0 {
			whole = right.message(t)
		}
		bit := r.Rand.IntN(8 * len(whole))
		damaged := bytes.Clone(whole)
		damaged[bit/8] ^= 1 << (bit % 8)
		// What no signature covers: the ID, the case of names (RFC 4034 section
		// 6.2), the sign of the TTL, with which it is 0 (RFC 2181 section 8).
		record := bytes.LastIndex(whole, []byte("\x03xfr"))
		free := bit/8 < 2 || bit/8 == record+len(transferKey)+2+4 && bit%8 == 7
		if letter := damaged[bit/8] | 0x20; bit%8 == 5 && bit/8 > record && 'a' <= letter && letter <= 'z' {
			free = true
		}
		// A response is not a request.
		if free || damaged[2]&0x80 != 0 {
			continue
		}
		got, err := right.ask(damaged, servers["nullspfd"])
		r.Count("damaged requests", 1)
		if err != nil || got == "NOERROR" {
			t.Errorf("bit %d of % x: %s, %v", bit, whole, got, err)
		}
	}
	if _, there := peers.Serial(t.Context(), s.at, publishedZones[0]); !there {
		t.Error("the zone is not served any more")
	}
	d.stop(t)
}
