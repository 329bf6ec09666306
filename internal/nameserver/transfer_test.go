package nameserver

import (
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"nullspf/internal/conns"
	"nullspf/internal/testsite"
	"nullspf/internal/tsigkey"
	"nullspf/internal/xfr"
	"nullspf/zones"
)

const (
	transferSecret = "c2VjcmV0IG9mIHRoaXJ0eS10d28gb2N0ZXRzLCBvciBzbw=="
	otherSecret    = "YW5vdGhlciBzZWNyZXQgb2YgdGhpcnR5IG9jdGV0cw=="
)

// transferKey returns a key of transfers.
func transferKey(t testing.TB, name, algorithm, secret string) *xfr.Key {
	t.Helper()
	read, err := tsigkey.New(name, algorithm, secret)
	if err != nil {
		t.Fatal(err)
	}
	k, err := xfr.NewKey(read)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// transferConfig lets those on 127.0.0.1 with the key "xfr." transfer the zones
// of a site, and knows another key.
func transferConfig(t testing.TB, s *testsite.Site, changes ...change) *Config {
	t.Helper()
	c := parkedConfig(s)
	key, other := transferKey(t, "xfr", "hmac-sha256", transferSecret), transferKey(t, "other", "hmac-sha512", otherSecret)
	c.Keys = xfr.Keys{key.Name: key, other.Name: other}
	c.Transfer = &Transfer{To: []TransferRule{{Prefixes: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, Key: key.Name}}}
	for _, change := range changes {
		change(c)
	}
	return c
}

// transferring is a client of transfers.
type transferring struct {
	key, algorithm, secret string
	// from is the address to send from.
	from string
	// clock is by how much the clock is wrong.
	clock time.Duration
}

var rightKey = transferring{key: "xfr.", algorithm: dns.HmacSHA256, secret: transferSecret}

// transfer asks for a transfer over TCP and returns its records.
func (c transferring) transfer(t *testing.T, at string, q *dns.Msg) ([]dns.RR, error) {
	t.Helper()
	dialer := net.Dialer{Timeout: 5 * time.Second}
	if c.from != "" {
		dialer.LocalAddr = &net.TCPAddr{IP: net.ParseIP(c.from)}
	}
	conn, err := dialer.Dial("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	tr := &dns.Transfer{Conn: &dns.Conn{Conn: conn}, ReadTimeout: 5 * time.Second}
	if c.key != "" {
		q.SetTsig(c.key, c.algorithm, 300, time.Now().Add(c.clock).Unix())
		tr.TsigSecret = map[string]string{c.key: c.secret}
	}
	messages, err := tr.In(q, at)
	if err != nil {
		return nil, err
	}
	var rrs []dns.RR
	for m := range messages {
		if m.Error != nil {
			err = m.Error
		}
		rrs = append(rrs, m.RR...)
	}
	return rrs, err
}

func axfr(zone string) *dns.Msg { return new(dns.Msg).SetAxfr(zone) }

func fileContent(t *testing.T, s *testsite.Site, name string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(s.Output(), name))
	if err != nil {
		t.Fatal(err)
	}
	var rrs []dns.RR
	p := dns.NewZoneParser(strings.NewReader(string(text)), "", name)
	for rr, ok := p.Next(); ok; rr, ok = p.Next() {
		rrs = append(rrs, rr)
	}
	return content(rrs)
}

// TestTransferOut transfers whole zones with the right signature, and with
// others.
func TestTransferOut(t *testing.T) {
	site, _, _ := parkedSite(t)
	s := startServer(t, transferConfig(t, site), Options{})
	at := s.address(t, false).String()
	for zone, file := range map[string]string{"brand.example.": "zones/brand.example.zone", "OTHER.example.": "zones/other.example.zone", "catalog.invalid.": "catalog.zone"} {
		rrs, err := rightKey.transfer(t, at, axfr(zone))
		if err != nil || len(rrs) < 2 {
			t.Errorf("%s: %d records, %v", zone, len(rrs), err)
			continue
		}
		if rrs[0].Header().Rrtype != dns.TypeSOA || rrs[0].String() != rrs[len(rrs)-1].String() {
			t.Errorf("%s: begins with %v and ends with %v", zone, rrs[0], rrs[len(rrs)-1])
		}
		if diff := cmp.Diff(fileContent(t, site, file), content(rrs[1:])); diff != "" {
			t.Errorf("%s: (-file +transfer)\n%s", zone, diff)
		}
	}
	for name, c := range map[string]struct {
		client transferring
		zone   string
		want   string
	}{
		"not signed":          {transferring{}, "brand.example.", "rcode: 5"},
		"another key":         {transferring{key: "other.", algorithm: dns.HmacSHA512, secret: otherSecret}, "brand.example.", "rcode: 5"},
		"unknown key":         {transferring{key: "unknown.", algorithm: dns.HmacSHA256, secret: otherSecret}, "brand.example.", "bad authentication"},
		"another secret":      {transferring{key: "xfr.", algorithm: dns.HmacSHA256, secret: otherSecret}, "brand.example.", "bad authentication"},
		"another algorithm":   {transferring{key: "xfr.", algorithm: dns.HmacSHA512, secret: transferSecret}, "brand.example.", "bad authentication"},
		"wrong time":          {transferring{key: "xfr.", algorithm: dns.HmacSHA256, secret: transferSecret, clock: -time.Hour}, "brand.example.", "bad authentication"},
		"from elsewhere":      {transferring{key: "xfr.", algorithm: dns.HmacSHA256, secret: transferSecret, from: "127.0.0.2"}, "brand.example.", "rcode: 5"},
		"none of ours":        {rightKey, "none.example.", "bad authentication"},
		"below a zone":        {rightKey, "www.brand.example.", "bad authentication"},
		"the root":            {rightKey, ".", "bad authentication"},
		"not ours, unsigned":  {transferring{}, "none.example.", "rcode: 5"},
		"catalog, not signed": {transferring{}, "catalog.invalid.", "rcode: 5"},
	} {
		rrs, err := c.client.transfer(t, at, axfr(c.zone))
		if len(rrs) > 0 || err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %d records, %v; want %s", name, len(rrs), err, c.want)
		}
	}
	if n := s.served[0].Load(); n != 3 {
		t.Errorf("%d whole zones are counted", n)
	}
}

