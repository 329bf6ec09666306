package verify

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// TestHostileServers checks that none of what a server may send passes for
// the right answer, and that a right answer that comes after it does.
func TestHostileServers(t *testing.T) {
	t.Parallel()
	p := publish(t, nil, "a.example,,,")
	for _, c := range []struct {
		what string
		// make changes the right answer.
		make func(m *dns.Msg) [][]byte
		// want is part of the only finding, or of each of several.
		want string
		// last is set when the packets are answers, so that no other is heard.
		last bool
	}{
		{"wrong ID", func(m *dns.Msg) [][]byte { m.Id++; return [][]byte{pack(t, m)} }, "answers that do not match the query were ignored", false},
		{"wrong name", func(m *dns.Msg) [][]byte {
			m.Question[0].Name = "b" + m.Question[0].Name
			return [][]byte{pack(t, m)}
		}, "answers that do not match", false},
		{"wrong type", func(m *dns.Msg) [][]byte { m.Question[0].Qtype = dns.TypeA; return [][]byte{pack(t, m)} }, "answers that do not match", false},
		{"wrong class", func(m *dns.Msg) [][]byte {
			m.Question[0].Qclass = dns.ClassCHAOS
			return [][]byte{pack(t, m)}
		}, "answers that do not match", false},
		{"two questions", func(m *dns.Msg) [][]byte {
			m.Question = append(m.Question, m.Question[0])
			return [][]byte{pack(t, m)}
		}, "answers that do not match", false},
		{"no question", func(m *dns.Msg) [][]byte { m.Question = nil; return [][]byte{pack(t, m)} }, "answers that do not match", false},
		{"a query", func(m *dns.Msg) [][]byte { m.Response = false; return [][]byte{pack(t, m)} }, "answers that do not match", false},
		{"other opcode", func(m *dns.Msg) [][]byte { m.Opcode = dns.OpcodeNotify; return [][]byte{pack(t, m)} }, "answers that do not match", false},
		{"empty", func(*dns.Msg) [][]byte { return [][]byte{{}} }, "malformed answers were ignored", false},
		{"header alone", func(m *dns.Msg) [][]byte { return [][]byte{pack(t, m)[:headerSize]} }, "answers that do not match", false},
		{"cut", func(m *dns.Msg) [][]byte {
			var cut [][]byte
			packet := pack(t, m)
			for n := 0; n < len(packet); n += 10 {
				cut = append(cut, packet[:n])
			}
			return cut
		}, "were ignored", false},
		{"lying counts", func(m *dns.Msg) [][]byte {
			var lies [][]byte
			for at := 4; at < headerSize; at += 2 {
				packet := pack(t, m)
				binary.BigEndian.PutUint16(packet[at:], 0xffff)
				lies = append(lies, packet)
			}
			return lies
		}, "were ignored", false},
		{"garbage", func(m *dns.Msg) [][]byte {
			packet := pack(t, m)
			garbage := slices.Concat(packet[:headerSize], bytes.Repeat([]byte{0xc0, 0x0c}, 2500))
			return [][]byte{bytes.Repeat([]byte{0xff}, 2000), garbage, bytes.Repeat(packet, 100)}
		}, "were ignored", false},

		{"refused by a header", func(m *dns.Msg) [][]byte {
			m.Rcode, m.Question, m.Answer = dns.RcodeRefused, nil, nil
			return [][]byte{pack(t, m)}
		}, " 0 served a.example []: the server answers REFUSED", true},
		{"unknown RCODE", func(m *dns.Msg) [][]byte { m.Rcode = 14; return [][]byte{pack(t, m)} }, " 0 served a.example []: the server answers RCODE 14", true},
		{"no AA", func(m *dns.Msg) [][]byte { m.Authoritative = false; return [][]byte{pack(t, m)} }, " 0 served a.example []: the answer is not authoritative", true},
		{"empty answer", func(m *dns.Msg) [][]byte { m.Answer = nil; return [][]byte{pack(t, m)} }, "a.example []: the ", true},
		{"other owner", func(m *dns.Msg) [][]byte {
			for _, rr := range m.Answer {
				rr.Header().Name = "b.example."
			}
			return [][]byte{pack(t, m)}
		}, "a.example []: the ", true},
		{"other class", func(m *dns.Msg) [][]byte {
			for _, rr := range m.Answer {
				rr.Header().Class = dns.ClassHESIOD
			}
			return [][]byte{pack(t, m)}
		}, "a.example []: the ", true},
		{"empty RDATA", func(m *dns.Msg) [][]byte {
			h := m.Answer[0].Header()
			m.Answer = []dns.RR{&dns.ANY{Hdr: dns.RR_Header{Name: h.Name, Rrtype: h.Rrtype, Class: h.Class}}}
			return [][]byte{pack(t, m)}
		}, "a.example [", true},
		{"twice the records", func(m *dns.Msg) [][]byte { m.Answer = append(m.Answer, m.Answer...); return [][]byte{pack(t, m)} }, "a.example [", true},
		{"truncated, nothing over TCP", func(m *dns.Msg) [][]byte { m.Truncated = true; return [][]byte{pack(t, m)} }, "the answer over UDP is truncated, and TCP fails: connection refused", true},
		{"truncated within the question's records", func(m *dns.Msg) [][]byte {
			m.Truncated = true
			packet := pack(t, m)
			return [][]byte{packet[:len(packet)-3]}
		}, "the answer over UDP is truncated, and TCP fails: connection refused", true},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			bad := serveFake(t, func(q *dns.Msg) [][]byte { return c.make(p.answer(t, q)) }, nil)
			settings := Settings{Servers: []netip.AddrPort{bad.address}, Timeout: 100 * time.Millisecond, Retries: 1}
			if c.last {
				settings.Timeout = 5 * time.Second
			}
			lines, _, sum := p.run(t, settings)
			if !c.last && (len(lines) != 1 || sum.Unanswered != 1 || !strings.HasPrefix(lines[0], " 0 answer ")) || len(lines) == 0 {
				t.Errorf("%d findings, %+v", len(lines), sum)
			}
			for _, l := range lines {
				if !strings.Contains(l, c.want) {
					t.Errorf("finding %q, want %q", l, c.want)
				}
			}
			if c.last {
				return
			}
			late := serveFake(t, func(q *dns.Msg) [][]byte { return append(c.make(p.answer(t, q)), pack(t, p.answer(t, q))) }, nil)
			// One query at a time: the socket must hold all that comes.
			settings.Servers, settings.Timeout, settings.Concurrency = []netip.AddrPort{late.address}, 5*time.Second, 1
			lines, _, _ = p.run(t, settings)
			wantLines(t, lines, nil)
		})
	}
}

