package spftrack

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"nullspf/internal/wire"
)

var (
	v4 = netip.MustParseAddr("192.0.2.7")
	v6 = netip.MustParseAddr("2001:db8::cb01")
)

// rfcCheck is the example of RFC 7208 section 7.4.
var rfcCheck = Check{
	IP:     netip.MustParseAddr("192.0.2.3"),
	Sender: "strong-bad@email.example.com",
	HELO:   "mail.example.org",
	Domain: "email.example.com",
}

func TestExpandRFC7208(t *testing.T) {
	six := rfcCheck
	six.IP = v6
	for _, test := range []struct {
		check      Check
		text, want string
	}{
		// Section 7.4, letters and transformers.
		{rfcCheck, "%{s}", "strong-bad@email.example.com"},
		{rfcCheck, "%{o}", "email.example.com"},
		{rfcCheck, "%{d}", "email.example.com"},
		{rfcCheck, "%{d4}", "email.example.com"},
		{rfcCheck, "%{d3}", "email.example.com"},
		{rfcCheck, "%{d2}", "example.com"},
		{rfcCheck, "%{d1}", "com"},
		{rfcCheck, "%{dr}", "com.example.email"},
		{rfcCheck, "%{d2r}", "example.email"},
		{rfcCheck, "%{l}", "strong-bad"},
		{rfcCheck, "%{l-}", "strong.bad"},
		{rfcCheck, "%{lr}", "strong-bad"},
		{rfcCheck, "%{lr-}", "bad.strong"},
		{rfcCheck, "%{l1r-}", "strong"},
		// Section 7.4, macro-strings.
		{rfcCheck, "%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"},
		{rfcCheck, "%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com"},
		{rfcCheck, "%{lr-}.lp.%{ir}.%{v}._spf.%{d2}", "bad.strong.lp.3.2.0.192.in-addr._spf.example.com"},
		{rfcCheck, "%{ir}.%{v}.%{l1r-}.lp._spf.%{d2}", "3.2.0.192.in-addr.strong.lp._spf.example.com"},
		{rfcCheck, "%{d2}.trusted-domains.example.net", "example.com.trusted-domains.example.net"},
		{six, "%{ir}.%{v}._spf.%{d2}", "1.0.b.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6._spf.example.com"},
		// Literals, delimiters, escapes.
		{rfcCheck, "a%%b%_c%-d.%{v}", "a%b c%20d.in-addr"},
		{rfcCheck, "%{S}.%{h2}", "strong-bad%40email.example.com.example.org"},
		{rfcCheck, "%{L-}.%{H1r}", "strong.bad.mail"},
		{rfcCheck, "%{d99999999999999999999}", "email.example.com"},
		{rfcCheck, "%{p}.example", "unknown.example"},
		{Check{IP: v4, Sender: "a+b=c/d_e,f@x.example"}, "%{l+=/_,}", "a.b.c.d.e.f"},
		{Check{IP: v4, Sender: "a..b-+c@x.example"}, "%{lr.-+}", "c.b.a"},
		{Check{IP: v4, Sender: "a~b!c d\xff\"@x.example"}, "%{L}", "a~b%21c%20d%FF%22"},
		// Senders without local part, or none at all (sections 2.4 and 4.3).
		{Check{IP: v4, HELO: "mail.example"}, "%{s}.%{l}.%{o}.%{d}", "postmaster@mail.example.postmaster.mail.example.mail.example"},
		{Check{IP: v4, Sender: "<>", HELO: "mail.example"}, "%{s}.%{d}", "postmaster@mail.example.mail.example"},
		{Check{IP: v4, Sender: "@x.example", HELO: "mail.example"}, "%{s}.%{h}", "postmaster@x.example.mail.example"},
		{Check{IP: v4, Sender: "x.example"}, "%{s}", "postmaster@x.example"},
		{Check{IP: v4, Sender: "<u@x.example>", Domain: "y.example."}, "%{s}.%{d}", "u@x.example.y.example"},
		{Check{IP: v4, Sender: `"a@b"@x.example`}, "%{l}.%{o}", `"a@b".x.example`},
		{Check{IP: netip.MustParseAddr("::ffff:192.0.2.7"), Sender: "u@x.example"}, "%{i}.%{v}", "192.0.2.7.in-addr"},
		{Check{IP: netip.MustParseAddr("fe80::1%eth0"), Sender: "u@x.example"}, "%{i1}.%{v}", "1.ip6"},
	} {
		m, err := compileDomainSpec(test.text)
		if err != nil {
			t.Errorf("CompileDomainSpec(%q): %v", test.text, err)
			continue
		}
		if got, err := m.expand(test.check); got != test.want || err != nil {
			t.Errorf("Expand(%q) = %q, %v; want %q", test.text, got, err, test.want)
		}
	}
}

func TestExpandExplanation(t *testing.T) {
	c := rfcCheck
	c.IP, c.Time = v6, time.Unix(1234567890, 0)
	m, err := CompileExplanation("Mail from %{d} by %{c} at %{t} to %{r}: 100%% forged, see http://x.example/?s=%{S}")
	if err != nil {
		t.Fatal(err)
	}
	got, err := m.expand(c)
	if want := "Mail from email.example.com by 2001:db8::cb01 at 1234567890 to unknown: 100% forged, see http://x.example/?s=strong-bad%40email.example.com"; got != want || err != nil {
		t.Errorf("got %q, %v\nwant %q", got, err, want)
	}
	c.Receiver = "mx.example.net"
	m, err = CompileExplanation("%{R}")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := m.expand(c); got != "mx.example.net" || err != nil {
		t.Errorf("%%{R} = %q, %v", got, err)
	}
}

