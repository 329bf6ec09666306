package nameserver

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/rs/zerolog"
)

func TestRateTable(t *testing.T) {
	r := newRateTable()
	const interval = time.Second / 100
	r.now = testNow
	count := func(client string, n int) (allowed int) {
		for range n {
			if r.allow(netip.MustParseAddr(client), interval) {
				allowed++
			}
		}
		return allowed
	}
	if n := count("192.0.2.1", 1000); n != 100 {
		t.Errorf("%d answers in the first moment, want a second's worth, 100", n)
	}
	if n := count("192.0.2.200", 1000); n != 0 {
		t.Errorf("%d answers to the same /24, want 0", n)
	}
	if n := count("192.0.3.1", 1000); n != 100 {
		t.Errorf("%d answers to another /24, want 100", n)
	}
	if n := count("2001:db8:0:100::1", 1000) + count("2001:db8:0:1ff::1", 1000); n != 100 {
		t.Errorf("%d answers to one /56, want 100", n)
	}
	if n := count("2001:db8:0:200::1", 1000); n != 100 {
		t.Errorf("%d answers to another /56, want 100", n)
	}
	r.now += int64(time.Second / 2)
	if n := count("192.0.2.1", 1000); n != 50 {
		t.Errorf("%d answers half a second later, want 50", n)
	}
	r.now += int64(time.Hour)
	if n := count("192.0.2.1", 1000); n != 100 {
		t.Errorf("%d answers an hour later, want 100", n)
	}
}

// TestRatesGoByElapsedTime: rates and visits to the scheduler go by a clock that
// nobody sets, whatever the time of day is.
func TestRatesGoByElapsedTime(t *testing.T) {
	w := testWorker(t, new(memory))
	w.answer(0)
	first := w.rates.now
	time.Sleep(time.Millisecond)
	w.answer(0)
	if step := time.Duration(w.rates.now - first); step < time.Millisecond || step > time.Minute || w.elapsed != w.rates.now || time.Duration(w.elapsed) > time.Since(began) {
		t.Errorf("from %v to %v since the process began", time.Duration(first), time.Duration(w.rates.now))
	}
}

// A flood from everywhere takes no memory, and evicts buckets at worst.
func TestRateTableFlood(t *testing.T) {
	r := newRateTable()
	client := netip.MustParseAddr("192.0.2.1")
	allocs := testing.AllocsPerRun(10, func() {
		for i := range 100_000 {
			r.allow(netip.AddrFrom4([4]byte{byte(i), byte(i >> 8), byte(i >> 16), 1}), time.Millisecond)
		}
		r.allow(client, time.Millisecond)
	})
	if allocs > 0 {
		t.Errorf("%v allocations", allocs)
	}
}

func TestCompileLimit(t *testing.T) {
	for _, c := range []struct {
		rate, workers int
		want          time.Duration
	}{
		{0, 4, 0}, {1000, 1, time.Millisecond}, {1000, 4, 4 * time.Millisecond}, {1, 4, time.Second},
	} {
		if got := compileLimit(RateLimit{Rate: c.rate}, c.workers).interval; got != c.want {
			t.Errorf("rate %d, %d workers: interval %v, want %v", c.rate, c.workers, got, c.want)
		}
	}
}

// limitAnswers asks a query many times from one address, and counts the
// answers with TC.
func limitAnswers(t *testing.T, table *table, client string, cookie string, qname string, n int) (truncated, verified int) {
	t.Helper()
	m := new(dns.Msg)
	m.SetQuestion(qname, dns.TypeA)
	m.SetEdns0(1232, false)
	if cookie != "" {
		m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: cookie}}
	}
	b, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	rates := newRateTable()
	var buf [messageSize]byte
	for range n {
		q := &query{client: netip.AddrPortFrom(netip.MustParseAddr(client), 4242)}
		q.reset(buf[:], copy(buf[:], b))
		if v := q.parse(); v != plain {
			t.Fatalf("verdict %d", v)
		}
		o := table.answer(q, rates, testNow)
		tc := q.buf[2]&flagTC != 0
		if tc != (o == limited) || tc && (q.tracked || q.size > q.end+q.optLength()) {
			t.Fatalf("outcome %d, TC %v, event %v, %d bytes", o, tc, q.tracked, q.size)
		}
		if tc {
			truncated++
		}
		if q.verified {
			verified++
		}
	}
	return truncated, verified
}

