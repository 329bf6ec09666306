package nameserver

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// testNow is a time in ns for tables that are used without a server.
const testNow = int64(1_700_000_000) * int64(time.Second)

// testTable is the table of testConfig.
func testTable(t testing.TB) *table {
	t.Helper()
	c := testConfig()
	k := compiler{serving: &serving{config: c}, secrets: make([]Secret, 1), workers: 1, number: new(memory).Zone}
	tables, err := k.compile()
	if err != nil {
		t.Fatal(err)
	}
	return tables[c.Blocks[0].Listen[0]]
}

var testClient = netip.MustParseAddrPort("192.0.2.99:4242")

// paths are the two ways to an answer.
type paths struct {
	table    *table
	hot, odd query
	bufs     [2][messageSize]byte
}

// answer answers a message on the path that the server takes, and checks what
// holds for every message. nil is no answer.
func (p *paths) answer(t testing.TB, message []byte, tcp bool) []byte {
	t.Helper()
	q := &p.hot
	q.client, q.tcp = testClient, tcp
	q.reset(p.bufs[0][:], copy(p.bufs[0][:], message))
	var o outcome
	switch q.parse() {
	case plain:
		o = p.table.answer(q, nil, testNow)
		// The slow path gives the same answer to what need not go there.
		slow := &p.odd
		slow.client, slow.tcp = testClient, tcp
		slow.reset(p.bufs[1][:], copy(p.bufs[1][:], message))
		if other := p.table.answerOdd(slow, testNow); other != o || !bytes.Equal(slow.buf[:slow.size], q.buf[:q.size]) {
			t.Fatalf("two paths, two answers to % x:\n% x (%d)\n% x (%d)", message, q.buf[:q.size], o, slow.buf[:slow.size], other)
		}
		if slow.tracked != q.tracked || slow.verified != q.verified || slow.subnet != q.subnet || slow.qtype != q.qtype || !bytes.Equal(slow.name(), q.name()) {
			t.Fatalf("two paths, two events for % x", message)
		}
	case odd:
		o = p.table.answerOdd(q, testNow)
	case muteShort:
		if len(message) >= headerSize {
			t.Fatalf("no answer to % x", message)
		}
		return nil
	case muteResponse:
		if message[2]&flagQR == 0 {
			t.Fatalf("no answer to % x", message)
		}
		return nil
	}
	got := q.buf[:q.size]
	p.check(t, message, got, tcp, o)
	return got
}

func (p *paths) check(t testing.TB, message, got []byte, tcp bool, o outcome) {
	t.Helper()
	fail := func(what string) {
		t.Helper()
		t.Fatalf("%s:\nquestion % x\nanswer   % x", what, message, got)
	}
	switch {
	case message[2]&flagQR != 0:
		fail("an answer to an answer")
	case len(got) < headerSize || !bytes.Equal(got[:2], message[:2]) || got[2]&flagQR == 0:
		fail("no answer with this ID")
	case (got[2]^message[2])&maskOpcode != 0 || got[3]&0xe0 != 0:
		fail("wrong flags")
	case got[3]&15 == dns.RcodeNotImplemented && (got[2]&flagRD != 0 || got[3]&flagCD != 0):
		fail("flags of an unknown opcode")
	case got[3]&15 != dns.RcodeNotImplemented && ((got[2]^message[2])&flagRD != 0 || (got[3]^message[3])&flagCD != 0):
		fail("other flags than asked")
	case !tcp && len(got) > maxUDPAnswer:
		fail("too long for UDP")
	case !tcp && binary.BigEndian.Uint16(message[10:]) == 0 && len(got) > plainUDPAnswer:
		fail("too long for UDP without EDNS")
	}
	var m dns.Msg
	if err := m.Unpack(got); err != nil {
		fail("unreadable answer: " + err.Error())
	}
	if end := p.hot.end; len(m.Question) > 0 && !bytes.Equal(got[headerSize:end], message[headerSize:end]) {
		fail("another question")
	}
	for _, rr := range m.Answer {
		if h := rr.Header(); h.Rrtype == dns.TypeA || h.Rrtype == dns.TypeAAAA {
			if !dns.IsSubDomain("ns2._spf.example.net.", dns.CanonicalName(h.Name)) {
				fail("an address")
			}
		}
	}
	if m.Rcode == dns.RcodeNameError || m.Rcode == dns.RcodeServerFailure {
		fail("wrong RCODE")
	}
	if nodata := o == answered && len(m.Answer) == 0 && !m.Truncated; nodata && !tcp && len(got) > 2*len(message) {
		fail("NODATA of more than twice the question")
	}
}