// TestIncremental asks for what has changed.
func TestIncremental(t *testing.T) {
	site, g, _ := parkedSite(t)
	s := startServer(t, transferConfig(t, site), Options{})
	at := s.address(t, false).String()
	first, err := rightKey.transfer(t, at, axfr("brand.example."))
	if err != nil {
		t.Fatal(err)
	}
	catalog, err := rightKey.transfer(t, at, axfr("catalog.invalid."))
	if err != nil {
		t.Fatal(err)
	}
	serial := first[0].(*dns.SOA).Serial
	site.Now = site.Now.Add(time.Minute)
	g.TXT[0] = "This domain sends no email, never"
	site.Lists[g] = "domain\nbrand.example\nother.example\nthird.example\n"
	if err := site.Build(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.reload(t, transferConfig(t, site)); err != nil {
		t.Fatal(err)
	}
	ixfr := func(zone string, serial uint32) *dns.Msg { return new(dns.Msg).SetIxfr(zone, serial, "ns.", "h.") }
	for _, c := range []struct {
		zone    string
		old     []dns.RR
		changes int
	}{{"brand.example.", first, 2}, {"catalog.invalid.", catalog, 1}} {
		rrs, err := rightKey.transfer(t, at, ixfr(c.zone, c.old[0].(*dns.SOA).Serial))
		// new SOA, old SOA, removed..., new SOA, added..., new SOA
		if err != nil || len(rrs) != 4+c.changes {
			t.Errorf("%s: %v, %v", c.zone, rrs, err)
			continue
		}
		have := make(map[string]bool)
		for _, l := range content(c.old[1:]) {
			have[l] = true
		}
		soas := 0
		for _, rr := range rrs[1 : len(rrs)-1] {
			if rr.Header().Rrtype == dns.TypeSOA {
				soas++
			}
			line := content([]dns.RR{rr})[0]
			if have[line] == (soas == 2) {
				t.Errorf("%s: %s is removed but not there, or added but there", c.zone, line)
			}
			have[line] = soas == 2
		}
		var left []string
		whole, err := rightKey.transfer(t, at, axfr(c.zone))
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range content(whole[1:]) {
			if !have[l] {
				left = append(left, l)
			}
			delete(have, l)
		}
		for l, is := range have {
			if is {
				left = append(left, l)
			}
		}
		if len(left) > 0 {
			t.Errorf("%s: the differences do not lead to the new version: %v", c.zone, left)
		}
	}
	now := serial + 60
	for name, c := range map[string]struct {
		serial  uint32
		records int
	}{
		"up to date": {now, 1}, "newer": {now + 5, 1}, "newer, over the end": {now + 1<<30, 1}, "not kept": {serial - 1, len(first)},
	} {
		rrs, err := rightKey.transfer(t, at, ixfr("brand.example.", c.serial))
		if c.records == 1 {
			// The client in use here takes a single SOA record for a broken
			// transfer when the serial numbers differ.
			if len(rrs) != 1 {
				t.Errorf("%s: %v, %v", name, rrs, err)
			}
			continue
		}
		if err != nil || len(rrs) != c.records {
			t.Errorf("%s: %d records, %v", name, len(rrs), err)
		}
	}
	// Over UDP there is the SOA record only.
	m := ixfr("brand.example.", serial)
	m.SetTsig("xfr.", dns.HmacSHA256, 300, time.Now().Unix())
	client := &dns.Client{TsigSecret: map[string]string{"xfr.": transferSecret}}
	r, _, err := client.Exchange(m, at)
	if err != nil || len(r.Answer) != 1 || r.IsTsig() == nil {
		t.Errorf("over UDP: %v, %v", r, err)
	}
}

// TestSignedQuestions signs questions other than transfers.
func TestSignedQuestions(t *testing.T) {
	site, _, _ := parkedSite(t)
	s := startServer(t, transferConfig(t, site), Options{})
	for _, network := range []string{"udp", "tcp"} {
		client := &dns.Client{Net: network, TsigSecret: map[string]string{"xfr.": transferSecret}}
		for _, c := range []struct {
			qname string
			qtype uint16
			rcode int
		}{{"brand.example.", dns.TypeTXT, dns.RcodeSuccess}, {"x._dmarc.brand.example.", dns.TypeA, dns.RcodeNameError}, {"none.example.", dns.TypeA, dns.RcodeRefused}} {
			m := new(dns.Msg).SetQuestion(c.qname, c.qtype)
			m.SetEdns0(1232, true)
			m.SetTsig("xfr.", dns.HmacSHA256, 300, time.Now().Unix())
			r, _, err := client.Exchange(m, s.address(t, false).String())
			if err != nil || r.Rcode != c.rcode || r.IsTsig() == nil || r.IsEdns0() == nil {
				t.Errorf("%s %s: %v, %v", network, c.qname, r, err)
			}
		}
	}
}

// TestRefusedSignatureOfSeveralQuestions: an answer to two questions with an unknown
// key does not count what it does not hold.
func TestRefusedSignatureOfSeveralQuestions(t *testing.T) {
	site, _, _ := parkedSite(t)
	s := startServer(t, transferConfig(t, site), Options{})
	for questions := range 4 {
		m := new(dns.Msg)
		for range questions {
			m.Question = append(m.Question, dns.Question{Name: "brand.example.", Qtype: dns.TypeSOA, Qclass: dns.ClassINET})
		}
		m.SetTsig("unknown.", dns.HmacSHA256, 300, time.Now().Unix())
		b, _, err := dns.TsigGenerate(m, transferSecret, "", false)
		if err != nil {
			t.Fatal(err)
		}
		conn, err := dns.Dial("udp", s.address(t, false).String())
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
		if _, err := conn.Write(b); err != nil {
			t.Fatal(err)
		}
		r, err := conn.ReadMsg()
		_ = conn.Close()
		if r == nil || r.Rcode != dns.RcodeNotAuth || questions == 1 != (len(r.Question) == 1) || r.IsTsig() == nil {
			t.Errorf("%d questions: %v, %v", questions, r, err)
		}
	}
}

// TestLargeTransfer transfers a zone of many messages to a client that takes
// it, and to one that does not, which holds up neither others nor the end.
func TestLargeTransfer(t *testing.T) {
	const n = 300_000
	dir := t.TempDir()
	if err := testsite.Many(t.Context(), dir, n); err != nil {
		t.Fatal(err)
	}
	site := &testsite.Site{Dir: dir}
	catalog := "; catalog\n$ORIGIN catalog.invalid.\n$TTL 0\n@ IN SOA invalid. invalid. 7 3600 600 2147483646 0\n@ IN NS invalid.\nversion IN TXT \"2\"\n" + zones.CatalogMembers + "catalog.invalid.\n"
	writeFile(t, filepath.Join(site.Output(), zones.CatalogFile), catalog)
	s := startServer(t, transferConfig(t, site), Options{TCP: conns.Limits{Connections: 10, PerClient: 10, Idle: 2 * time.Second}})
	at := s.address(t, false).String()
	rrs, err := rightKey.transfer(t, at, axfr("catalog.invalid."))
	if err != nil || len(rrs) != n+4 {
		t.Errorf("%d records, %v", len(rrs), err)
	}
	conn, err := net.Dial("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	m := axfr("catalog.invalid.")
	m.SetTsig("xfr.", dns.HmacSHA256, 300, time.Now().Unix())
	b, _, err := dns.TsigGenerate(m, transferSecret, "", false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write(append([]byte{byte(len(b) >> 8), byte(len(b))}, b...)); err != nil {
		t.Fatal(err)
	}
	broken := &s.served[len(s.served)-1]
	for deadline := time.Now().Add(20 * time.Second); broken.Load() == 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("a client that takes nothing is not cut off")
		}
		exchange(t, "udp", s.address(t, false), new(dns.Msg).SetQuestion(testsite.ManyName(7)+".", dns.TypeSOA))
	}
}

// TestLocalAddress asks other servers from the address that they know.
func TestLocalAddress(t *testing.T) {
	c := &Config{Blocks: []Block{{Listen: listenAt("127.0.0.1", "127.0.0.2", "192.0.2.1", "192.0.2.2")}}}
	secondaryOf("unused", []string{"127.0.0.9:53", "192.0.2.9:53", "[2001:db8::9]:5300"}, "a.example")(c)
	var got []string
	for _, p := range c.groups()[0].Primaries {
		got = append(got, p.Addr.String()+" from "+p.Local.String())
	}
	if want := "127.0.0.9:53 from 127.0.0.1, 192.0.2.9:53 from 192.0.2.1, [2001:db8::9]:5300 from invalid IP"; strings.Join(got, ", ") != want {
		t.Errorf("%s\nwant %s", strings.Join(got, ", "), want)
	}

	// Addresses that the configuration gives go first.
	given := []netip.Addr{netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("192.0.2.5")}
	c.Secondary[0].Source = given
	c.Transfer = &Transfer{Notify: []NotifyRule{{Addresses: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.9:53"), netip.MustParseAddrPort("[2001:db8::9]:53")}}}, Source: given[:1]}
	got = nil
	for _, p := range c.groups()[0].Primaries {
		got = append(got, p.Local.String())
	}
	for _, n := range c.notifyTargets() {
		got = append(got, n.Local.String())
	}
	if want := "192.0.2.5, 192.0.2.5, 2001:db8::1, 192.0.2.1, 2001:db8::1"; strings.Join(got, ", ") != want {
		t.Errorf("%s\nwant %s", strings.Join(got, ", "), want)
	}
}

// TestPeersAreNotLimited lets primaries and secondaries send as much as they
// have to.
func TestPeersAreNotLimited(t *testing.T) {
	site, _, _ := parkedSite(t)
	c := transferConfig(t, site, secondaryOf(t.TempDir(), []string{"192.0.2.9:53"}, "a.example"), func(c *Config) {
		to := &c.Transfer.To[0].Prefixes
		*to = nil
		for _, p := range []string{"192.0.2.7/32", "198.51.100.0/24", "203.0.0.0/8"} {
			*to = append(*to, netip.MustParsePrefix(p))
		}
		c.Blocks = append(c.Blocks, testConfig(listening("127.0.0.1")).Blocks...)
	})
	s := startServer(t, c, Options{})
	for at, l := range s.listeners {
		for a, want := range map[string]bool{"192.0.2.7": true, "198.51.100.9": true, "192.0.2.9": true, "203.0.0.1": false, "192.0.2.8": false} {
			if got := l.table.Load().limit.exempt(netip.MustParseAddr(a)); got != want {
				t.Errorf("%v: %s is exempt: %v", at, a, got)
			}
		}
	}
}

// TestSecondariesConnect: who may transfer zones by address, or has shown the key,
// may have any number of connections, however large the network of the rule is;
// others there may not.
func TestSecondariesConnect(t *testing.T) {
	site, _, _ := parkedSite(t)
	for name, c := range map[string]struct {
		network string
		keyed   bool
		// signed and plain are how many of 12 connections are answered.
		signed, plain int
	}{
		"large network with key":     {"127.0.0.0/8", true, 12, 4},
		"large network":              {"127.0.0.0/8", false, 12, 12},
		"small network with key":     {"127.0.0.0/24", true, 12, 12},
		"another network":            {"192.0.2.0/8", true, 4, 0},
		"another network, not keyed": {"192.0.2.0/8", false, 4, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := startServer(t, transferConfig(t, site, func(cfg *Config) {
				r := TransferRule{Prefixes: []netip.Prefix{netip.MustParsePrefix(c.network).Masked()}}
				if c.keyed {
					r.Key = names("xfr")[0]
				}
				cfg.Transfer.To = []TransferRule{r}
			}), Options{TCP: conns.Limits{Connections: 100, PerClient: 4, Idle: 10 * time.Second}})
			answered := func(client transferring) (n int) {
				for range 12 {
					conn, err := net.Dial("tcp", s.address(t, false).String())
					if err != nil {
						t.Fatal(err)
					}
					t.Cleanup(func() { _ = conn.Close() })
					_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
					co := &dns.Conn{Conn: conn}
					q := new(dns.Msg).SetQuestion("brand.example.", dns.TypeSOA)
					if client.key != "" {
						co.TsigSecret = map[string]string{client.key: client.secret}
						q.SetTsig(client.key, client.algorithm, 300, time.Now().Unix())
					}
					if co.WriteMsg(q) != nil {
						continue
					}
					if r, err := co.ReadMsg(); err == nil && r.Rcode == dns.RcodeSuccess {
						n++
					}
				}
				return n
			}
			if n := answered(rightKey); n != c.signed {
				t.Errorf("%d signed connections are answered, want %d", n, c.signed)
			}
			if n := answered(transferring{}); n != c.plain {
				t.Errorf("%d others are answered, want %d", n, c.plain)
			}
		})
	}
}

// TestNotifyWithWrongSignature: it is refused, counted and logged like any other
// NOTIFY that is not believed.
func TestNotifyWithWrongSignature(t *testing.T) {
	key := transferKey(t, "xfr", "hmac-sha256", transferSecret)
	s := startServer(t, secondaryConfig(listenAt("127.0.0.1"), secondaryOf(t.TempDir(), []string{"192.0.2.9:53"}, "a.example"), func(c *Config) {
		c.Keys = xfr.Keys{key.Name: key}
	}), Options{})
	for secret, want := range map[string]int{otherSecret: dns.RcodeNotAuth, transferSecret: dns.RcodeRefused} {
		m := new(dns.Msg).SetNotify("a.example.")
		m.SetTsig("xfr.", dns.HmacSHA256, 300, time.Now().Unix())
		b, _, err := dns.TsigGenerate(m, secret, "", false)
		if err != nil {
			t.Fatal(err)
		}
		conn, err := net.Dial("udp", s.address(t, false).String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
		if _, err := conn.Write(b); err != nil {
			t.Fatal(err)
		}
		answer := make([]byte, 512)
		n, err := conn.Read(answer)
		if err != nil || int(answer[3]&0x0f) != want {
			t.Errorf("%d bytes, RCODE %d, want %d, %v", n, answer[3]&0x0f, want, err)
		}
	}
	if n := s.secondary.Status().NotifyRefused; n != 2 {
		t.Errorf("%d refused", n)
	}
	for _, want := range []string{`"reason":"its signature is wrong: BADSIG"`, `"reason":"no primary of the zone has this address or signs with the key xfr"`, `"zone":"a.example"`} {
		if !strings.Contains(s.log.String(), want) {
			t.Errorf("not logged: %s\n%s", want, s.log.String())
		}
	}
}