func TestRateLimit(t *testing.T) {
	table := testTable(t)
	exempt := table.responders[0].limit
	*exempt = compileLimit(RateLimit{Rate: 10, Exempt: []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}}, 1)
	table.limit = *exempt
	for _, c := range []struct {
		name, client, qname string
		want                int
	}{
		{"limited", "192.0.2.1", exampleName, 90},
		{"refused ones too", "192.0.2.1", "example.com.", 90},
		{"IPv6", "2001:db8::1", exampleName, 90},
		{"loopback", "127.0.0.1", exampleName, 0},
		{"IPv6 loopback", "::1", exampleName, 0},
		{"exempt", "198.51.100.7", exampleName, 0},
	} {
		if got, _ := limitAnswers(t, table, c.client, "", c.qname, 100); got != c.want {
			t.Errorf("%s: %d of 100 answers have TC, want %d", c.name, got, c.want)
		}
	}
	// A limited answer carries the cookie with which the next is not limited.
	q := cookieQuery(t, "192.0.2.1", "2464c4abcf10c957")
	table.applyCookie(q, testNow)
	cookie := fmt.Sprintf("%x", q.edns.cookie)
	if got, verified := limitAnswers(t, table, "192.0.2.1", cookie, exampleName, 100); got != 0 || verified != 100 {
		t.Errorf("valid cookie: %d of 100 answers have TC, %d verified", got, verified)
	}
	if got, verified := limitAnswers(t, table, "192.0.2.2", cookie, exampleName, 100); got != 90 || verified != 0 {
		t.Errorf("cookie of another address: %d of 100 answers have TC, %d verified", got, verified)
	}
	exempt.interval = 0
	if got, _ := limitAnswers(t, table, "192.0.2.1", "", exampleName, 100); got != 0 {
		t.Errorf("off: %d of 100 answers have TC", got)
	}
}

// Blocks at one address may differ; what no zone answers has the strictest
// limit.
func TestRateLimitByBlock(t *testing.T) {
	a, b := trackBlock("a.example"), trackBlock("b.example")
	a.Limit.Rate, b.Limit.Rate = 0, 10
	c := &Config{Blocks: []Block{a, b}}
	tables, err := (&compiler{serving: &serving{config: c}, workers: 1, secrets: make([]Secret, 1), number: new(memory).Zone}).compile()
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range tables {
		for qname, want := range map[string]int{"x.a.example.": 0, "x.b.example.": 90, "x.example.": 90} {
			if got, _ := limitAnswers(t, table, "192.0.2.1", "", qname, 100); got != want {
				t.Errorf("%s: %d of 100 answers have TC, want %d", qname, got, want)
			}
		}
	}
}

// Odd messages beyond the limit are dropped: they are not from resolvers.
func TestRateLimitDropsOddMessages(t *testing.T) {
	w := testWorker(t, new(discard))
	table := w.table.Load()
	table.limit = compileLimit(RateLimit{Rate: 10}, 1)
	w.slow = newSlowPath(0, new(discard), zerolog.Nop())
	for i := range w.batch.packets {
		p := &w.batch.packets[i]
		p.address[6] = 0 // all from one /24
		p.buf[2] = 5 << 3
	}
	w.answer(batchSize)
	if got := len(w.slow.work); got != 10 || w.tally != (tally{dropLimited: batchSize - 10}) {
		t.Errorf("%d messages taken, tally %v", got, w.tally)
	}
}