// Every type, at names with and without data.
func TestSweepTypes(t *testing.T) {
	p := &paths{table: testTable(t)}
	for _, name := range []string{"_spf.example.net.", exampleName, "x.2._spf.example.net.", "ns2._spf.example.net.", "example.com."} {
		for _, edns := range []bool{false, true} {
			m := new(dns.Msg)
			m.SetQuestion(name, dns.TypeA)
			if edns {
				m.SetEdns0(1232, false)
			}
			b, err := m.Pack()
			if err != nil {
				t.Fatal(err)
			}
			at := headerSize + len(name) + 1
			for qtype := range 1 << 16 {
				binary.BigEndian.PutUint16(b[at:], uint16(qtype))
				if p.answer(t, b, false) == nil {
					t.Fatalf("no answer to type %d", qtype)
				}
			}
		}
	}
}

// Every opcode, flag and RCODE in the header of a question.
func TestSweepFlags(t *testing.T) {
	p := &paths{table: testTable(t)}
	for _, name := range []string{"_spf.example.net.", exampleName, "example.com."} {
		m := new(dns.Msg)
		m.SetQuestion(name, dns.TypeTXT)
		m.SetEdns0(1232, false)
		b, err := m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		for flags := range 1 << 16 {
			binary.BigEndian.PutUint16(b[2:], uint16(flags))
			got := p.answer(t, b, false)
			if (got == nil) != (flags&0x8000 != 0) {
				t.Fatalf("flags %04x: answer % x", flags, got)
			}
			if got == nil {
				continue
			}
			rcode := int(got[3] & 15)
			if opcode := flags >> 11 & 15; opcode != 0 && rcode != dns.RcodeNotImplemented {
				t.Fatalf("opcode %d: RCODE %d", opcode, rcode)
			} else if opcode == 0 && rcode == dns.RcodeNotImplemented {
				t.Fatalf("flags %04x: NOTIMP", flags)
			}
		}
	}
}

// Every EDNS version, class and section count.
func TestSweepEDNSVersionsClassesCounts(t *testing.T) {
	p := &paths{table: testTable(t)}
	m := new(dns.Msg)
	m.SetQuestion(exampleName, dns.TypeA)
	m.SetEdns0(1232, true)
	b, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	end := headerSize + len(exampleName) + 1 + 4
	for version := range 256 {
		b[end+6] = byte(version)
		got := p.answer(t, b, false)
		var r dns.Msg
		if err := r.Unpack(got); err != nil {
			t.Fatal(err)
		}
		want := dns.RcodeSuccess
		if version != 0 {
			want = dns.RcodeBadVers
		}
		if opt := r.IsEdns0(); r.Rcode != want || opt == nil || opt.Version() != 0 || !opt.Do() {
			t.Fatalf("EDNS version %d: %v", version, &r)
		}
	}
	b[end+6] = 0
	for class := range 1 << 16 {
		binary.BigEndian.PutUint16(b[end-2:], uint16(class))
		want := byte(dns.RcodeRefused)
		if class == dns.ClassINET {
			want = dns.RcodeSuccess
		}
		if got := p.answer(t, b, false); got[3]&15 != want {
			t.Fatalf("class %d: RCODE %d", class, got[3]&15)
		}
	}
	binary.BigEndian.PutUint16(b[end-2:], dns.ClassINET)
	for counts := range 1 << 8 {
		for i, shift := range []int{6, 4, 2, 0} {
			binary.BigEndian.PutUint16(b[4+2*i:], uint16(counts>>shift&3))
		}
		p.answer(t, b, false)
		p.answer(t, b, true)
	}
}

