package nameserver

import (
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"nullspf/spftrack"
)

// testedWorker is a worker whose inbox can be looked at.
type testedWorker struct {
	*udpWorker
	*socketInbox
}

// testWorker is a worker without a socket, with a batch of messages as if they
// had been received.
func testWorker(t testing.TB, events eventWriter) testedWorker {
	t.Helper()
	var p atomic.Pointer[table]
	p.Store(testTable(t))
	in := &socketInbox{batch: newBatch(false), socket: &udpSocket{fd: -1}, table: &p, log: zerolog.Nop()}
	w := testedWorker{&udpWorker{
		shard:  &shard{rates: newRateTable(), events: events},
		inbox:  in,
		weight: fullWeight,
	}, in}
	m := new(dns.Msg)
	m.SetQuestion(exampleName, dns.TypeA)
	m.SetEdns0(1232, false)
	m.IsEdns0().Option = []dns.EDNS0{
		&dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: "2464c4abcf10c957"},
		&dns.EDNS0_SUBNET{Code: dns.EDNS0SUBNET, Family: 1, SourceNetmask: 24, Address: net.IPv4(198, 51, 100, 0)},
	}
	b, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	for i := range w.batch.packets {
		p := &w.batch.packets[i]
		binary.NativeEndian.PutUint16(p.address[:], unix.AF_INET)
		binary.BigEndian.PutUint16(p.address[2:], 4242)
		copy(p.address[4:], []byte{192, 0, byte(i), 1})
		w.batch.in[i].size = uint32(copy(p.buf[:], b))
		w.batch.in[i].header.Namelen = unix.SizeofSockaddrInet4
	}
	return w
}

// restore makes the messages of a batch queries again.
func restore(w testedWorker, queries *[batchSize]packet) {
	for i := range w.batch.packets {
		size := int(w.batch.in[i].size)
		copy(w.batch.packets[i].buf[:size], queries[i].buf[:size])
	}
	w.batch.outgoing, w.next = 0, 0
}

func TestNoAllocations(t *testing.T) {
	w := testWorker(t, new(discard))
	queries := w.batch.packets
	allocs := testing.AllocsPerRun(100, func() {
		restore(w, &queries)
		w.answer(batchSize)
		w.events.Commit()
		w.batch.prepare(batchSize)
	})
	if allocs > 0 {
		t.Errorf("%v allocations for %d queries", allocs, batchSize)
	}
	if got := w.tally[answered]; got != 101*batchSize {
		t.Errorf("%d answered", got)
	}
}

func BenchmarkAnswer(b *testing.B) {
	w := testWorker(b, new(discard))
	queries := w.batch.packets
	for b.Loop() {
		restore(w, &queries)
		w.answer(batchSize)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/batchSize, "ns/query")
}

// panicking is a recorder that fails now and then.
type panicking struct {
	memory
	calls int
}

func (p *panicking) Put(e *event) bool {
	if p.calls++; p.calls%5 == 0 {
		panic("test")
	}
	return p.memory.Put(e)
}

// A failure costs the message that caused it, and is counted.
func TestPanicCostsOneMessage(t *testing.T) {
	events := new(panicking)
	w := testWorker(t, events)
	for w.next = 0; w.next < batchSize; w.next++ {
		w.answer(batchSize)
	}
	failed := uint32(batchSize / 5)
	if w.tally[answered] != batchSize-failed || w.tally[dropPanic] != failed || w.batch.outgoing != batchSize-int(failed) {
		t.Errorf("tally %v, %d answers", w.tally, w.batch.outgoing)
	}
	if got := uint64(len(events.take())); got != w.newEvents || got != uint64(batchSize-failed) {
		t.Errorf("%d events, counted %d", got, w.newEvents)
	}
}

func TestEvents(t *testing.T) {
	s := startServer(t, testConfig(), Options{})
	before := time.Now().UnixNano()
	for _, v6 := range []bool{false, true} {
		for _, network := range []string{"udp", "tcp"} {
			at := s.address(t, v6)
			conn, err := net.Dial(network, at.String())
			if err != nil {
				t.Fatal(err)
			}
			m := new(dns.Msg)
			m.SetQuestion("MiXed.Fd.1._SPF.example.net.", dns.TypeAAAA)
			m.SetEdns0(1232, false)
			m.IsEdns0().Option = []dns.EDNS0{
				&dns.EDNS0_SUBNET{Code: dns.EDNS0SUBNET, Family: 2, SourceNetmask: 56, Address: net.ParseIP("2001:db8:1:200::")},
			}
			c := &dns.Conn{Conn: conn}
			if err := c.WriteMsg(m); err != nil {
				t.Fatal(err)
			}
			if _, err := c.ReadMsg(); err != nil {
				t.Fatal(err)
			}
			_ = conn.Close()
			events := s.recorder.take()
			if len(events) != 1 {
				t.Fatalf("%d events", len(events))
			}
			e := events[0]
			local := netip.MustParseAddrPort(conn.LocalAddr().String())
			name, _, err := dns.UnpackDomainName(e.Name, 0)
			if err != nil || name != "MiXed.Fd.1._SPF.example.net." {
				t.Errorf("name %q, %v", name, err)
			}
			transport, _ := spftrack.ParseTransport(network)
			if e.Resolver != local || e.Transport != transport || e.Verified != (network == "tcp") || e.Qtype != dns.TypeAAAA ||
				e.ECS != netip.MustParsePrefix("2001:db8:1:200::/56") || s.recorder.zones[e.Zone] != "_spf.example.net" ||
				e.Time < before || e.Time > time.Now().UnixNano() {
				t.Errorf("event %+v, asked from %v", e, local)
			}
		}
	}
}

