package xfr

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"nullspf/internal/wire"
)

var loopbackRule = ACL{{Prefixes: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}}

// serve asks for a transfer and returns the records, one line each.
func serve(t *testing.T, o *Out, q *dns.Msg, tcp bool) (lines []string, messages int, served Served) {
	t.Helper()
	msg, err := q.Pack()
	if err != nil {
		t.Fatal(err)
	}
	served = o.Serve(&Request{Message: msg, Client: netip.MustParseAddr("127.0.0.1"), TCP: tcp, EDNS: q.IsEdns0() != nil}, func(b []byte) error {
		var m dns.Msg
		if err := m.Unpack(b); err != nil {
			t.Fatalf("message %d: %v", messages, err)
		}
		if m.Id != q.Id || !m.Response || !m.Authoritative || (len(m.Question) == 1) != (messages == 0) || (m.IsEdns0() != nil) != (messages == 0 && q.IsEdns0() != nil) {
			t.Errorf("message %d: %v", messages, m.MsgHdr)
		}
		messages++
		for _, rr := range m.Answer {
			lines = append(lines, strings.Join(strings.Fields(rr.String()), " "))
		}
		return nil
	})
	return lines, messages, served
}

func TestServe(t *testing.T) {
	zone := zoneName(t, "a.example")
	texts := func(n int) (out []string) {
		for i := range n {
			out = append(out, fmt.Sprintf("text %d %s", i, strings.Repeat("x", 200)))
		}
		return out
	}
	o := NewOut(fakeSource{zone: {{zone, 4_294_967_295, texts(10)}, {zone, 1, append(texts(9), "new")}, {zone, 2, texts(300)}}}, loopbackRule)
	ixfr := func(serial uint32) *dns.Msg { return new(dns.Msg).SetIxfr("A.example.", serial, "ns.", "h.") }
	edns := new(dns.Msg).SetAxfr("a.example.")
	edns.SetEdns0(1232, false)
	for name, c := range map[string]struct {
		question *dns.Msg
		udp      bool
		served   Served
		records  int
	}{
		"AXFR":                   {new(dns.Msg).SetAxfr("a.example."), false, ServedAXFR, 303},
		"AXFR with EDNS":         {edns, false, ServedAXFR, 303},
		"AXFR over UDP":          {new(dns.Msg).SetAxfr("a.example."), true, ServedRefused, 0},
		"IXFR":                   {ixfr(4_294_967_295), false, ServedIXFR, 294}, // serial numbers wrap around
		"IXFR, unknown":          {ixfr(0), false, ServedAXFR, 303},
		"IXFR, up to date":       {ixfr(2), false, ServedSOA, 1},
		"IXFR, client is ahead":  {ixfr(3), false, ServedSOA, 1},
		"IXFR over UDP":          {ixfr(1), true, ServedSOA, 1},
		"IXFR without SOA":       {new(dns.Msg).SetQuestion("a.example.", dns.TypeIXFR), false, ServedFormErr, 0},
		"no zone of ours":        {new(dns.Msg).SetAxfr("b.example."), false, ServedNotAuth, 0},
		"a name in a zone of us": {new(dns.Msg).SetAxfr("x.a.example."), false, ServedNotAuth, 0},
	} {
		lines, messages, served := serve(t, o, c.question, !c.udp)
		if served != c.served || len(lines) != c.records {
			t.Errorf("%s: %s, %d records in %d messages", name, served, len(lines), messages)
		}
		if served == ServedAXFR && (messages < 3 || lines[0] != lines[len(lines)-1]) {
			t.Errorf("%s: %d messages, from %s to %s", name, messages, lines[0], lines[len(lines)-1])
		}
	}

	o = NewOut(fakeSource{zone: {{zone, 1, texts(10)}, {zone, 2, append(texts(9), "new")}}}, loopbackRule)
	lines, _, served := serve(t, o, ixfr(1), true)
	if served != ServedIXFR || len(lines) != 6 || !strings.Contains(lines[2], "text 9") || !strings.Contains(lines[4], `"new"`) {
		t.Errorf("%s\n%s", served, strings.Join(lines, "\n"))
	}
	o = NewOut(fakeSource{zone: {{zone, 1, nil}}}, nil)
	if _, _, served := serve(t, o, new(dns.Msg).SetAxfr("a.example."), true); served != ServedRefused {
		t.Errorf("without rules: %s", served)
	}
	o = NewOut(fakeSource{zone: {{zone, 1, texts(300)}}}, loopbackRule)
	msg, _ := new(dns.Msg).SetAxfr("a.example.").Pack()
	calls := 0
	served = o.Serve(&Request{Message: msg, Client: netip.MustParseAddr("127.0.0.1"), TCP: true}, func([]byte) error {
		calls++
		return errors.New("closed")
	})
	if served != ServedBroken || calls != 1 {
		t.Errorf("broken connection: %s after %d messages", served, calls)
	}
}