// TestHostileTCP has every answer truncated, and something wrong over TCP.
func TestHostileTCP(t *testing.T) {
	t.Parallel()
	p := publish(t, nil, "a.example,,,")
	truncated := func(q *dns.Msg) [][]byte {
		m := p.answer(t, q)
		m.Truncated = true
		return [][]byte{pack(t, m)}
	}
	for _, c := range []struct {
		what string
		make func(m *dns.Msg) [][]byte
		want string // "" for no finding
	}{
		{"right", func(m *dns.Msg) [][]byte { return [][]byte{withSize(pack(t, m))} }, ""},
		{"closed", func(*dns.Msg) [][]byte { return nil }, "EOF"},
		{"stalled", func(*dns.Msg) [][]byte { time.Sleep(time.Second); return nil }, "i/o timeout"},
		{"half", func(m *dns.Msg) [][]byte { return [][]byte{withSize(pack(t, m))[:20]} }, "unexpected EOF"},
		{"no message", func(*dns.Msg) [][]byte { return [][]byte{{0, 0}} }, "malformed"},
		{"cut", func(m *dns.Msg) [][]byte { packet := pack(t, m); return [][]byte{withSize(packet[:len(packet)-1])} }, "malformed"},
		{"wrong ID", func(m *dns.Msg) [][]byte { m.Id++; return [][]byte{withSize(pack(t, m))} }, "do not match"},
		{"truncated too", func(m *dns.Msg) [][]byte { m.Truncated = true; return [][]byte{withSize(pack(t, m))} }, "truncated there too"},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			s := serveFake(t, truncated, func(q *dns.Msg) [][]byte { return c.make(p.answer(t, q)) })
			settings := Settings{Servers: []netip.AddrPort{s.address}, Timeout: 5 * time.Second}
			if c.what == "stalled" {
				settings.Timeout = quick
			}
			lines, _, _ := p.run(t, settings)
			if c.want == "" {
				wantLines(t, lines, nil)
			} else if len(lines) != 1 || !strings.Contains(lines[0], c.want) {
				t.Errorf("findings %q, want %q", lines, c.want)
			}
		})
	}
}

