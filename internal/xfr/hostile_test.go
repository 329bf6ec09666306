package xfr

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"nullspf/internal/serial"
	"nullspf/internal/wire"
	"nullspf/internal/zonestore"
)

// testLimits are small, so that tests reach them.
var testLimits = Limits{Records: 200, Bytes: 20_000, Time: 2 * time.Second, Idle: 300 * time.Millisecond}

// zoneOf builds a zone of lines below example.
func zoneOf(t testing.TB, lines ...string) *zonestore.Zone {
	t.Helper()
	b := zonestore.NewBuilder("\x07example\x00")
	for _, l := range lines {
		if err := b.Add(recordOf(t, l)); err != nil {
			t.Fatal(err)
		}
	}
	z, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func recordOf(t testing.TB, line string) wire.Record {
	t.Helper()
	rr, err := dns.NewRR("$ORIGIN example.\n$TTL 60\n" + line)
	if err != nil || rr == nil {
		t.Fatalf("%s: %v", line, err)
	}
	r, err := wire.FromRR(rr)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// refresh brings the zone example up to date.
func refresh(t *testing.T, c *Client, have *zonestore.Zone) (*zonestore.Zone, error) {
	got, err := c.Refresh(t.Context(), Want{Zone: "\x07example\x00", Have: have})
	return got.Zone, err
}

func soaLine(serial uint32) string { return fmt.Sprintf("@ SOA ns. h. %d 2 3 4 5", serial) }

const nsLine = "@ NS ns."

// textOf returns a zone as text.
func textOf(t testing.TB, z *zonestore.Zone) string {
	t.Helper()
	var b bytes.Buffer
	if err := zonestore.WriteText(&b, z.Records); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// hostile is a primary of one connection after the other.
type hostile struct {
	t        *testing.T
	listener net.Listener
	// opened counts connections.
	mu     sync.Mutex
	opened int
	types  []string
}

// asked is a request at a primary.
type asked struct {
	conn net.Conn
	msg  []byte
	// id and question are those of the request.
	id       uint16
	question []byte
	qtype    uint16
}

// startHostile answers requests with a function, which returns false to close
// the connection.
func startHostile(t *testing.T, answer func(q *asked) bool) (*hostile, netip.AddrPort) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &hostile{t: t, listener: l}
	var serving sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			p.mu.Lock()
			p.opened++
			p.mu.Unlock()
			serving.Go(func() {
				defer conn.Close()
				stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
				defer stop()
				for p.serve(conn, answer) {
				}
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		cancel()
		serving.Wait()
	})
	return p, l.Addr().(*net.TCPAddr).AddrPort()
}

func (p *hostile) serve(conn net.Conn, answer func(q *asked) bool) bool {
	var length [2]byte
	if _, err := io.ReadFull(conn, length[:]); err != nil {
		return false
	}
	msg := make([]byte, binary.BigEndian.Uint16(length[:]))
	if _, err := io.ReadFull(conn, msg); err != nil {
		return false
	}
	_, end, err := wire.ReadName(msg, headerSize)
	if err != nil {
		p.t.Error(err)
		return false
	}
	q := &asked{conn: conn, msg: msg, id: binary.BigEndian.Uint16(msg), question: msg[headerSize : end+4], qtype: binary.BigEndian.Uint16(msg[end:])}
	p.mu.Lock()
	p.types = append(p.types, wire.TypeString(q.qtype))
	p.mu.Unlock()
	return answer(q)
}

// answer makes a message with records.
func (q *asked) answer(t testing.TB, lines ...string) []byte {
	t.Helper()
	b := binary.BigEndian.AppendUint16(nil, q.id)
	b = append(b, 0x84, 0, 0, 1)
	b = binary.BigEndian.AppendUint16(b, uint16(len(lines)))
	b = append(b, 0, 0, 0, 0)
	b = append(b, q.question...)
	for _, l := range lines {
		r := recordOf(t, l)
		b = r.Append(b)
	}
	return b
}

func (q *asked) send(messages ...[]byte) bool {
	for _, m := range messages {
		if _, err := q.conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(m))), m...)); err != nil {
			return false
		}
	}
	return true
}

// stall keeps the connection open until the other end closes it.
func (q *asked) stall() bool {
	_, _ = io.Copy(io.Discard, q.conn)
	return false
}