func TestCompileErrors(t *testing.T) {
	for _, test := range []struct {
		text   string
		column int
		reason string
	}{
		{"%(ir).%{v}.example", 1, "must be followed by"},
		{"a.%", 3, "must be followed by"},
		{"ab.%{d", 4, "without"},
		{"%{}.example", 1, "without a letter"},
		{"%{x}.example", 1, "macro letter 'x'"},
		{"%{c}.example", 1, "macro letter 'c'"},
		{"%{d0}.example", 1, "at least 1"},
		{"%{dr2}.example", 1, "'2' is not a delimiter"},
		{"%{d;}.example", 1, "';' is not a delimiter"},
		{"a b.example", 2, "' '"},
		{"%{d}.ex\u00e4mple", 8, "may not stand here"},
		{"", 0, "must end in"},
		{"%{d}.", 5, "must end in"},
		{"example", 7, "must end in"},
		{"%{d}.example.123", 16, "must end in"},
		{"%{d}.example.-a", 15, "must end in"},
	} {
		_, err := compileDomainSpec(test.text)
		var e *MacroError
		if !errors.As(err, &e) || e.Column != test.column || !strings.Contains(e.Reason, test.reason) || e.Text != test.text {
			t.Errorf("CompileDomainSpec(%q): %v; want column %d, %q", test.text, err, test.column, test.reason)
		}
	}
	for _, text := range []string{"%{d", "50% off", "tab\t", "\u00e4"} {
		if _, err := CompileExplanation(text); err == nil {
			t.Errorf("CompileExplanation(%q): no error", text)
		}
	}
	for _, text := range []string{"", "a b", "%{c}%{r}%{t}", "x.example."} {
		if _, err := CompileExplanation(text); err != nil {
			t.Errorf("CompileExplanation(%q): %v", text, err)
		}
	}
}

func TestCheckErrors(t *testing.T) {
	m, err := compileDomainSpec("%{d}")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		check Check
		want  string
	}{
		{Check{Sender: "u@x.example"}, "no client address"},
		{Check{IP: v4}, "no domain"},
		{Check{IP: v4, Sender: "u@", HELO: "h.example"}, "no domain"},
		{Check{IP: v4, Domain: "."}, "no domain"},
	} {
		if got, err := m.expand(test.check); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("Expand(%+v) = %q, %v; want error with %q", test.check, got, err, test.want)
		}
	}
}

func FuzzExpand(f *testing.F) {
	for _, s := range []string{"%{i}.%{v}.CL.%{d}.FD.1.example", "%{lr-}.lp.%{ir}", "%{S2}%%%_%-", "%{d0}", "%{", "%{d128r.-+,/_=}"} {
		f.Add(s, "strong-bad@email.example.com", "mail.example.org", []byte{192, 0, 2, 3})
	}
	f.Add("%{H}.%{i1}", "<>", "[ipv6:2001:db8::1]", make([]byte, 16))
	f.Fuzz(func(t *testing.T, text, sender, helo string, ip []byte) {
		m, err := CompileExplanation(text)
		spec, specErr := compileDomainSpec(text)
		if specErr == nil && err != nil {
			t.Fatalf("%q is a domain-spec and no explanation: %v", text, err)
		}
		var e *MacroError
		if err != nil && (!errors.As(err, &e) || m != nil || e.Column < 1 || e.Column > len(text)) {
			t.Fatalf("%q: %v, %v", text, m, err)
		}
		addr, _ := netip.AddrFromSlice(ip)
		c := Check{IP: addr, Sender: sender, HELO: helo}
		if err == nil {
			got, err := m.expand(c)
			if err != nil && got != "" {
				t.Fatalf("%q beside %v", got, err)
			}
			// A %{...} of 4 bytes gives at most 3 bytes for each of its value.
			if longest := 3 * (len(sender) + len(helo) + len("postmaster@") + 64); len(got) > len(text)*longest {
				t.Fatalf("%q: %d bytes", text, len(got))
			}
		}
		if specErr == nil {
			if got, err := spec.expand(c); err == nil && !addr.IsValid() {
				t.Fatalf("%q without an address", got)
			}
		}
		for _, l := range Layouts {
			queries, err := Queries(l, Settings{Zone: "_spf.example.net"}, c)
			if err != nil {
				continue
			}
			for _, q := range queries {
				packed, err := q.Wire()
				if (err == nil) != (q.Problem == "") {
					t.Fatalf("%q: problem %q, error %v", q.Name, q.Problem, err)
				}
				if err == nil && (len(packed) > wire.MaxName || len(q.Name) > maxText) {
					t.Fatalf("%q: %d bytes on the wire", q.Name, len(packed))
				}
			}
		}
	})
}

// expand returns the macro-string with the values of a check. A domain-spec is
// not cut to the length of a name.
func (m *MacroString) expand(c Check) (string, error) {
	v, err := c.values()
	if err != nil {
		return "", err
	}
	return string(m.append(nil, &v)), nil
}
