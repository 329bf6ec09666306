package nameserver

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os/exec"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"nullspf/internal/peers"
)

// The vectors of the SipHash paper: key 00..0f, message 00, 01, 02, ...
func TestSipHash(t *testing.T) {
	var key [16]byte
	for i := range key {
		key[i] = byte(i)
	}
	message := make([]byte, 16)
	for i := range message {
		message[i] = byte(i)
	}
	for size, want := range map[int]uint64{
		0: 0x726fdb47dd0e0e31, 1: 0x74f839c593dc67fd, 7: 0xab0200f58b01d137,
		8: 0x93f5f5799a932462, 15: 0xa129ca6149be45e5, 16: 0x3f2acc7f57c29bdb,
	} {
		if got := sipHash(&key, message[:size]); got != want {
			t.Errorf("%d bytes: %016x, want %016x", size, got, want)
		}
	}
}

func mustSecret(t testing.TB, text string) (s Secret) {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil || copy(s[:], b) != len(s) {
		t.Fatalf("secret %q: %v", text, err)
	}
	return s
}

// cookieQuery is a query that carries a cookie.
func cookieQuery(t testing.TB, client, cookie string) *query {
	t.Helper()
	b, err := hex.DecodeString(cookie)
	if err != nil {
		t.Fatal(err)
	}
	q := &query{client: netip.AddrPortFrom(netip.MustParseAddr(client), 4242)}
	q.edns.present = true
	q.edns.cookieSize = uint8(copy(q.edns.cookie[:], b))
	return q
}

// The test vectors of RFC 9018 appendix A.
func TestCookieVectors(t *testing.T) {
	const (
		secret1 = "e5e973e5a6b2a43f48e7dc849e37bfcf"
		secret2 = "dd3bdf9344b678b185a6f5cb60fca715"
		secret3 = "445536bcd2513298075a5d379663c962"
	)
	for _, c := range []struct {
		name, client, cookie string
		now                  uint32
		secrets              []string
		verified             bool
		want                 string
	}{
		{"A.1 new cookie", "198.51.100.100", "2464c4abcf10c957", 1559731985, []string{secret1}, false, "2464c4abcf10c957010000005cf79f111f8130c3eee29480"},
		{"A.2 young cookie is kept", "198.51.100.100", "2464c4abcf10c957010000005cf79f111f8130c3eee29480", 1559731985 + 600, []string{secret1}, true, "2464c4abcf10c957010000005cf79f111f8130c3eee29480"},
		{"A.2 old cookie is renewed", "198.51.100.100", "2464c4abcf10c957010000005cf79f111f8130c3eee29480", 1559734385, []string{secret1}, true, "2464c4abcf10c957010000005cf7a871d4a564a1442aca77"},
		{"A.3 another client, reserved bytes set", "203.0.113.203", "fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5", 1559727985, []string{secret1}, true, "fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5"},
		{"A.4 secret rolled over, IPv6", "2001:db8:220:1:59de:d0f4:8769:82b8", "22681ab97d52c298010000005cf7c57926556bd0934c72f8", 1559741961, []string{secret3, secret2}, true, "22681ab97d52c298010000005cf7c609a6bb79d16625507a"},
		{"expired", "198.51.100.100", "2464c4abcf10c957010000005cf79f111f8130c3eee29480", 1559731985 + 3601, []string{secret1}, false, ""},
		{"from the future", "198.51.100.100", "2464c4abcf10c957010000005cf79f111f8130c3eee29480", 1559731985 - 301, []string{secret1}, false, ""},
		{"wrong address", "198.51.100.101", "2464c4abcf10c957010000005cf79f111f8130c3eee29480", 1559731985, []string{secret1}, false, ""},
		{"wrong client cookie", "198.51.100.100", "2464c4abcf10c958010000005cf79f111f8130c3eee29480", 1559731985, []string{secret1}, false, ""},
		{"unknown secret", "198.51.100.100", "2464c4abcf10c957010000005cf79f111f8130c3eee29480", 1559731985, []string{secret2, secret3}, false, ""},
		{"unknown version", "198.51.100.100", "2464c4abcf10c957020000005cf79f111f8130c3eee29480", 1559731985, []string{secret1}, false, "2464c4abcf10c957010000005cf79f111f8130c3eee29480"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var jar cookieJar
			for _, s := range c.secrets {
				jar.secrets = append(jar.secrets, mustSecret(t, s))
			}
			q := cookieQuery(t, c.client, c.cookie)
			jar.apply(q, c.now)
			got := hex.EncodeToString(q.edns.cookie[:])
			if c.want != "" && got != c.want || c.want == "" && got == c.cookie {
				t.Errorf("cookie %s, want %s", got, c.want)
			}
			if q.verified != c.verified {
				t.Errorf("verified %v, want %v", q.verified, c.verified)
			}
			if binary.BigEndian.Uint32(q.edns.cookie[12:]) > c.now {
				t.Error("the cookie is from the future")
			}
		})
	}
}

