package dnsname

import (
	"strings"
	"testing"
)

func TestParseIDNA2003(t *testing.T) {
	for _, c := range []struct {
		text, name string
		old        bool
		fault      string
	}{
		{"Brand.Example.", "brand.example", false, ""},
		{"faß.example", "xn--fa-hia.example", false, ""},
		{"☃.example", "xn--n3h.example", true, ""},
		{"XN--N3H.Example", "xn--n3h.example", true, ""},
		{"I❤。example", "xn--i-7iq.example", true, ""},
		{"a.😀.example", "a.xn--e28h.example", true, ""},
		// A sequence with joiners, which no profile maps: as A-label only.
		{"xn--1ug1855pcha.example", "xn--1ug1855pcha.example", true, ""},
		{"👩\u200d💻.example", "", false, "not allowed|not a valid"},
		{"xn--a.example", "", false, "not a valid"},
		{"xn--a-☃.example", "", false, "not a valid"},
		{"xn--.example", "", false, "not a valid|hyphen"},
		{"a_☃.example", "", false, "'_' is not allowed"},
		{"☃..example", "", false, "empty label"},
		{"-☃.example", "", false, "hyphen"},
		{"☃ .example", "", false, "' ' is not allowed"},
		{strings.Repeat("☃", 60) + ".example", "", false, "bytes"},
		{"", "", false, "empty"},
	} {
		name, old, err := ParseIDNA2003(c.text)
		if string(name) != c.name || old != c.old {
			t.Errorf("%q: %q, %v, %v", c.text, name, old, err)
		}
		if c.fault == "" {
			if err != nil || !IsLDH(name) || IsHost(name) == c.old {
				t.Errorf("%q: %v, IsLDH %v, IsHost %v", c.text, err, IsLDH(name), IsHost(name))
			}
			continue
		}
		found := false
		for part := range strings.SplitSeq(c.fault, "|") {
			found = found || err != nil && strings.Contains(err.Error(), part)
		}
		if !found {
			t.Errorf("%q: %v, want %s", c.text, err, c.fault)
		}
	}
}

func FuzzParseIDNA2003(f *testing.F) {
	f.Add("☃.example")
	f.Add("xn--1ug1855pcha.example.")
	f.Add("xn--a-☃。x")
	f.Fuzz(func(t *testing.T, text string) {
		name, _, err := ParseIDNA2003(text)
		if (err == nil) != (name != "") {
			t.Fatalf("%q: %q, %v", text, name, err)
		}
		if err != nil {
			return
		}
		if !IsLDH(name) {
			t.Errorf("%q: %q is no LDH name", text, name)
		}
		if again, _, err := ParseIDNA2003(string(name)); again != name || err != nil {
			t.Errorf("%q: %q, then %q, %v", text, name, again, err)
		}
		if host, err := ParseHost(text); err == nil && host != name {
			t.Errorf("%q: %q, as host %q", text, name, host)
		}
	})
}
