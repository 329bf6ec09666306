package reverse

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// resolver asks a server that answers from records; names that begin with "broken", and
// their reverse names, get SERVFAIL, those with "silent" no answer. asked counts queries.
func resolver(t *testing.T, records ...string) (r *net.Resolver, asked *atomic.Int64) {
	t.Helper()
	byName := make(map[string][]dns.RR)
	for _, text := range records {
		rr, err := dns.NewRR(text)
		if err != nil {
			t.Fatal(err)
		}
		byName[rr.Header().Name] = append(byName[rr.Header().Name], rr)
	}
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	asked = new(atomic.Int64)
	started := make(chan struct{})
	s := &dns.Server{PacketConn: conn, NotifyStartedFunc: func() { close(started) }, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		asked.Add(1)
		name := q.Question[0].Name
		m := new(dns.Msg).SetReply(q)
		m.RecursionAvailable = true
		switch found := byName[name]; {
		case strings.HasPrefix(name, "silent") || strings.HasPrefix(name, "99."):
			return
		case strings.HasPrefix(name, "broken") || strings.HasPrefix(name, "66."):
			m.Rcode = dns.RcodeServerFailure
		case found == nil:
			m.Rcode = dns.RcodeNameError
		default:
			for _, rr := range found {
				if rr.Header().Rrtype == q.Question[0].Qtype {
					m.Answer = append(m.Answer, rr)
				}
			}
		}
		_ = w.WriteMsg(m)
	})}
	go func() { _ = s.ActivateAndServe() }()
	<-started
	t.Cleanup(func() { _ = s.Shutdown() })
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, conn.LocalAddr().String())
	}}, asked
}

func addrs(texts ...string) (list []netip.Addr) {
	for _, text := range texts {
		list = append(list, netip.MustParseAddr(text))
	}
	return list
}

func TestStates(t *testing.T) {
	t.Parallel()
	r, asked := resolver(t,
		"1.2.0.192.in-addr.arpa. PTR mail.example.", "mail.example. A 192.0.2.1",
		"2.2.0.192.in-addr.arpa. PTR other.example.", "other.example. A 198.51.100.2",
		"3.2.0.192.in-addr.arpa. PTR gone.example.",
		"4.2.0.192.in-addr.arpa. TXT nothing",
		"6.2.0.192.in-addr.arpa. PTR broken.example.",
		"7.2.0.192.in-addr.arpa. PTR wrong.example.", "7.2.0.192.in-addr.arpa. PTR right.example.",
		"wrong.example. A 192.0.2.99", "right.example. A 192.0.2.7",
		"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa. PTR six.example.", "six.example. AAAA 2001:db8::1",
	)
	list := addrs("192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5", "192.0.2.6", "192.0.2.66", "192.0.2.7", "2001:db8::1")
	want := []Answer{
		{OK, "mail.example"}, {BadPTR, "other.example"}, {BadPTR, "gone.example"}, {NoPTR, ""}, {NoPTR, ""},
		{TempFail, "broken.example"}, {TempFail, ""}, {OK, "right.example"}, {OK, "six.example"},
	}
	c := New(r)
	if got := c.All(t.Context(), list); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	n := asked.Load()
	if got := c.All(t.Context(), list); !slices.Equal(got, want) || asked.Load() != n {
		t.Errorf("%v again, %d more queries", got, asked.Load()-n)
	}
}

// TestEnd: when time is over, those who wait are told at once, and nothing of it is
// remembered.
func TestEnd(t *testing.T) {
	t.Parallel()
	r, _ := resolver(t, "1.2.0.192.in-addr.arpa. PTR mail.example.", "mail.example. A 192.0.2.1")
	c := New(r)
	var list []netip.Addr
	for i := range 100 {
		list = append(list, netip.AddrFrom4([4]byte{192, 0, byte(i), 99}))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	begin := time.Now()
	for _, a := range c.All(ctx, append(list, addrs("192.0.2.1")...)) {
		if a.State != TempFail && a.State != OK {
			t.Error(a)
		}
	}
	if d := time.Since(begin); d > 3*time.Second {
		t.Errorf("it took %v", d)
	}
	if got := c.Of(t.Context(), addrs("192.0.2.1")[0]); got.State != OK {
		t.Errorf("%v is remembered", got)
	}
}