// edited returns a message with bytes changed.
func edited(msg []byte, at int, data ...byte) []byte {
	msg = bytes.Clone(msg)
	copy(msg[at:], data)
	return msg
}

func many(n int) (lines []string) {
	for i := range n {
		lines = append(lines, fmt.Sprintf("n%d TXT \"%d\"", i, i))
	}
	return lines
}

// TestHostilePrimary transfers a zone whole from primaries that do what they
// should not.
func TestHostilePrimary(t *testing.T) {
	type handler = func(t *testing.T, q *asked) bool
	// sent sends lines in one message.
	sent := func(lines ...string) handler {
		return func(t *testing.T, q *asked) bool { return q.send(q.answer(t, lines...)) && q.stall() }
	}
	header := func(at int, data ...byte) handler {
		return func(t *testing.T, q *asked) bool {
			return q.send(edited(q.answer(t, soaLine(1), nsLine, soaLine(1)), at, data...)) && q.stall()
		}
	}
	raw := func(make func(q *asked, msg []byte) []byte) handler {
		return func(t *testing.T, q *asked) bool {
			_, err := q.conn.Write(make(q, q.answer(t, soaLine(1), nsLine, soaLine(1))))
			return err == nil && q.stall()
		}
	}
	framed := func(msg []byte) []byte { return append(binary.BigEndian.AppendUint16(nil, uint16(len(msg))), msg...) }
	for name, c := range map[string]struct {
		answer handler
		want   Reason
		// slow cases take as long as the limits allow.
		slow bool
	}{
		"closes at once":             {func(*testing.T, *asked) bool { return false }, ReasonConnect, false},
		"stalls at once":             {func(_ *testing.T, q *asked) bool { return q.stall() }, ReasonIdle, true},
		"stalls in the length":       {raw(func(_ *asked, msg []byte) []byte { return framed(msg)[:1] }), ReasonIdle, true},
		"stalls in a message":        {raw(func(_ *asked, msg []byte) []byte { return framed(msg)[:20] }), ReasonIdle, true},
		"stalls before the last SOA": {sent(soaLine(1), nsLine), ReasonIdle, true},
		"closes in a message": {func(t *testing.T, q *asked) bool {
			_, _ = q.conn.Write(framed(q.answer(t, soaLine(1)))[:20])
			return false
		}, ReasonIncomplete, false},
		"closes before the last SOA": {func(t *testing.T, q *asked) bool { q.send(q.answer(t, soaLine(1), nsLine)); return false }, ReasonIncomplete, false},
		"endless records": {func(t *testing.T, q *asked) bool {
			q.send(q.answer(t, soaLine(1), nsLine))
			for q.send(q.answer(t, many(50)...)) {
			}
			return false
		}, ReasonLimit, false},
		"endless, slowly": {func(t *testing.T, q *asked) bool {
			q.send(q.answer(t, soaLine(1), nsLine))
			for q.send(q.answer(t, "a TXT b")) {
				time.Sleep(100 * time.Millisecond)
			}
			return false
		}, ReasonTimeout, true},
		"endless messages without any": {func(t *testing.T, q *asked) bool {
			q.send(q.answer(t, soaLine(1), nsLine))
			for q.send(q.answer(t)) {
				time.Sleep(10 * time.Millisecond)
			}
			return false
		}, ReasonTimeout, true},
		"too many bytes": {sent(soaLine(1), nsLine, `a TYPE65280 \# 15000 `+strings.Repeat("00", 15000), `b TYPE65280 \# 15000 `+strings.Repeat("00", 15000), soaLine(1)), ReasonLimit, false},
		"a message of 65535 bytes": {raw(func(_ *asked, msg []byte) []byte {
			return framed(append(bytes.Clone(msg), make([]byte, 65535-len(msg))...))
		}), NumReasons, false},
		"a message without bytes": {raw(func(*asked, []byte) []byte { return []byte{0, 0} }), ReasonFormat, false},
		"half a header":           {raw(func(_ *asked, msg []byte) []byte { return framed(msg[:6]) }), ReasonFormat, false},
		"records cut off":         {raw(func(_ *asked, msg []byte) []byte { return framed(msg[:len(msg)-5]) }), ReasonFormat, false},
		"another ID": {func(t *testing.T, q *asked) bool {
			q.id++
			return q.send(q.answer(t, soaLine(1), nsLine, soaLine(1))) && q.stall()
		}, ReasonQuestion, false},
		"no answer but a question": {header(2, 0x04), ReasonFormat, false},
		"another opcode":           {header(2, 0xa4), ReasonFormat, false},
		"truncated":                {header(2, 0x86), ReasonFormat, false},
		"REFUSED":                  {header(3, dns.RcodeRefused), ReasonRefused, false},
		"SERVFAIL":                 {header(3, dns.RcodeServerFailure), ReasonRefused, false},
		"another question": {func(t *testing.T, q *asked) bool {
			q.question = []byte("\x05other\x00\x00\xfc\x00\x01")
			return q.send(q.answer(t, soaLine(1), nsLine, soaLine(1))) && q.stall()
		}, ReasonQuestion, false},
		"another type": {func(t *testing.T, q *asked) bool {
			q.question = edited(q.question, len(q.question)-3, 6)
			return q.send(q.answer(t, soaLine(1), nsLine, soaLine(1))) && q.stall()
		}, ReasonQuestion, false},
		"no question": {func(t *testing.T, q *asked) bool {
			q.question = nil
			return q.send(edited(q.answer(t, soaLine(1), nsLine, soaLine(1)), 5, 0)) && q.stall()
		}, ReasonQuestion, false},
		"no records":                  {func(t *testing.T, q *asked) bool { q.send(q.answer(t)); return false }, ReasonIncomplete, false},
		"no SOA first":                {sent(nsLine, soaLine(1)), ReasonFormat, false},
		"a SOA of another name":       {sent(strings.Replace(soaLine(1), "@", "sub", 1), nsLine), ReasonScope, false},
		"a SOA of the zone above":     {sent(strings.Replace(soaLine(1), "@", ".", 1)), ReasonScope, false},
		"records of another zone":     {sent(soaLine(1), nsLine, "www.other.test. A 192.0.2.1", soaLine(1)), NumReasons, false},
		"a last SOA in other case":    {sent(soaLine(1), nsLine, "@ SOA NS. H. 1 2 3 4 5"), NumReasons, false},
		"another last SOA":            {sent(soaLine(1), nsLine, soaLine(2)), ReasonIncomplete, false},
		"records behind the last SOA": {sent(soaLine(1), nsLine, soaLine(1), "a TXT b"), ReasonFormat, false},
		"another class":               {sent(soaLine(1), nsLine, "a CH TXT b", soaLine(1)), ReasonFormat, false},
		"a CNAME beside data":         {sent(soaLine(1), nsLine, "a CNAME b", "a TXT c", soaLine(1)), ReasonZone, false},
		"no NS record":                {sent(soaLine(1), "a TXT b", soaLine(1)), ReasonZone, false},
		"a pointer forwards":          {raw(func(q *asked, msg []byte) []byte { return framed(edited(msg, headerSize+len(q.question), 0xc0, 0xff)) }), ReasonFormat, false},
		"a pointer to itself": {raw(func(q *asked, msg []byte) []byte {
			at := headerSize + len(q.question)
			return framed(edited(msg, at, 0xc0, byte(at)))
		}), ReasonFormat, false},
		"an A record of five bytes": {func(t *testing.T, q *asked) bool {
			return q.send(odd(q.answer(t, soaLine(1), nsLine), dns.TypeA, 5)) && q.stall()
		}, ReasonFormat, false},
		"a NS record of one byte": {func(t *testing.T, q *asked) bool {
			return q.send(odd(q.answer(t, soaLine(1), nsLine), dns.TypeNS, 1)) && q.stall()
		}, ReasonFormat, false},
		"an OPT record among the records": {func(t *testing.T, q *asked) bool {
			return q.send(odd(q.answer(t, soaLine(1), nsLine), dns.TypeOPT, 0)) && q.stall()
		}, ReasonFormat, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, at := startHostile(t, func(q *asked) bool { return c.answer(t, q) })
			client := NewClient(Primary{Addr: at}, testLimits, 1)
			defer client.Close()
			start := time.Now()
			z, err := refresh(t, client, nil)
			if took := time.Since(start); took > 10*time.Second || !c.slow && took > 5*time.Second {
				t.Errorf("it took %v", took)
			}
			if c.want == NumReasons {
				if err != nil || z == nil {
					t.Errorf("%v, %v; want a zone", z, err)
				}
				return
			}
			var e *TransferError
			if z != nil || !errors.As(err, &e) || e.Reason != c.want || e.Zone != "\x07example\x00" || e.Primary != at {
				t.Errorf("%v, %v; want reason %s", z, err, c.want)
			}
		})
	}
}

