package mxprobe

import (
	"bytes"
	"encoding/json"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"nullspf/internal/dnsname"
	"nullspf/nolisting"
	"nullspf/zones"
)

// resolver answers from records.
func resolver(t *testing.T, records ...string) *net.Resolver {
	t.Helper()
	var rrs []dns.RR
	for _, text := range records {
		rr, err := dns.NewRR(text)
		if err != nil {
			t.Fatal(err)
		}
		rrs = append(rrs, rr)
	}
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	started := make(chan struct{})
	s := &dns.Server{PacketConn: conn, NotifyStartedFunc: func() { close(started) }, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		exists := false
		for _, rr := range rrs {
			if rr.Header().Name == q.Question[0].Name {
				exists = true
				if rr.Header().Rrtype == q.Question[0].Qtype {
					m.Answer = append(m.Answer, rr)
				}
			}
		}
		if !exists {
			m.Rcode = dns.RcodeNameError
		}
		_ = w.WriteMsg(m)
	})}
	go func() { _ = s.ActivateAndServe() }()
	<-started
	t.Cleanup(func() { _ = s.Shutdown() })
	return NewResolver(netip.MustParseAddrPort(conn.LocalAddr().String()))
}

func TestAddresses(t *testing.T) {
	r := resolver(t, "mx1.example.net. A 192.0.2.1", "mx1.example.net. AAAA 2001:db8::1", "mx2.example.net. A 192.0.2.2")
	one, two, six := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("2001:db8::1")
	for _, tt := range []struct {
		host     nolisting.Host
		want     []netip.Addr
		findings string
	}{
		{nolisting.Host{Name: "mx1.example.net", Addresses: []netip.Addr{one, six}}, []netip.Addr{one, six}, ""},
		{nolisting.Host{Name: "mx1.example.net"}, []netip.Addr{one, six}, ""},
		{nolisting.Host{Name: "mx2.example.net", Addresses: []netip.Addr{one}}, []netip.Addr{one, two},
			"the DNS gives address 192.0.2.2, which the configuration does not have; the configuration has address 192.0.2.1, which the DNS does not give"},
		{nolisting.Host{Name: "mx3.example.net", Addresses: []netip.Addr{one}}, []netip.Addr{one}, "the name has neither A nor AAAA records: senders skip it, or defer the mail"},
	} {
		got, f := Addresses(t.Context(), r, tt.host)
		var reasons []string
		for _, x := range f {
			reasons = append(reasons, x.Reason)
		}
		if !slices.Equal(got, tt.want) || strings.Join(reasons, "; ") != tt.findings {
			t.Errorf("%v: got %v, %q", tt.host, got, reasons)
		}
	}
}

func TestCompareMX(t *testing.T) {
	r := resolver(t, "a.example. MX 10 mx1.example.net.", "a.example. MX 20 MX2.example.net.", "null.example. MX 0 .", "none.example. A 192.0.2.1")
	planned := []zones.MX{{Host: "mx2.example.net", Preference: 20}, {Host: "mx1.example.net", Preference: 10}}
	if f := CompareMX(t.Context(), r, "a.example", planned); f != nil {
		t.Errorf("equal: %v", f)
	}
	for domain, want := range map[dnsname.Name]string{
		"null.example": "the DNS has MX 0 ., planned is 10 mx1.example.net., 20 mx2.example.net.",
		"none.example": "cannot be looked up",
	} {
		f := CompareMX(t.Context(), r, domain, planned)
		if len(f) != 1 || !strings.Contains(f[0].Reason, want) {
			t.Errorf("%s: %v", domain, f)
		}
	}
}

func TestWriteJSON(t *testing.T) {
	report := Report{DNS: []HostFinding{{Domain: "a.example", Finding: Finding{Error, "x"}}}, Results: []Result{{Target: Target{Host: "mx1.example.net", Address: netip.MustParseAddr("192.0.2.1")}}}}
	var b bytes.Buffer
	if err := report.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	var v struct {
		Errors  int
		DNS     []map[string]string
		Results []struct {
			Host     string
			Findings []Finding
		}
	}
	if err := json.Unmarshal(b.Bytes(), &v); err != nil || v.Errors != 1 || v.DNS[0]["level"] != "error" || v.Results[0].Findings == nil {
		t.Errorf("%v: %s", err, b.String())
	}
}
