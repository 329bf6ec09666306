package nolisting

import (
	"strings"
	"testing"

	"nullspf/internal/dnsname"
)

func TestHostNameFault(t *testing.T) {
	const form = "not a host name"
	tests := map[dnsname.Name]string{
		"mx1.example.net":        "",
		"xn--mnchen-3ya.example": "",
		"1.2.example":            "",
		"m--x.example":           "",
		"mx1.example.net.":       form,
		"mx1":                    "not fully qualified",
		"192.0.2.1":              "label of digits",
		"mx1..net":               form,
		"MX1.example.net":        form,
		"mx-.example.net":        form,
		"mx_1.example.net":       form,
		"münchen.example":        form,
		"mx\n.example":           form,
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
	if got := shown(dnsname.Name("a\nb" + strings.Repeat("x", 1000))); strings.Contains(got, "\n") || len(got) > 120 {
		t.Errorf("got %s", got)
	}
}