// Secrets roll over by reloads, as RFC 9018 section 5 tells; a client keeps
// being verified.
func TestCookieRollover(t *testing.T) {
	a, b := mustSecret(t, "e5e973e5a6b2a43f48e7dc849e37bfcf"), mustSecret(t, "dd3bdf9344b678b185a6f5cb60fca715")
	config := func(secrets ...Secret) *Config {
		return testConfig(func(c *Config) { c.Cookies.Secrets = secrets })
	}
	s := startServer(t, config(a), Options{})
	cookie := "2464c4abcf10c957"
	verified := func() bool {
		t.Helper()
		m := new(dns.Msg)
		m.SetQuestion(exampleName, dns.TypeA)
		m.SetEdns0(1232, false)
		m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: cookie}}
		r := exchange(t, "udp", s.address(t, false), m)
		cookie = ""
		for _, o := range r.IsEdns0().Option {
			if c, ok := o.(*dns.EDNS0_COOKIE); ok {
				cookie = c.Cookie
			}
		}
		if len(cookie) != 2*cookieSize || cookie[:16] != "2464c4abcf10c957" {
			t.Fatalf("cookie %q", cookie)
		}
		events := s.recorder.take()
		if len(events) != 1 {
			t.Fatalf("%d events", len(events))
		}
		return events[0].Verified
	}
	reload := func(secrets ...Secret) {
		t.Helper()
		if err := s.reload(t, config(secrets...)); err != nil {
			t.Fatal(err)
		}
	}
	if verified() {
		t.Error("verified without a server cookie")
	}
	for i, step := range [][]Secret{{a}, {a, b}, {b, a}, {b}} {
		reload(step...)
		if !verified() {
			t.Errorf("step %d: not verified", i)
		}
	}
	reload(a)
	if verified() {
		t.Error("verified with a secret that is gone")
	}
}

// A real client takes our cookies for good, and they are those of BIND.
func TestCookiesWithDig(t *testing.T) {
	peers.Require(t, "dig")
	dig, err := peers.Program("dig")
	if err != nil {
		t.Fatal(err)
	}
	s := startServer(t, testConfig(), Options{})
	at := s.address(t, false)
	out, err := exec.Command(dig, "@"+at.Addr().String(), "-p", fmt.Sprint(at.Port()), "+cookie", "+tries=1", exampleName, "A").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "(good)") || !strings.Contains(string(out), "status: NOERROR") {
		t.Errorf("%v: %s", err, out)
	}
	_ = s.recorder.take()
	// dig asks again with the server cookie that it got.
	out, err = exec.Command(dig, "@"+at.Addr().String(), "-p", fmt.Sprint(at.Port()), "+cookie="+serverCookie(t, string(out)), "+tries=1", exampleName, "A").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if events := s.recorder.take(); len(events) != 1 || !events[0].Verified {
		t.Errorf("events %+v", events)
	}
}

func serverCookie(t testing.TB, out string) string {
	t.Helper()
	_, rest, ok := strings.Cut(out, "COOKIE: ")
	cookie, _, ok2 := strings.Cut(rest, " ")
	if !ok || !ok2 {
		t.Fatalf("no cookie in %s", out)
	}
	return cookie
}