// What is refused or malformed is no event.
func TestNoEvents(t *testing.T) {
	s := startServer(t, testConfig(), Options{})
	for i := range answerCases {
		if c := &answerCases[i]; c.rcode != dns.RcodeSuccess {
			exchange(t, "udp", s.address(t, false), c.query())
		}
	}
	for _, b := range seeds(t) {
		if b[2]&(flagQR|maskOpcode) == 0 {
			b[5] = 2 // two questions
			ask(t, "udp", s.address(t, false), b)
		}
	}
	if events := s.recorder.take(); len(events) != 0 {
		t.Errorf("events %+v", events)
	}
}

// Messages without an answer are dropped, and counted.
func TestDropped(t *testing.T) {
	s := startServer(t, testConfig(), Options{})
	conn, err := net.Dial("udp", s.address(t, false).String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	messages := [][]byte{{}, {1}, make([]byte, 11), {1, 2, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0}, make([]byte, 65000)}
	messages[4][2] = flagQR
	for _, b := range messages {
		if _, err := conn.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	for s.Counts().UDP.Received < uint64(len(messages)) {
		time.Sleep(time.Millisecond)
	}
	if c := s.settled(t); c.UDP.outcomes[dropShort] != 3 || c.UDP.outcomes[dropResponse] != 2 || c.UDP.Answered != 0 {
		t.Errorf("%+v", c.UDP)
	}
}

// A flood of odd messages takes the memory that there is, and is counted.
func TestOddFlood(t *testing.T) {
	s := startServer(t, testConfig(), Options{Workers: 1})
	conn, err := net.Dial("udp", s.address(t, false).String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	go func() { _, _ = io.Copy(io.Discard, conn) }()
	odd := seeds(t)[12] // signed
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	const n = 30000
	for range n {
		if _, err := conn.Write(odd); err != nil {
			t.Fatal(err)
		}
	}
	// Plain queries are answered all the same.
	exchange(t, "udp", s.address(t, false), answerCases[0].query())
	c := s.settled(t)
	runtime.GC()
	runtime.ReadMemStats(&after)
	if c.UDP.outcomes[notAuth] == 0 || c.UDP.outcomes[notAuth]+c.UDP.outcomes[dropBusy]+c.SocketDrops != n {
		t.Errorf("%+v", c)
	}
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 4<<20 {
		t.Errorf("the heap grew by %d bytes", grown)
	}
}

func TestMetricsAndHealth(t *testing.T) {
	s := startServer(t, testConfig(func(c *Config) { c.Metrics, c.Health = freePort, freePort }), Options{Version: "v1.2.3"})
	exchange(t, "udp", s.address(t, false), answerCases[0].query())
	exchange(t, "tcp", s.address(t, false), answerCases[len(answerCases)-1].query())
	s.settled(t)
	var at netip.AddrPort
	for _, w := range s.web {
		at = w.at
	}
	get := func(path string) string {
		t.Helper()
		r, err := http.Get("http://" + at.String() + path)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		b, err := io.ReadAll(r.Body)
		if err != nil || r.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d, %v", path, r.StatusCode, err)
		}
		return string(b)
	}
	metrics := get("/metrics")
	for _, want := range []string{
		`nullspfd_queries_received_total{transport="udp"} 1`,
		`nullspfd_queries_received_total{transport="tcp"} 1`,
		`nullspfd_queries_answered_total{answer="zone",transport="udp"} 1`,
		`nullspfd_queries_answered_total{answer="refused",transport="tcp"} 1`,
		`nullspfd_queries_dropped_total{reason="short",transport="udp"} 0`,
		`nullspfd_events_total 1`,
		`nullspfd_events_stored_total 1`,
		`nullspfd_reloads_total{result="done"} 0`,
		`nullspfd_config_good 1`,
		`nullspfd_build_info{version="v1.2.3"} 1`,
		`go_goroutines `, `process_cpu_seconds_total `,
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("no %q in\n%s", want, metrics)
		}
	}
	if h := get("/health"); !strings.HasPrefix(h, `{"status":"ok","problems":[],"stored":1,"lost":{}`) {
		t.Errorf("health: %s", h)
	}
}

func TestQueryLog(t *testing.T) {
	for mode, want := range map[LogMode][]string{
		LogAll: {
			`"transport":"udp","qname":"_spf.example.net.","qtype":"SOA","rcode":"NOERROR","limited":false`,
			`"transport":"udp","qname":"x\\\"\\010.example.","qtype":"A","rcode":"REFUSED"`,
			`"transport":"tcp","rcode":"FORMERR"`,
		},
		LogErrors: {
			`"transport":"udp","qname":"x\\\"\\010.example.","qtype":"A","rcode":"REFUSED"`,
			`"transport":"tcp","rcode":"FORMERR"`,
		},
		LogNone: nil,
	} {
		s := startServer(t, testConfig(func(c *Config) { c.Log = mode }), Options{})
		exchange(t, "udp", s.address(t, false), answerCases[0].query())
		m := new(dns.Msg)
		m.SetQuestion(`x\"\010.example.`, dns.TypeA)
		exchange(t, "udp", s.address(t, false), m)
		ask(t, "tcp", s.address(t, false), []byte{1, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 70})
		for deadline := time.Now().Add(2 * time.Second); strings.Count(s.log.String(), `"query"`) < len(want); {
			if time.Now().After(deadline) {
				t.Fatalf("mode %d: log\n%s", mode, s.log)
			}
			time.Sleep(time.Millisecond)
		}
		for _, w := range want {
			if !strings.Contains(s.log.String(), w) {
				t.Errorf("mode %d: no %s in\n%s", mode, w, s.log)
			}
		}
		if n := strings.Count(s.log.String(), `"query"`); n != len(want) {
			t.Errorf("mode %d: %d lines in\n%s", mode, n, s.log)
		}
	}
}
