package value

import (
	"fmt"
	"testing"
	"time"
)

// reading is a text, and what it is read as or what its error says.
type reading struct{ text, want, fault string }

func check[T any](t *testing.T, parse func(string) (T, error), readings []reading) {
	t.Helper()
	for _, r := range readings {
		v, err := parse(r.text)
		var zero T
		switch {
		case r.fault != "":
			if err == nil || err.Error() != r.fault || fmt.Sprint(v) != fmt.Sprint(zero) {
				t.Errorf("%q: %v, %v\nwant %s", r.text, v, err, r.fault)
			}
		case err != nil || fmt.Sprint(v) != r.want:
			t.Errorf("%q: %v, %v, want %s", r.text, v, err, r.want)
		}
	}
}

func TestParseAddr(t *testing.T) {
	bad := func(text string) reading {
		return reading{text: text, fault: fmt.Sprintf("not an IP address: %q; write 192.0.2.1 or 2001:db8::1", text)}
	}
	check(t, ParseAddr, []reading{
		{text: "192.0.2.1", want: "192.0.2.1"},
		{text: "2001:DB8::1", want: "2001:db8::1"},
		{text: "::ffff:192.0.2.1", want: "192.0.2.1"},
		bad(""), bad("ns1.example.net"), bad("192.0.2"), bad("192.0.2.01"), bad("192.0.2.1:53"), bad("192.0.2.1/32"), bad("fe80::1%eth0"), bad(" 192.0.2.1"),
	})
}

func TestParsePrefix(t *testing.T) {
	bad := func(text string) reading {
		return reading{text: text, fault: fmt.Sprintf("not a prefix: %q; write 192.0.2.0/24, 2001:db8::/32, or an address", text)}
	}
	check(t, ParsePrefix, []reading{
		{text: "192.0.2.1", want: "192.0.2.1/32"},
		{text: "2001:db8::1", want: "2001:db8::1/128"},
		{text: "::ffff:192.0.2.1", want: "192.0.2.1/32"},
		{text: "192.0.2.0/24", want: "192.0.2.0/24"},
		{text: "192.0.2.1/32", want: "192.0.2.1/32"},
		{text: "2001:db8::/32", want: "2001:db8::/32"},
		{text: "0.0.0.0/0", want: "0.0.0.0/0"},
		{text: "192.0.2.1/24", fault: `not a prefix: "192.0.2.1/24" has bits set behind its length; write 192.0.2.0/24, or 192.0.2.1 for the address alone`},
		{text: "2001:db8::1/32", fault: `not a prefix: "2001:db8::1/32" has bits set behind its length; write 2001:db8::/32, or 2001:db8::1 for the address alone`},
		bad(""), bad("192.0.2.0/33"), bad("192.0.2.0/"), bad("192.0.2/24"), bad("fe80::1%eth0"), bad("fe80::%eth0/64"), bad("::ffff:192.0.2.0/120"), bad("example.net"),
	})
}

func TestParseEndpoint(t *testing.T) {
	bad := func(text string) reading {
		return reading{text: text, fault: fmt.Sprintf("not an address: %q; write 192.0.2.1, 192.0.2.1:5300 or [2001:db8::1]:5300", text)}
	}
	check(t, ParseEndpoint, []reading{
		{text: "192.0.2.1", want: "192.0.2.1:53"},
		{text: "192.0.2.1:5300", want: "192.0.2.1:5300"},
		{text: "2001:db8::1", want: "[2001:db8::1]:53"},
		{text: "[2001:db8::1]:5300", want: "[2001:db8::1]:5300"},
		{text: "[::ffff:192.0.2.1]:5300", want: "192.0.2.1:5300"},
		bad(""), bad("192.0.2.1:0"), bad("192.0.2.1:65536"), bad(":53"), bad("ns1.example.net:53"), bad("fe80::1%eth0"), bad("[fe80::1%eth0]:53"), bad("[2001:db8::1]"),
	})
}

func TestParseAddrPort(t *testing.T) {
	bad := func(text string) reading {
		return reading{text: text, fault: fmt.Sprintf("not an address and port: %q; write 127.0.0.1:PORT or [::1]:PORT", text)}
	}
	check(t, ParseAddrPort, []reading{
		{text: "127.0.0.1:9153", want: "127.0.0.1:9153"},
		{text: "[::1]:0", want: "[::1]:0"},
		{text: "[::ffff:127.0.0.1]:9153", want: "127.0.0.1:9153"},
		bad(""), bad("127.0.0.1"), bad("localhost:9153"), bad(":9153"), bad("[fe80::1%lo]:1"),
	})
}