// hugeVersion has a record that fills a message, and one that fits in none.
type hugeVersion struct{ size int }

func (v hugeVersion) Serial() uint32 { return 1 }

func (v hugeVersion) Records(yield func(*wire.Record) bool) {
	soa := fakeVersion{"\x01a\x00", 1, nil}
	for r := range soa.Records {
		if !yield(r) {
			return
		}
	}
	yield(&wire.Record{Name: "\x01a\x00", Type: 65280, Class: dns.ClassINET, Data: make([]byte, v.size)})
}

type hugeSource struct{ hugeVersion }

func (s hugeSource) Version(wire.Name) Version         { return s.hugeVersion }
func (s hugeSource) Earlier(wire.Name, uint32) Version { return nil }

func TestServeHugeRecords(t *testing.T) {
	for size, want := range map[int]Served{1000: ServedAXFR, 60_000: ServedAXFR, 65_500: ServedAXFR, 65_535: ServedBroken} {
		_, messages, served := serve(t, NewOut(hugeSource{hugeVersion{size}}, loopbackRule), new(dns.Msg).SetAxfr("a."), true)
		if served != want {
			t.Errorf("%d bytes: %s after %d messages", size, served, messages)
		}
	}
}

// FuzzServe gives any request to a server of transfers.
func FuzzServe(f *testing.F) {
	zone := zoneName(f, "a.example")
	o := NewOut(fakeSource{zone: {{zone, 1, []string{"a"}}, {zone, 2, []string{"b"}}}}, loopbackRule)
	for _, q := range []*dns.Msg{new(dns.Msg).SetAxfr("a.example."), new(dns.Msg).SetIxfr("a.example.", 1, "ns.", "h.")} {
		b, err := q.Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, msg []byte) {
		if len(msg) < headerSize {
			return
		}
		o.Serve(&Request{Message: msg, Client: netip.MustParseAddr("127.0.0.1"), TCP: true}, func(b []byte) error {
			var m dns.Msg
			if err := m.Unpack(b); err != nil {
				t.Fatalf("%v: % x", err, b)
			}
			return nil
		})
	})
}

func TestACL(t *testing.T) {
	k := testKey(t, "hmac-sha256")
	signed := &Signed{Key: k}
	acl := ACL{
		{Prefixes: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::/32")}, Key: k.Name},
		{Prefixes: []netip.Prefix{netip.MustParsePrefix("198.51.100.7/32")}},
	}
	for _, c := range []struct {
		client string
		signed *Signed
		want   bool
	}{
		{"192.0.2.1", signed, true}, {"192.0.2.1", nil, false}, {"192.0.2.1", &Signed{Error: dns.RcodeBadSig}, false},
		{"192.0.2.1", &Signed{Key: &Key{Name: "\x05other\x00"}}, false}, {"2001:db8::1", signed, true}, {"2001:db9::1", signed, false},
		{"198.51.100.7", nil, true}, {"198.51.100.7", signed, true}, {"198.51.100.8", signed, false},
	} {
		if got := acl.allows(netip.MustParseAddr(c.client), c.signed); got != c.want {
			t.Errorf("%s, %+v: %v", c.client, c.signed, got)
		}
	}
}