// TestLongTexts bounds what a finding keeps of an answer.
func TestLongTexts(t *testing.T) {
	t.Parallel()
	p := publish(t, nil, "a.example,,,")
	s := serveFake(t, func(q *dns.Msg) [][]byte {
		m := p.answer(t, q)
		m.Truncated = true
		return [][]byte{pack(t, m)}
	}, func(q *dns.Msg) [][]byte {
		m := p.answer(t, q)
		for _, rr := range m.Answer {
			if txt, ok := rr.(*dns.TXT); ok {
				txt.Txt = append([]string{"v=spf1 "}, slices.Repeat([]string{strings.Repeat("\x1b", 255)}, 100)...)
			}
		}
		return [][]byte{withSize(pack(t, m))}
	})
	_, findings, _ := p.run(t, Settings{Servers: []netip.AddrPort{s.address}})
	if len(findings) == 0 {
		t.Error("no finding")
	}
	for _, f := range findings {
		if len(f.Have) > maxHave+3 {
			t.Errorf("%s: %d bytes", f.Name, len(f.Have))
		}
	}
}

// TestAcceptWholeMessages cuts an answer at each byte, and appends one.
func TestAcceptWholeMessages(t *testing.T) {
	t.Parallel()
	p := publish(t, nil, "a.example,,,")
	asks := new(dns.Msg).SetQuestion("a.example.", dns.TypeTXT)
	packet := pack(t, p.answer(t, asks))
	q := query{id: asks.Id, name: "a.example.", rrtype: dns.TypeTXT}
	if m, err := q.accept(packet); err != nil || len(m.Answer) != 3 {
		t.Errorf("%v, %v", m, err)
	}
	for n := range packet {
		if m, err := q.accept(packet[:n]); err == nil {
			t.Errorf("accepted after %d of %d bytes: %v", n, len(packet), m)
		}
	}
	if m, err := q.accept(append(packet, 0)); err == nil {
		t.Errorf("accepted with a byte too many: %v", m)
	}
}

// FuzzAccept checks that what is taken for an answer is one.
func FuzzAccept(f *testing.F) {
	const name = "brand.example."
	q := new(dns.Msg).SetQuestion(name, dns.TypeTXT)
	q.Id = 0x1234
	m := new(dns.Msg).SetReply(q)
	m.Answer = []dns.RR{&dns.TXT{Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeTXT, Class: dns.ClassINET}, Txt: []string{"v=spf1 -all"}}}
	packet := pack(f, m)
	f.Add(packet)
	f.Add(packet[:headerSize])
	f.Add(packet[:len(packet)-1])
	m.Truncated = true
	f.Add(pack(f, m))
	f.Fuzz(func(t *testing.T, packet []byte) {
		qs := []query{{id: 1, name: "a.example.", rrtype: dns.TypeMX}, {id: 0x1234, name: name, rrtype: dns.TypeTXT}}
		if err := acceptAny(qs, packet); err != nil {
			if qs[0].msg != nil || qs[1].msg != nil {
				t.Error("an answer beside an error")
			}
			return
		}
		for i := range qs {
			m := qs[i].msg
			if m == nil {
				continue
			}
			if m.Id != qs[i].id || !m.Response || len(m.Question) == 0 && m.Rcode == dns.RcodeSuccess {
				t.Errorf("accepted: %v", m)
			}
			if len(m.Question) > 0 && (m.Question[0].Qtype != qs[i].rrtype || !strings.EqualFold(m.Question[0].Name, qs[i].name)) {
				t.Errorf("accepted: %v", m)
			}
			for _, rr := range m.Answer {
				_ = rdata(rr)
			}
		}
	})
}
