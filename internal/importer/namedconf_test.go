package importer

import (
	"fmt"
	"strings"
	"testing"
)

// zonesOf reads a text as a named.conf.
func zonesOf(text string) (*Source, error) {
	c := &namedConf{source: &Source{}, views: make(map[string]bool)}
	p := &confParser{text: []byte(text), line: 1}
	for {
		s, more, err := p.statement(0)
		if err != nil {
			return nil, err
		}
		if !more {
			c.finish("/etc/bind")
			return c.source, nil
		}
		if err := c.statement(s, ""); err != nil {
			return nil, err
		}
	}
}

func TestNamedConf(t *testing.T) {
	for _, c := range []struct{ what, text, want string }{
		{"comments", "# one\n// two\n/* zone \"x\" { }; */ zone a.example { type master; file \"a\"; };", "[{a.example /etc/bind/a  }] map[] "},
		{"a directory", "options { directory \"/var/bind\"; };\nzone \"a.example\" IN { type primary; file \"a\"; };", "[{a.example /var/bind/a  }] map[] "},
		{"escapes", `zone "a\"b" { type master; file "/a"; };`, `[{a"b /a  }] map[] `},
		{"no zones", "options { };;", "[] map[] "},
		{"other zones", "zone a { type slave; }; zone b { type forward; }; zone c CH { type master; file \"c\"; }; zone d { in-view \"x\"; };",
			"[] map[zones of class CH:1 zones of type forward:1 zones of type in-view:1 zones of type slave:1] "},
		{"a policy of all", "options { dnssec-policy default; }; zone a { type master; file \"/a\"; }; zone b { type master; file \"/b\"; dnssec-policy none; };",
			"[{a /a named signs the zone and counts its serial number } {b /b  }] map[] "},
		{"raw", "zone a { type master; file \"/a\"; masterfile-format raw; };", "[{a /a the zone file is not a text (masterfile-format) }] map[] "},
		{"updates", "zone a { type master; file \"/a\"; update-policy local; }; zone b { type master; file \"/b\"; allow-update { none; }; };",
			"[{a /a records are changed by dynamic updates, not in the zone file } {b /b  }] map[] "},
		{"a view", "view v { zone a { type master; file \"/a\"; }; };", "[{a /a  }] map[] v"},
		{"the view of BIND", "view \"_default\" { zone a { type master; file \"/a\"; }; };", "[{a /a  }] map[] "},
		{"no file", "zone a { type master; };", "[{a  has no zone file }] map[] "},
		{"include", "zone a { type master; };\ninclude \"b\";", "line 2: includes another file; named-checkconf"},
		{"no end", "zone a { type master;", "line 1: a brace or semicolon is missing"},
		{"no semicolon", "zone a { type master }", "line 1: a brace or semicolon is missing"},
		{"a brace too many", "zone a { };\n};", "line 2: a brace or semicolon is missing"},
		{"a quotation mark", "zone \"a\nb", "line 1: a quotation mark is missing"},
		{"no name", "zone { };", "line 1: a zone without name"},
		{"braces", strings.Repeat("{", 1000), "line 1: braces within braces"},
	} {
		s, err := zonesOf(c.text)
		got := fmt.Sprint(err)
		if err == nil {
			got = fmt.Sprint(s.Zones, s.Others, " ", s.View)
			got = strings.ReplaceAll(got, "]map", "] map")
		}
		if err == nil && got != c.want || !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: got %s, want %s", c.what, got, c.want)
		}
	}
}

func FuzzNamedConf(f *testing.F) {
	f.Add("zone \"a.example\" IN { type master; file \"a\"; allow-update { none; }; };")
	f.Add("view v { zone a { }; }; /* x */ // y\n# z\ninclude \"b\";")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := zonesOf(text)
		if err == nil && len(s.Zones) > len(text) {
			t.Error("more zones than bytes")
		}
	})
}

func TestSniff(t *testing.T) {
	for text, want := range map[string]string{
		"zone \"a\" {":              "named.conf",
		"zone a IN {":               "named.conf",
		"// x\ninclude \"/etc/x\";": "named.conf",
		"options\n{":                "named.conf",
		"options {":                 "named.conf",
		"zone:\n  - domain: a":      "Knot DNS",
		"zone:\n  name: a":          "NSD",
		"@ IN SOA a. b. 1 2 3 4 5":  "zone file",
		"a. 1d IN SOA a. b. (":      "zone file",
		"$ORIGIN a.":                "zone file",
		"a.example\nb.example":      "list",
		"domain,mail\na.example,":   "list",
		"":                          "list",
		"zone.example\noptions.se":  "list",
	} {
		if got := sniff([]byte(text)); got != want {
			t.Errorf("%q is a %s, want %s", text, got, want)
		}
	}
}
