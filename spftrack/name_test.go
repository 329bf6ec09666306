package spftrack

import (
	"bytes"
	"strings"
	"testing"

	"nullspf/internal/wire"
)

func TestPrintable(t *testing.T) {
	for _, test := range []struct{ raw, want string }{
		{"", ""},
		{"user+tag@shop.example", "user+tag@shop.example"},
		{`us+er\@host`, `us+er\\@host`},
		{`"a b"`, `"a\032b"`},
		{"\x1b[31m\r\n\t\x00\x7f", `\027[31m\013\010\009\000\127`},
		{"b\u00fccher\xff", `b\195\188cher\255`},
		{"=cmd|' /C calc'!A0", `=cmd|'\032/C\032calc'!A0`},
	} {
		if got := Printable(test.raw); got != test.want {
			t.Errorf("Printable(%q) = %q, want %q", test.raw, got, test.want)
		}
		if got := Printable([]byte(test.raw)); got != test.want {
			t.Errorf("Printable([]byte(%q)) = %q, want %q", test.raw, got, test.want)
		}
	}
}

func TestPrintableName(t *testing.T) {
	for _, test := range []struct{ text, packed, printed string }{
		{".", "\x00", "."},
		{"a.example", "\x01a\x07example\x00", "a.example"},
		{"A.example.", "\x01A\x07example\x00", "A.example"},
		{`a\.b.example`, "\x03a.b\x07example\x00", `a\.b.example`},
		{`a\032b\@c\\d.x`, "\x07a b@c\\d\x01x\x00", `a\032b@c\\d.x`},
		{"a b\x1b\xff.x", "\x05a b\x1b\xff\x01x\x00", `a\032b\027\255.x`},
		{"[ipv6:2001:db8::1].x", "\x12[ipv6:2001:db8::1]\x01x\x00", "[ipv6:2001:db8::1].x"},
		{strings.Repeat("a", 63), "\x3f" + strings.Repeat("a", 63) + "\x00", strings.Repeat("a", 63)},
		{strings.Repeat("a.", 127), strings.Repeat("\x01a", 127) + "\x00", strings.Repeat("a.", 126) + "a"},
	} {
		packed, err := wire.PackName(test.text)
		if err != nil || string(packed) != test.packed {
			t.Errorf("wire.PackName(%q) = %q, %v; want %q", test.text, packed, err, test.packed)
			continue
		}
		if got := printableName(packed); got != test.printed {
			t.Errorf("printableName(%q) = %q, want %q", packed, got, test.printed)
		}
	}
}

// What is not a name is shown byte by byte and never panics.
func TestPrintableNameMalformed(t *testing.T) {
	for _, test := range []struct{ packed, want string }{
		{"", ""},
		{"\x00\x00", `\000\000`},
		{"\x01", `\001`},
		{"\x01a", `\001a`},
		{"\x02a\x00", `\002a\000`},
		{"\xc0\x0c", `\192\012`},
		{"\x01a\x00\x01b\x00", `\001a\000\001b\000`},
	} {
		if got := printableName([]byte(test.packed)); got != test.want {
			t.Errorf("printableName(%q) = %q, want %q", test.packed, got, test.want)
		}
	}
}

func FuzzName(f *testing.F) {
	for _, s := range []string{".", "a.example.", `a\.b\032c.example`, `\255`, "a..b", strings.Repeat("a.", 127)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, c := range []byte(Printable(text)) {
			if c <= ' ' || c >= 0x7f {
				t.Fatalf("Printable(%q) = %q", text, Printable(text))
			}
		}
		packed, err := wire.PackName(text)
		if err != nil {
			if packed != nil {
				t.Fatalf("%q: a value beside %v", text, err)
			}
			return
		}
		var l labels
		if len(packed) > wire.MaxName || !l.load(packed, new(Memory)) {
			t.Fatalf("%q gives the malformed %q", text, packed)
		}
		again, err := wire.PackName(printableName(packed))
		if err != nil || !bytes.Equal(packed, again) {
			t.Fatalf("%q: %q is printed as %q, which is %q, %v", text, packed, printableName(packed), again, err)
		}
	})
}

func printableName(name []byte) string { return string(AppendName(nil, name)) }
