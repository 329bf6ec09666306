package nolisting

import (
	"strings"
	"testing"
)

func TestHostNameFault(t *testing.T) {
	label63 := strings.Repeat("a", 63)
	tests := map[string]string{
		"mx1.example.net":               "",
		"xn--mnchen-3ya.example":        "",
		"1.2.example":                   "",
		"m--x.example":                  "",
		label63 + ".example":            "",
		strings.Repeat("a.", 126) + "a": "",
		strings.Repeat("a.", 127) + "a": "longer than 253",
		label63 + "a.example":           "longer than 63",
		"mx1.example.net.":              "final dot",
		"mx1":                           "not fully qualified",
		"192.0.2.1":                     "label of digits",
		"mx1..net":                      "empty label",
		".net":                          "empty label",
		"MX1.example.net":               "upper-case",
		"-mx.example.net":               "hyphen",
		"mx-.example.net":               "hyphen",
		"mx_1.example.net":              "character other than",
		"mx 1.example.net":              "character other than",
		"münchen.example":               "character other than",
		"mx\n.example":                  "character other than",
		"[2001:db8::1].example":         "character other than",
	}
	for name, want := range tests {
		switch got := hostNameFault(name); {
		case want == "" && got != "":
			t.Errorf("%q: %s", name, got)
		case want != "" && !strings.Contains(got, want):
			t.Errorf("%q: got fault %q, want one with %q", name, got, want)
		}
	}
}

func TestShown(t *testing.T) {
	if got := shown("mx1.example.net"); got != "mx1.example.net" {
		t.Errorf("got %s", got)
	}
	if got := shown("a\nb" + strings.Repeat("x", 1000)); strings.Contains(got, "\n") || len(got) > 120 {
		t.Errorf("got %s", got)
	}
}
