package spftrack

import (
	"bytes"
	"context"
	"encoding/json"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"blitiri.com.ar/go/spf"

	"nullspf/internal/ascii"
	"nullspf/internal/peers"
	"nullspf/internal/wire"
)

// oracleChecks are checks of mail from shop.example: those of the tables, then
// random ones that all implementations split at the same "@".
func oracleChecks() []Check {
	var checks []Check
	helos := []string{"mail.example.org", "WIN-ABC123", "[192.0.2.1]", "[ipv6:2001:db8::1]", "192.0.2.1", "mail.he.net", "lp.cl.fd.1", ""}
	locals := []string{"user", "User.Name", "us%2ber%40host", `us+er\host`, `"a b"`, "bounce+x=y.com", "a..b", "he.lp.cl", "wei.he.li", strings.Repeat("x", 64)}
	for i, ip := range []string{"192.0.2.7", "2001:db8::cb01", "::ffff:192.0.2.7"} {
		for k, helo := range helos {
			for m, local := range locals {
				if (i+k+m)%2 == 0 {
					checks = append(checks, Check{IP: netip.MustParseAddr(ip), Sender: local + "@shop.example", HELO: helo, Domain: "shop.example"})
				}
			}
			checks = append(checks, Check{IP: netip.MustParseAddr(ip), Sender: "@shop.example", HELO: helo, Domain: "shop.example"})
		}
		checks = append(checks, Check{IP: netip.MustParseAddr(ip), HELO: "shop.example", Domain: "shop.example"})
	}
	r := nasty{rand.New(rand.NewPCG(4408, 7208))}
	for len(checks) < 600 {
		c := Check{IP: r.ip(), Sender: r.labels() + "@shop.example", HELO: r.labels(), Domain: "shop.example"}
		if isASCII(c.Sender+c.HELO) && strings.Count(c.Sender, "@") == 1 {
			checks = append(checks, c)
		}
	}
	return checks
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}

// recorder answers the one record and notes the names asked for.
type recorder struct {
	domain, record string
	txt, addr      []string
}

func (r *recorder) LookupTXT(_ context.Context, name string) ([]string, error) {
	r.txt = append(r.txt, name)
	if name == r.domain {
		return []string{r.record}, nil
	}
	return nil, &net.DNSError{IsNotFound: true, Name: name}
}

func (r *recorder) LookupIPAddr(_ context.Context, name string) ([]net.IPAddr, error) {
	r.addr = append(r.addr, name)
	return nil, &net.DNSError{IsNotFound: true, Name: name}
}

func (r *recorder) LookupMX(context.Context, string) ([]*net.MX, error) { return nil, nil }

func (r *recorder) LookupAddr(context.Context, string) ([]string, error) { return nil, nil }

// blitiri does not fetch exp=, leaves empty labels out and does not truncate.
func TestBlitiri(t *testing.T) {
	compared := 0
	for _, layout := range Layouts {
		policy, err := compile(layout, Settings{Zone: testZone})
		if err != nil {
			t.Fatal(err)
		}
		p := NewParser(testZone, []Layout{layout}, func(d string) bool { return d == "shop.example" })
		for _, c := range oracleChecks() {
			queries, err := policy.queries(c)
			if err != nil {
				t.Fatal(err)
			}
			r := &recorder{domain: "shop.example", record: policy.record}
			result, err := spf.CheckHostWithSender(c.IP.AsSlice(), c.HELO, c.Sender, spf.WithResolver(r))
			if result != spf.Fail {
				t.Errorf("%s: %+v: %s, %v", layout, c, result, err)
			}
			var want []string
			for _, q := range queries {
				if q.Type == TypeA {
					want = append(want, q.Name)
				}
			}
			if len(r.addr) != len(want) || len(r.txt) != 1 || r.txt[0] != queries[0].Name {
				t.Errorf("%s: %+v: asked %q and %q, want %q", layout, c, r.txt, r.addr, want)
				continue
			}
			if layout == Classic && (queries[1].Truncated || queries[1].Problem != "" || strings.HasPrefix(c.Sender, "@") || c.Sender == "") {
				continue
			}
			if !slices.Equal(r.addr, want) {
				t.Errorf("%s: %+v: asked %q, want %q", layout, c, r.addr, want)
				continue
			}
			for _, name := range r.addr {
				compared++
				checkAsked(t, p, c, name, TypeA)
			}
		}
	}
	t.Logf("%d names compared", compared)
}

// checkAsked parses a name that an implementation asked for.
func checkAsked(t *testing.T, p *Parser, c Check, name string, qtype uint16) {
	t.Helper()
	packed, err := wire.AppendLabels(nil, name)
	if err != nil {
		t.Errorf("%q: %v", name, err)
		return
	}
	want, err := c.values()
	if err != nil {
		t.Fatal(err)
	}
	got := p.Parse(packed, qtype)
	if got.Flags&FlagTruncated == 0 && got.ClientIP != want.ip || got.ClientIP.IsValid() && got.ClientIP != want.ip || got.Forged != "shop.example" {
		t.Errorf("%q: %+v", name, got)
	}
	if got.Flags != 0 || got.Kind == KindExists {
		return
	}
	if got.SenderLocal != ascii.ToLower(want.local) || got.HELO != ascii.ToLower(want.helo) {
		t.Errorf("%q: %+v", name, got)
	}
}