func TestParseDuration(t *testing.T) {
	bad := func(text string) reading {
		return reading{text: text, fault: fmt.Sprintf("not a duration: %q; write 90s, 15m, 2h, 7d", text)}
	}
	long := func(text string) reading {
		return reading{text: text, fault: fmt.Sprintf("too long a duration: %q; at most 2147483647 seconds", text)}
	}
	check(t, ParseDuration, []reading{
		{text: "0", want: "0s"},
		{text: "90", want: "1m30s"},
		{text: "90s", want: "1m30s"},
		{text: "1H30M", want: "1h30m0s"},
		{text: "2w1d", want: "360h0m0s"},
		{text: "0s", want: "0s"},
		{text: "2147483647", want: MaxDuration.String()},
		{text: "3550w5d3h14m7s", want: MaxDuration.String()},
		bad(""), bad("5min"), bad("5 m"), bad("m"), bad("1h30"), bad("-1h"), bad("1.5h"), bad("500ms"), bad("1y"), bad("١m"), bad("soon"), bad("1h "),
		long("3550w5d3h14m8s"), long("2147483648s"), long("9999999999999999999999d"), long("2147483648"),
	})
}

func TestParseSize(t *testing.T) {
	bad := func(text string) reading {
		return reading{text: text, fault: fmt.Sprintf("not a size: %q; write 500MB, 512MiB, 20GB", text)}
	}
	check(t, ParseSize, []reading{
		{text: "0B", want: "0"},
		{text: "1KiB", want: "1024"},
		{text: "1kB", want: "1000"},
		{text: "512MiB", want: "536870912"},
		{text: "20GB", want: "20000000000"},
		{text: "20gb", want: "20000000000"},
		{text: "8TiB", want: "8796093022208"},
		{text: "9223372036854775807B", want: "9223372036854775807"},
		{text: "9223372036854775808B", fault: `too large a size: "9223372036854775808B"`},
		{text: "8388608TiB", fault: `too large a size: "8388608TiB"`},
		bad(""), bad("GB"), bad("20"), bad("20G"), bad("-1GB"), bad("1.5GB"), bad("20 GB"), bad("20GBB"), bad("99999999999999999999B"),
	})
}

func TestParseCount(t *testing.T) {
	check(t, func(text string) (int, error) { return ParseCount(text, 100) }, []reading{
		{text: "1", want: "1"},
		{text: "100", want: "100"},
		{text: "0", fault: `not a number from 1 to 100: "0"`},
		{text: "101", fault: `not a number from 1 to 100: "101"`},
		{text: "", fault: `not a number from 1 to 100: ""`},
		{text: "1e2", fault: `not a number from 1 to 100: "1e2"`},
	})
}

// FuzzValues: no reader panics, gives a value beside an error, or reads its own
// output as something else.
func FuzzValues(f *testing.F) {
	for _, text := range []string{"192.0.2.1", "192.0.2.0/24", "[2001:db8::1]:53", "::ffff:192.0.2.1", "1h30m", "3550w", "20GB", "9223372036854775807B", "7"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if a, err := ParseAddr(text); (err == nil) != a.IsValid() || a.Is4In6() || a.Zone() != "" {
			t.Errorf("address: %v, %v", a, err)
		} else if err == nil {
			again(t, ParseAddr, a)
		}
		if p, err := ParsePrefix(text); (err == nil) != p.IsValid() || p.Addr().Is4In6() || err == nil && p != p.Masked() {
			t.Errorf("prefix: %v, %v", p, err)
		} else if err == nil {
			again(t, ParsePrefix, p)
		}
		if e, err := ParseEndpoint(text); (err == nil) != e.IsValid() || err == nil && e.Port() == 0 {
			t.Errorf("endpoint: %v, %v", e, err)
		} else if err == nil {
			again(t, ParseAddrPort, e)
		}
		if e, err := ParseAddrPort(text); (err == nil) != e.IsValid() {
			t.Errorf("address and port: %v, %v", e, err)
		}
		if d, err := ParseDuration(text); d < 0 || d > MaxDuration || d%time.Second != 0 || err != nil && d != 0 {
			t.Errorf("duration: %v, %v", d, err)
		}
		if n, err := ParseSize(text); n < 0 || err != nil && n != 0 {
			t.Errorf("size: %d, %v", n, err)
		}
	})
}

func again[T interface {
	comparable
	fmt.Stringer
}](t *testing.T, parse func(string) (T, error), v T) {
	t.Helper()
	if w, err := parse(v.String()); err != nil || w != v {
		t.Errorf("%v is read as %v, %v", v, w, err)
	}
}

func TestFormat(t *testing.T) {
	for want, d := range map[string]time.Duration{"400d": 400 * 24 * time.Hour, "36h": 36 * time.Hour, "90s": 90 * time.Second, "2m": 2 * time.Minute, "0s": 0} {
		if got := FormatDuration(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
		if read, err := ParseDuration(want); read != d || err != nil {
			t.Errorf("%s is read as %v, %v", want, read, err)
		}
	}
	for want, n := range map[string]int64{"20GB": 20e9, "512MiB": 512 << 20, "1TiB": 1 << 40, "1001B": 1001} {
		if got := FormatSize(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
		if read, err := ParseSize(want); read != n || err != nil {
			t.Errorf("%s is read as %d, %v", want, read, err)
		}
	}
}
