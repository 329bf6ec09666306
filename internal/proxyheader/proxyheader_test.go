package proxyheader

import (
	"bufio"
	"bytes"
	"io"
	"net/netip"
	"strings"
	"testing"

	"nullspf/internal/peers"
)

var (
	client4 = netip.MustParseAddrPort("192.0.2.1:1234")
	client6 = netip.MustParseAddrPort("[2001:db8::1]:53")
)

func FuzzParse(f *testing.F) {
	f.Add(peers.ProxyHeader(false, client4))
	f.Add(peers.ProxyHeader(true, client6))
	f.Add(peers.ProxyHeader(false, netip.AddrPort{}))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, n := Parse(b)
		if n > len(b) || n == 0 && h.Client.IsValid() {
			t.Fatalf("%d of %d bytes, %v", n, len(b), h)
		}
		for short := range n {
			if _, n2 := Parse(b[:short]); n2 != 0 {
				t.Fatalf("%d bytes of %d are a header", short, n)
			}
		}
		// Over a connection it is the same, and what follows is left.
		r := bufio.NewReaderSize(bytes.NewReader(append(b[:n:n], "rest"...)), MinBuffer)
		got, err := Read(r)
		if n > 0 && n <= maxSize && (err != nil || got != h) {
			t.Fatalf("%v, %v; over a connection %v, %v", h, n, got, err)
		}
		if rest, _ := io.ReadAll(r); err == nil && string(rest) != "rest" {
			t.Fatalf("%q follows", rest)
		}
	})
}

func FuzzReadAny(f *testing.F) {
	f.Add(peers.ProxyHeader(false, client6))
	f.Add([]byte("PROXY TCP4 192.0.2.1 198.51.100.25 1234 25\r\nEHLO"))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := ReadAny(bufio.NewReaderSize(bytes.NewReader(b), MinBuffer))
		if a := h.Client.Addr(); err != nil && h.Client.IsValid() || a.Is4In6() || a.Zone() != "" {
			t.Fatalf("%v, %v", h, err)
		}
	})
}

func TestReadAny(t *testing.T) {
	for text, want := range map[string]netip.AddrPort{
		string(peers.ProxyHeader(false, client4)):              client4,
		string(peers.ProxyHeader(false, client6)):              client6,
		string(peers.ProxyHeader(false, netip.AddrPort{})):     {},
		"PROXY TCP4 192.0.2.1 198.51.100.25 1234 25\r\n":       client4,
		"PROXY TCP6 2001:db8::1 2001:db8::25 53 25\r\n":        client6,
		"PROXY TCP6 ::ffff:192.0.2.1 2001:db8::25 1234 25\r\n": client4,
		"PROXY UNKNOWN\r\n":                                    {},
		"PROXY UNKNOWN a b c\r\n":                              {},
	} {
		r := bufio.NewReaderSize(strings.NewReader(text+"EHLO"), MinBuffer)
		h, err := ReadAny(r)
		rest, _ := io.ReadAll(r)
		if err != nil || h.Client != want || string(rest) != "EHLO" {
			t.Errorf("%q: %v, %v, then %q", text, h, err, rest)
		}
	}
	for _, text := range []string{
		"", "PROXY", "EHLO mail.example.org\r\n",
		"PROXY TCP4 192.0.2.1 198.51.100.25 1234\r\n",
		"PROXY TCP4 192.0.2.1 198.51.100.25 123456 25\r\n",
		"PROXY TCP4 2001:db8::1 2001:db8::25 53 25\r\n",
		"PROXY TCP6 192.0.2.1 198.51.100.25 53 25\r\n",
		"PROXY TCP6 fe80::1%eth0 2001:db8::25 53 25\r\n",
		"PROXY SCTP4 192.0.2.1 198.51.100.25 1234 25\r\n",
		"PROXY TCP4 192.0.2.1 198.51.100.25 1234 25\n" + strings.Repeat("x", 200) + "\r\n",
	} {
		if h, err := ReadAny(bufio.NewReaderSize(strings.NewReader(text), MinBuffer)); err == nil {
			t.Errorf("%q: %v", text, h)
		}
	}
}
