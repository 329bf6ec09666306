package dnsname

import (
	"errors"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	label := strings.Repeat("a", 63)
	for _, test := range []struct{ text, host, zone string }{
		{"a.example", "a.example", "a.example"},
		{"A.Example.", "a.example", "a.example"},
		{"b\u00fccher.example", "xn--bcher-kva.example", "xn--bcher-kva.example"},
		{"XN--Bcher-KVA.example", "xn--bcher-kva.example", "xn--bcher-kva.example"},
		{"\uff41\uff0eexample\u3002", "a.example", "a.example"},
		{label + ".example", label + ".example", label + ".example"},
		{"m--x.example", "m--x.example", "m--x.example"},
		{"_spf.Example.NET.", "", "_spf.example.net"},
		{"_spf.B\u00dcCHER\u3002example", "", "_spf.xn--bcher-kva.example"},
		{"a_b._c_.example", "", "a_b._c_.example"},
		{"_", "", "_"},
		{"_\u00fc.example", "", ""},
		{"-_.example", "", ""},
		{"_..example", "", ""},
		{"_" + label + ".example", "", ""},
		{"", "", ""},
		{".", "", ""},
		{"a..example", "", ""},
		{".example", "", ""},
		{"-a.example", "", ""},
		{"a-.example", "", ""},
		{"ab--c.example", "", ""},
		{"a b.example", "", ""},
		{"a\x00.example", "", ""},
		{label + "a.example", "", ""},
		{strings.Repeat("a.", 126) + "a", strings.Repeat("a.", 126) + "a", strings.Repeat("a.", 126) + "a"},
		{strings.Repeat("a.", 127) + "a", "", ""},
	} {
		for _, by := range []struct {
			what  string
			parse func(string) (Name, error)
			want  string
		}{{"ParseHost", ParseHost, test.host}, {"Parse", Parse, test.zone}} {
			got, err := by.parse(test.text)
			var fault *Error
			if string(got) != by.want || (err == nil) != (by.want != "") || err != nil && !errors.As(err, &fault) {
				t.Errorf("%s(%q) = %q, %v; want %q", by.what, test.text, got, err, by.want)
			}
		}
		if got := IsHost(test.text); got != (test.host != "" && test.host == test.text) {
			t.Errorf("IsHost(%q) = %v", test.text, got)
		}
		if err := Name(test.text).Check(); (err == nil) != (test.zone != "" && test.zone == test.text) {
			t.Errorf("Check of %q: %v", test.text, err)
		}
	}
}

// The place of the fault is where an editor would put the cursor.
func TestErrorOffset(t *testing.T) {
	for text, want := range map[string]int{"a..b": 1, "ab c.example": 2, "ok.-a.example": 3, "a_b.example": 1, "b\u00fc.\u2603.example": 4} {
		_, err := ParseHost(text)
		var fault *Error
		if !errors.As(err, &fault) || fault.Offset != want {
			t.Errorf("%q: %+v; want offset %d", text, fault, want)
		}
	}
}

func TestWithin(t *testing.T) {
	for _, test := range []struct {
		name, zone Name
		want       bool
	}{
		{"example.net", "example.net", true},
		{"a.example.net", "example.net", true},
		{"aexample.net", "example.net", false},
		{"net", "example.net", false},
		{"b.example.net", "a.example.net", false},
	} {
		if got := test.name.Within(test.zone); got != test.want {
			t.Errorf("%s within %s: %v", test.name, test.zone, got)
		}
	}
	if top := Name("a.example").Top() + Name("net").Top(); top != "examplenet" {
		t.Error(top)
	}
}

func TestParseMailbox(t *testing.T) {
	for text, want := range map[string]Mailbox{
		"hostmaster.example.net":    "hostmaster.example.net",
		"Hostmaster@Example.net.":   "hostmaster.example.net",
		"john.doe@example.net":      `john\.doe.example.net`,
		`john\.doe.example.net`:     `john\.doe.example.net`,
		"hostmaster":                "",
		"a b@example.net":           "",
		"a@b@example.net":           "",
		"hostmaster@-a.example.net": "",
		"":                          "",
	} {
		got, err := ParseMailbox(text)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("ParseMailbox(%q) = %q, %v; want %q", text, got, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"a.example", "B\u00dcCHER.example.", "xn--bcher-kva.example", "a..b", "-a.example", "\u4f8b\u3048\u3002example", "a\u200db.example", "\x00", "a_b", "_\u3002a", strings.Repeat("a", 64)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		host, err := ParseHost(text)
		if (host == "") != (err != nil) {
			t.Fatalf("ParseHost(%q) = %q, %v", text, host, err)
		}
		if err == nil && !IsHost(host) {
			t.Errorf("%q became %q, which is none", text, host)
		}
		zone, zoneErr := Parse(text)
		if (zone == "") != (zoneErr != nil) {
			t.Fatalf("Parse(%q) = %q, %v", text, zone, zoneErr)
		}
		if err == nil && zone != host {
			t.Errorf("%q is the host %q and the zone %q, %v", text, host, zone, zoneErr)
		}
		if zoneErr != nil {
			return
		}
		if len(zone) > Max || strings.Trim(string(zone), "abcdefghijklmnopqrstuvwxyz0123456789-_.") != "" || zone[len(zone)-1] == '.' {
			t.Errorf("%q became %q", text, zone)
		}
		if err := zone.Check(); err != nil {
			t.Errorf("%q became %q: %v", text, zone, err)
		}
	})
}