// odd appends a record whose data is n zero bytes, but for a first one that is
// no label.
func odd(msg []byte, rrtype uint16, n int) []byte {
	msg = append(msg, "\x01a\x07example\x00"...)
	msg = binary.BigEndian.AppendUint16(msg, rrtype)
	msg = append(msg, 0, 1, 0, 0, 0, 60)
	msg = binary.BigEndian.AppendUint16(msg, uint16(n))
	if n > 0 {
		msg = append(append(msg, 0x40), make([]byte, n-1)...)
	}
	binary.BigEndian.PutUint16(msg[6:], binary.BigEndian.Uint16(msg[6:])+1)
	return msg
}

// TestRefreshIncremental brings a zone up to date by IXFR, or by AXFR where
// that fails.
func TestRefreshIncremental(t *testing.T) {
	have := zoneOf(t, soaLine(1), nsLine, "a TXT a", "b TXT b")
	before := textOf(t, have)
	next := []string{soaLine(3), nsLine, "a TXT a", "c TXT c", "d TXT d"}
	want := textOf(t, zoneOf(t, next...))
	whole := append(append([]string(nil), next...), soaLine(3))
	for name, c := range map[string]struct {
		serial uint32
		ixfr   []string
		axfr   []string
		want   string // the new zone, "" for have
		reason Reason
		types  string
	}{
		"unchanged":                 {1, nil, nil, "", NumReasons, "SOA"},
		"one difference":            {3, []string{soaLine(3), soaLine(1), "b TXT b", soaLine(3), "c TXT c", "d TXT d", soaLine(3)}, nil, want, NumReasons, "SOA IXFR"},
		"two differences":           {3, []string{soaLine(3), soaLine(1), "b TXT b", soaLine(2), "x TXT x", soaLine(2), "x TXT x", soaLine(3), "c TXT c", "d TXT d", soaLine(3)}, nil, want, NumReasons, "SOA IXFR"},
		"a whole zone for IXFR":     {3, whole, nil, want, NumReasons, "SOA IXFR"},
		"a single SOA":              {3, []string{soaLine(3)}, whole, want, NumReasons, "SOA IXFR AXFR"},
		"changed back meanwhile":    {3, []string{soaLine(1)}, nil, "", NumReasons, "SOA IXFR"},
		"another base":              {3, []string{soaLine(3), soaLine(2), soaLine(3), "c TXT c", soaLine(3)}, whole, want, NumReasons, "SOA IXFR AXFR"},
		"removes what is not there": {3, []string{soaLine(3), soaLine(1), "z TXT z", soaLine(3), soaLine(3)}, whole, want, NumReasons, "SOA IXFR AXFR"},
		"leads elsewhere":           {3, []string{soaLine(3), soaLine(1), "b TXT b", soaLine(2), "c TXT c", soaLine(3)}, whole, want, NumReasons, "SOA IXFR AXFR"},
		"leads backwards":           {3, []string{soaLine(3), soaLine(1), soaLine(0), soaLine(0), soaLine(3), soaLine(3)}, whole, want, NumReasons, "SOA IXFR AXFR"},
		"removes the last NS":       {3, []string{soaLine(3), soaLine(1), nsLine, soaLine(3), soaLine(3)}, whole, want, NumReasons, "SOA IXFR AXFR"},
		"both fail":                 {3, []string{soaLine(3)}, []string{soaLine(3), soaLine(4)}, "", ReasonIncomplete, "SOA IXFR AXFR"},
		"whole, but older":          {3, []string{soaLine(3)}, []string{soaLine(1), nsLine, soaLine(1)}, "", ReasonBackwards, "SOA IXFR AXFR"},
		"out of the zone":           {3, []string{soaLine(3), soaLine(1), "b TXT b", "y.other. TXT y", soaLine(3), "x.other. TXT x", "c TXT c", "d TXT d", soaLine(3)}, nil, want, NumReasons, "SOA IXFR"},
		"cut off":                   {3, []string{soaLine(3), soaLine(1), "b TXT b"}, whole, want, NumReasons, "SOA IXFR AXFR"},
		"older":                     {0, nil, nil, "", ReasonBackwards, "SOA"},
		"2^31 apart":                {1 + 1<<31, nil, nil, "", ReasonBackwards, "SOA"},
		"older IXFR":                {3, []string{soaLine(0)}, whole, want, NumReasons, "SOA IXFR AXFR"},
	} {
		t.Run(name, func(t *testing.T) {
			p, at := startHostile(t, func(q *asked) bool {
				switch q.qtype {
				case dns.TypeSOA:
					return q.send(q.answer(t, soaLine(c.serial)))
				case dns.TypeIXFR:
					return q.send(q.answer(t, c.ixfr...))
				}
				return q.send(q.answer(t, c.axfr...))
			})
			client := NewClient(Primary{Addr: at}, testLimits, 1)
			defer client.Close()
			z, err := refresh(t, client, have)
			if got := strings.Join(p.types, " "); got != c.types {
				t.Errorf("asked %s, want %s", got, c.types)
			}
			if textOf(t, have) != before {
				t.Error("the old zone has changed")
			}
			if c.reason != NumReasons {
				var e *TransferError
				if z != nil || !errors.As(err, &e) || e.Reason != c.reason {
					t.Errorf("%v, %v; want reason %s", z, err, c.reason)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if c.want == "" && z != have || c.want != "" && textOf(t, z) != c.want {
				t.Errorf("zone:\n%swant:\n%s", textOf(t, z), c.want)
			}
		})
	}
}

// TestIXFRFails: however IXFR fails, the zone comes by AXFR at once, and a
// primary that cannot do IXFR is not asked for it again soon.
func TestIXFRFails(t *testing.T) {
	lines := func(serial uint32) []string { return []string{soaLine(serial), nsLine, soaLine(serial)} }
	for name, c := range map[string]struct {
		ixfr func(q *asked) bool
		// remembered: the second refresh asks for AXFR alone.
		remembered bool
	}{
		"closes":     {func(*asked) bool { return false }, true},
		"is silent":  {func(q *asked) bool { return q.stall() }, true},
		"sends half": {func(q *asked) bool { q.send(q.answer(t, soaLine(3), soaLine(1))); return false }, true},
		"stops in the middle": {func(q *asked) bool {
			return q.send(q.answer(t, soaLine(3), soaLine(1))) && q.stall()
		}, true},
		"NOTIMP":       {func(q *asked) bool { return q.send(edited(q.answer(t), 3, dns.RcodeNotImplemented)) }, true},
		"REFUSED":      {func(q *asked) bool { return q.send(edited(q.answer(t), 3, dns.RcodeRefused)) }, true},
		"does not fit": {func(q *asked) bool { return q.send(q.answer(t, soaLine(3), soaLine(0), soaLine(3), soaLine(3))) }, false},
		"makes no zone": {func(q *asked) bool {
			return q.send(q.answer(t, soaLine(3), soaLine(1), nsLine, soaLine(3), soaLine(3)))
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var serial atomic.Uint32
			serial.Store(3)
			p, at := startHostile(t, func(q *asked) bool {
				switch q.qtype {
				case dns.TypeSOA:
					return q.send(q.answer(t, soaLine(serial.Load())))
				case dns.TypeIXFR:
					return c.ixfr(q)
				}
				return q.send(q.answer(t, lines(serial.Load())...))
			})
			client := NewClient(Primary{Addr: at}, testLimits, 1)
			defer client.Close()
			z, err := refresh(t, client, zoneOf(t, soaLine(1), nsLine))
			if err != nil || z.Serial() != 3 {
				t.Fatalf("%v, %v", z, err)
			}
			serial.Store(5)
			if z, err = refresh(t, client, z); err != nil || z.Serial() != 5 {
				t.Fatalf("%v, %v", z, err)
			}
			want := "SOA IXFR AXFR SOA IXFR AXFR"
			if c.remembered {
				want = "SOA IXFR AXFR SOA AXFR"
			}
			// A connection that was used before may have been closed for its age, so
			// the request is repeated over a new one.
			if got := strings.ReplaceAll(strings.Join(p.types, " "), "IXFR IXFR", "IXFR"); got != want {
				t.Errorf("asked %s, want %s", got, want)
			}
		})
	}
}

// TestSingleSOAFirst: PowerDNS sends the SOA record in a message of its own,
// before the whole zone; others may do so before differences.
func TestSingleSOAFirst(t *testing.T) {
	for name, rest := range map[string][]string{
		"whole zone":  {nsLine, "a TXT a", soaLine(3)},
		"differences": {soaLine(1), soaLine(3), "a TXT a", soaLine(3)},
	} {
		p, at := startHostile(t, func(q *asked) bool {
			if q.qtype == dns.TypeSOA {
				return q.send(q.answer(t, soaLine(3)))
			}
			return q.send(q.answer(t, soaLine(3)), q.answer(t, rest...))
		})
		client := NewClient(Primary{Addr: at}, testLimits, 1)
		z, err := refresh(t, client, zoneOf(t, soaLine(1), nsLine))
		client.Close()
		if want := textOf(t, zoneOf(t, soaLine(3), nsLine, "a TXT a")); err != nil || textOf(t, z) != want {
			t.Errorf("%s: %v, %v", name, z, err)
		}
		if got := strings.Join(p.types, " "); got != "SOA IXFR" {
			t.Errorf("%s: asked %s", name, got)
		}
	}
}

// TestNoDifferences: a primary that never has differences is not asked for them
// for ever.
func TestNoDifferences(t *testing.T) {
	var serial atomic.Uint32
	p, at := startHostile(t, func(q *asked) bool {
		if q.qtype == dns.TypeAXFR {
			return q.send(q.answer(t, soaLine(serial.Load()), nsLine, soaLine(serial.Load())))
		}
		return q.send(q.answer(t, soaLine(serial.Load())))
	})
	client := NewClient(Primary{Addr: at}, testLimits, 1)
	defer client.Close()
	z := zoneOf(t, soaLine(0), nsLine)
	for i := range 2 + mostSingle {
		serial.Add(1)
		var err error
		if z, err = refresh(t, client, z); err != nil || z.Serial() != serial.Load() {
			t.Fatalf("%d: %v, %v", i, z, err)
		}
	}
	if n := strings.Count(strings.Join(p.types, " "), "IXFR"); n != mostSingle {
		t.Errorf("asked for differences %d times, want %d", n, mostSingle)
	}
}

// TestAnySerial takes what the primary has although its serial number went
// back.
func TestAnySerial(t *testing.T) {
	for name, c := range map[string]struct {
		have, theirs uint32
		types        string
	}{
		"older": {7, 3, "SOA AXFR"},
		"same":  {7, 7, "SOA"},
		"newer": {7, 8, "SOA IXFR"},
	} {
		p, at := startHostile(t, func(q *asked) bool {
			switch q.qtype {
			case dns.TypeSOA:
				return q.send(q.answer(t, soaLine(c.theirs)))
			}
			return q.send(q.answer(t, soaLine(c.theirs), nsLine, soaLine(c.theirs)))
		})
		client := NewClient(Primary{Addr: at}, testLimits, 1)
		got, err := client.Refresh(t.Context(), Want{Zone: "\x07example\x00", Have: zoneOf(t, soaLine(c.have), nsLine), Any: true})
		client.Close()
		if err != nil || got.Zone.Serial() != c.theirs {
			t.Errorf("%s: %v, %v", name, got.Zone, err)
		}
		if got := strings.Join(p.types, " "); got != c.types {
			t.Errorf("%s: asked %s, want %s", name, got, c.types)
		}
	}
}

// TestOutsideIsCounted: records that are not in the zone are left out, and said.
func TestOutsideIsCounted(t *testing.T) {
	_, at := startHostile(t, func(q *asked) bool {
		return q.send(q.answer(t, soaLine(1), "x.other. TXT x", nsLine, "y.other. A 192.0.2.1", soaLine(1)))
	})
	client := NewClient(Primary{Addr: at}, testLimits, 1)
	defer client.Close()
	got, err := client.Refresh(t.Context(), Want{Zone: "\x07example\x00"})
	if err != nil || got.Outside != 2 || got.Example != "x.other TXT" || got.Zone.Count() != 2 {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestConnectionsAreReused transfers many zones over few connections, also when
// the primary closes them in between.
func TestConnectionsAreReused(t *testing.T) {
	for _, perConnection := range []int{1000, 3} {
		var mu sync.Mutex
		served := make(map[net.Conn]int)
		p, at := startHostile(t, func(q *asked) bool {
			mu.Lock()
			served[q.conn]++
			n := served[q.conn]
			mu.Unlock()
			return q.send(q.answer(t, soaLine(1), nsLine, soaLine(1))) && n < perConnection
		})
		client := NewClient(Primary{Addr: at}, testLimits, 4)
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				for range 25 {
					if _, err := refresh(t, client, nil); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		client.Close()
		p.mu.Lock()
		if most := max(4, 200/perConnection+4); p.opened > most {
			t.Errorf("%d connections for 200 transfers; at most %d were expected", p.opened, most)
		}
		p.mu.Unlock()
	}
}

// TestSignedTransfers checks the signatures of streams.
func TestSignedTransfers(t *testing.T) {
	k := testKey(t, "hmac-sha256")
	for name, c := range map[string]struct {
		answer func(q *asked, s *signer, messages [][]byte) [][]byte
		want   Reason
	}{
		"right": {func(_ *asked, s *signer, m [][]byte) [][]byte {
			return [][]byte{s.next(m[0], time.Now()), s.next(m[1], time.Now())}
		}, NumReasons},
		"not signed": {func(_ *asked, _ *signer, m [][]byte) [][]byte { return m }, ReasonTSIG},
		"last message not signed": {func(_ *asked, s *signer, m [][]byte) [][]byte {
			return [][]byte{s.next(m[0], time.Now()), m[1]}
		}, ReasonTSIG},
		"changed": {func(_ *asked, s *signer, m [][]byte) [][]byte {
			return [][]byte{s.next(m[0], time.Now()), edited(s.next(m[1], time.Now()), 60, 'x')}
		}, ReasonTSIG},
		"old": {func(_ *asked, s *signer, m [][]byte) [][]byte {
			return [][]byte{s.next(m[0], time.Now().Add(-time.Hour))}
		}, ReasonTSIG},
		"refused, signed": {func(_ *asked, s *signer, m [][]byte) [][]byte {
			return [][]byte{s.next(edited(m[0], 3, dns.RcodeRefused), time.Now())}
		}, ReasonRefused},
		"unknown key, not signed": {func(_ *asked, _ *signer, m [][]byte) [][]byte {
			return [][]byte{edited(m[0], 3, dns.RcodeNotAuth)}
		}, ReasonRefused},
	} {
		t.Run(name, func(t *testing.T) {
			_, at := startHostile(t, func(q *asked) bool {
				_, signed, err := Keys{k.Name: k}.Verify(q.msg, time.Now())
				if err != nil || signed == nil || signed.Key != k {
					t.Errorf("the request is not signed: %v, %v", signed, err)
					return false
				}
				messages := [][]byte{q.answer(t, soaLine(1), nsLine), q.answer(t, "www TXT \"some text that can be changed\"", soaLine(1))}
				return q.send(c.answer(q, signed.stream(), messages)...)
			})
			client := NewClient(Primary{Addr: at, Key: k}, testLimits, 1)
			defer client.Close()
			z, err := refresh(t, client, nil)
			var e *TransferError
			if c.want == NumReasons && err != nil || c.want != NumReasons && (!errors.As(err, &e) || e.Reason != c.want) {
				t.Errorf("%v, %v; want reason %s", z, err, c.want)
			}
		})
	}
}

// fuzzStream hands messages, each after its length, to a stream.
func fuzzStream(t *testing.T, have *zonestore.Zone, qtype uint16, b []byte) {
	s := newStream("\x07example\x00", have, testLimits)
	for first := true; len(b) >= 2; first = false {
		size := min(int(binary.BigEndian.Uint16(b)), len(b)-2)
		msg := b[2 : 2+size]
		b = b[2+size:]
		if len(msg) < headerSize {
			return
		}
		m, err := parseMessage(msg, 1, "\x07example\x00", qtype, first)
		if err != nil {
			return
		}
		done, err := s.message(m)
		if err != nil {
			return
		}
		if !done {
			continue
		}
		z, err := s.zone()
		if (z == nil) != (err != nil) {
			t.Fatalf("%v beside %v", z, err)
		}
		if err == nil && z != have {
			if have != nil && !serial.Greater(z.Serial(), have.Serial()) {
				t.Fatalf("from serial number %d to %d", have.Serial(), z.Serial())
			}
			_ = textOf(t, z)
		}
		return
	}
}

func seeds(f *testing.F, qtype uint16, streams ...[][]string) {
	f.Helper()
	for _, stream := range streams {
		var b []byte
		for _, lines := range stream {
			q := &asked{id: 1, question: binary.BigEndian.AppendUint16([]byte("\x07example\x00"), qtype)}
			q.question = append(q.question, 0, 1)
			m := q.answer(f, lines...)
			b = append(binary.BigEndian.AppendUint16(b, uint16(len(m))), m...)
		}
		f.Add(b)
	}
}

// FuzzTransferStream: no panic, never a zone beside an error, whatever the
// primary sends.
func FuzzTransferStream(f *testing.F) {
	seeds(f, dns.TypeAXFR, [][]string{{soaLine(1), nsLine, soaLine(1)}}, [][]string{{soaLine(1), nsLine}, {"a TXT b", "* CNAME c"}, {soaLine(1)}})
	f.Fuzz(func(t *testing.T, b []byte) { fuzzStream(t, nil, dns.TypeAXFR, b) })
}

// FuzzIXFRStream does the same for differences; the old zone stays what it is.
func FuzzIXFRStream(f *testing.F) {
	have := zoneOf(f, soaLine(1), nsLine, "a TXT a")
	before := textOf(f, have)
	seeds(f, dns.TypeIXFR, [][]string{{soaLine(2), soaLine(1), "a TXT a", soaLine(2), "b TXT b", soaLine(2)}}, [][]string{{soaLine(1)}}, [][]string{{soaLine(2)}, {nsLine, soaLine(2)}})
	f.Fuzz(func(t *testing.T, b []byte) {
		fuzzStream(t, have, dns.TypeIXFR, b)
		if textOf(t, have) != before {
			t.Fatal("the old zone has changed")
		}
	})
}

// TestLimitsOfDifferences holds the zone that differences make to the limits,
// not only each transfer, and takes the whole zone where differences exceed
// them and it does not.
func TestLimitsOfDifferences(t *testing.T) {
	grow := func(i int) []string {
		lines := []string{soaLine(uint32(i + 1)), soaLine(uint32(i)), soaLine(uint32(i + 1))}
		for j := range 100 {
			lines = append(lines, fmt.Sprintf("n%d-%d TXT x", i, j))
		}
		return append(lines, soaLine(uint32(i+1)))
	}
	z := zoneOf(t, soaLine(1), nsLine)
	for i := 1; ; i++ {
		_, at := startHostile(t, func(q *asked) bool {
			switch q.qtype {
			case dns.TypeSOA:
				return q.send(q.answer(t, soaLine(uint32(i+1))))
			case dns.TypeIXFR:
				return q.send(q.answer(t, grow(i)...))
			}
			return q.send(edited(q.answer(t), 3, dns.RcodeRefused))
		})
		client := NewClient(Primary{Addr: at}, testLimits, 1)
		next, err := refresh(t, client, z)
		client.Close()
		if err == nil {
			if z = next; z.Count() > testLimits.Records {
				t.Fatalf("%d records; %d are allowed", z.Count(), testLimits.Records)
			}
			continue
		}
		var e *TransferError
		if !errors.As(err, &e) || e.Reason != ReasonRefused || !strings.Contains(err.Error(), "before that, IXFR failed: limit: more than 200 records") {
			t.Errorf("%v; want what both ways have said", err)
		}
		if i != 2 {
			t.Errorf("refused at difference %d", i)
		}
		break
	}

	_, at := startHostile(t, func(q *asked) bool {
		switch q.qtype {
		case dns.TypeSOA:
			return q.send(q.answer(t, soaLine(9)))
		case dns.TypeIXFR:
			return q.send(q.answer(t, append([]string{soaLine(9), soaLine(uint32(z.Serial())), soaLine(9)}, many(300)...)...))
		}
		return q.send(q.answer(t, soaLine(9), nsLine, soaLine(9)))
	})
	client := NewClient(Primary{Addr: at}, testLimits, 1)
	defer client.Close()
	if next, err := refresh(t, client, z); err != nil || next.Serial() != 9 || next.Count() != 2 {
		t.Errorf("differences that are longer than the zone: %v, %v", next, err)
	}
}