// Questions that end anywhere, with counts that promise more.
func TestSweepTruncatedQuestions(t *testing.T) {
	p := &paths{table: testTable(t)}
	for _, b := range seeds(t) {
		for n := range len(b) {
			got := p.answer(t, b[:n], false)
			if n >= headerSize && b[2]&flagQR == 0 && got == nil {
				t.Fatalf("no answer to % x", b[:n])
			}
			p.answer(t, b[:n], true)
		}
	}
}

// Questions of which bytes are changed at random.
func TestSweepMutations(t *testing.T) {
	p := &paths{table: testTable(t)}
	random := rand.New(rand.NewPCG(1, 2))
	for _, seed := range seeds(t) {
		for range 20000 {
			b := bytes.Clone(seed)
			for range 1 + random.IntN(4) {
				b[random.IntN(len(b))] = byte(random.Uint32())
			}
			p.answer(t, b, random.IntN(2) == 0)
		}
	}
}

// seeds are messages of many kinds.
func seeds(t testing.TB) (out [][]byte) {
	t.Helper()
	add := func(change func(*dns.Msg), extra ...byte) {
		t.Helper()
		m := new(dns.Msg)
		m.SetQuestion(exampleName, dns.TypeA)
		m.Id = 0x1234
		change(m)
		b, err := m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, append(b, extra...))
	}
	opt := func(m *dns.Msg, options ...dns.EDNS0) {
		m.SetEdns0(1232, true)
		m.IsEdns0().Option = options
	}
	add(func(*dns.Msg) {})
	add(func(m *dns.Msg) { m.SetQuestion("x.2._SPF.example.net.", dns.TypeTXT) })
	add(func(m *dns.Msg) { m.SetQuestion("_spf.example.net.", dns.TypeSOA) })
	add(func(m *dns.Msg) { m.SetQuestion("_spf.example.net.", dns.TypeA) })
	add(func(m *dns.Msg) { m.SetQuestion(".", dns.TypeNS) })
	add(func(m *dns.Msg) { opt(m) })
	add(func(m *dns.Msg) { opt(m, &dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: "2464c4abcf10c957"}) })
	add(func(m *dns.Msg) {
		opt(m, &dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: "2464c4abcf10c957010000005cf79f111f8130c3eee29480"})
	})
	add(func(m *dns.Msg) {
		opt(m, &dns.EDNS0_SUBNET{Code: dns.EDNS0SUBNET, Family: 1, SourceNetmask: 24, Address: netip.MustParseAddr("192.0.2.0").AsSlice()},
			&dns.EDNS0_NSID{Code: dns.EDNS0NSID}, &dns.EDNS0_LOCAL{Code: 65001, Data: []byte("data")})
	})
	add(func(m *dns.Msg) { // a question for a cookie alone
		opt(m, &dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: "2464c4abcf10c957"})
		m.Question = nil
	})
	add(func(m *dns.Msg) { opt(m); m.Extra = append(m.Extra, m.Extra[0]) })
	add(func(m *dns.Msg) { opt(m) }, []byte("bytes behind the message")...)
	add(func(m *dns.Msg) { m.SetTsig("xfr.example.net.", dns.HmacSHA256, 300, 1700000000) })
	add(func(m *dns.Msg) { m.SetIxfr("_spf.example.net.", 1, "ns1.example.net.", "x.example.net.") })
	add(func(m *dns.Msg) { m.SetAxfr("_spf.example.net.") })
	add(func(m *dns.Msg) { m.SetNotify("_spf.example.net.") })
	add(func(m *dns.Msg) { m.SetUpdate("_spf.example.net.") })
	add(func(m *dns.Msg) { m.Question = append(m.Question, m.Question[0]) })
	add(func(m *dns.Msg) { m.Response = true })
	return out
}

// FuzzPacket gives any bytes to the packet path; see [paths.check] for what
// holds.
func FuzzPacket(f *testing.F) {
	for _, b := range seeds(f) {
		f.Add(b, false)
		f.Add(b, true)
	}
	p := &paths{table: testTable(f)}
	f.Fuzz(func(t *testing.T, b []byte, tcp bool) {
		if len(b) > messageSize {
			b = b[:messageSize]
		}
		p.answer(t, b, tcp)
	})
}