// Transformers and delimiters, also wrong ones, at random.
func TestBlitiriMacros(t *testing.T) {
	r := nasty{rand.New(rand.NewPCG(7, 3))}
	c := Check{IP: v4, Sender: "strong-bad+x_y=z@email.example.com", HELO: "mail.example.org", Domain: "email.example.com"}
	good := 0
	for range 3000 {
		var spec strings.Builder
		for range 1 + r.IntN(3) {
			spec.WriteString("%{" + r.pick("s", "l", "o", "d", "i", "v", "h", "p", "L", "D", "H", "c", "x", "") +
				r.pick("", "", "", "0", "1", "2", "3", "12") + r.pick("", "", "r", "R") + r.pick("", "", "-", "+", "=_", ".-", ",", ";", "1") + "}" +
				r.pick(".", ".", ".a%%b.", "%_.", "%-.", "%a."))
		}
		spec.WriteString("example")
		rec := &recorder{domain: c.Domain, record: "v=spf1 exists:" + spec.String() + " -all"}
		result, _ := spf.CheckHostWithSender(c.IP.AsSlice(), c.HELO, c.Sender, spf.WithResolver(rec))
		m, err := compileDomainSpec(spec.String())
		if (result == spf.PermError) != (err != nil) {
			t.Errorf("%s: %s, %v", &spec, result, err)
			continue
		}
		if err != nil {
			continue
		}
		good++
		if got, err := m.expand(c); err != nil || len(rec.addr) != 1 || got != rec.addr[0] {
			t.Errorf("%s: %q, %v; want %q", &spec, got, err, rec.addr)
		}
	}
	if good < 300 {
		t.Errorf("only %d good ones", good)
	}
}

// pyspf lowers the case, writes an empty local part of %{s} as nothing, cuts
// one label at most, asks for exp= before exists:, and does not ask for what
// is not a name.
func TestPyspf(t *testing.T) {
	python, err := findPyspf()
	if err != nil {
		peers.Lack(t, "no pyspf (Debian package python3-spf): %v", err)
	}
	type testCase struct {
		layout  Layout
		check   Check
		queries []Query
	}
	var cases []testCase
	var input bytes.Buffer
	enc := json.NewEncoder(&input)
	for _, layout := range Layouts {
		policy, err := compile(layout, Settings{Zone: testZone})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range oracleChecks() {
			queries, err := policy.queries(c)
			if err != nil {
				t.Fatal(err)
			}
			cases = append(cases, testCase{layout, c, queries})
			if err := enc.Encode(map[string]string{
				"domain": "shop.example", "record": policy.record,
				"ip": c.IP.String(), "sender": c.Sender, "helo": c.HELO,
			}); err != nil {
				t.Fatal(err)
			}
		}
	}
	cmd := exec.Command(python, "testdata/pyspf.py")
	cmd.Stdin = &input
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	dec := json.NewDecoder(bytes.NewReader(out))
	compared := 0
	for _, tc := range cases {
		var got struct {
			Result string
			Asked  [][2]string
		}
		if err := dec.Decode(&got); err != nil {
			t.Fatal(err)
		}
		if got.Result != "fail" {
			t.Errorf("%s: %+v: %s", tc.layout, tc.check, got.Result)
		}
		p := NewParser(testZone, []Layout{tc.layout}, func(d string) bool { return d == "shop.example" })
		for _, q := range tc.queries {
			qtype := map[uint16]string{TypeA: "A", TypeTXT: "TXT"}[q.Type]
			name := ascii.ToLower(q.Name)
			if tc.layout == Classic && strings.HasPrefix(tc.check.Sender, "@") {
				name = strings.Replace(name, ".postmaster@", ".@", 1)
			}
			asked := slices.Contains(got.Asked, [2]string{name, qtype})
			switch {
			case q.Problem != "" && asked:
				t.Errorf("%s: %+v: asked for %q, which is not a name", tc.layout, tc.check, name)
			case q.Problem == "" && !asked && !q.Truncated:
				t.Errorf("%s: %+v: did not ask for %s %q, but %q", tc.layout, tc.check, qtype, name, got.Asked)
			case asked && strings.HasSuffix(name, "."+testZone) && strings.HasPrefix(tc.check.Sender, "@"):
				compared++
			case asked && strings.HasSuffix(name, "."+testZone):
				compared++
				checkAsked(t, p, tc.check, name, q.Type)
			}
		}
	}
	t.Logf("%d names compared", compared)
}

// findPyspf returns a Python interpreter that has pyspf.
func findPyspf() (python string, err error) {
	for _, python = range []string{"python3", "/usr/bin/python3"} {
		if err = exec.Command(python, "-c", "import spf").Run(); err == nil {
			return python, nil
		}
	}
	return "", err
}
