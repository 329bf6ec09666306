package spftrack

import (
	"strings"
	"testing"

	"nullspf/internal/dnsname"
)

func TestRecord(t *testing.T) {
	const zone = "_spf.example.net"
	for _, test := range []struct {
		layout   Layout
		settings Settings
		want     string
	}{
		{Plain, Settings{}, "v=spf1 -all"},
		{Plain, Settings{Zone: zone, Qualifier: "+"}, "v=spf1 -all"},
		{Beacon, Settings{Zone: zone}, "v=spf1 -all exp=%{h}.HE.%{l}.LP.%{i}.%{v}.CL.%{d}.FD.2._spf.example.net"},
		{Track, Settings{Zone: zone}, "v=spf1 -exists:%{i}.%{v}.CL.%{d}.FD.1._spf.example.net -all exp=%{h}.HE.%{l}.LP.%{i}.%{v}.CL.%{d}.FD.2._spf.example.net"},
		{Track, Settings{Zone: zone, Qualifier: "+"}, "v=spf1 -exists:%{i}.%{v}.CL.%{d}.FD.1._spf.example.net -all exp=%{h}.HE.%{l}.LP.%{i}.%{v}.CL.%{d}.FD.2._spf.example.net"},
		{Exists, Settings{Zone: zone}, "v=spf1 -exists:%{i}.%{v}.CL.%{d}.FD.1._spf.example.net -all"},
		{Classic, Settings{Zone: zone}, "v=spf1 -exists:CL.%{i}.FR.%{s}.HE.%{h}._spf.example.net -all"},
		{Classic, Settings{Zone: zone, Qualifier: "-"}, "v=spf1 -exists:CL.%{i}.FR.%{s}.HE.%{h}._spf.example.net -all"},
		{Classic, Settings{Zone: zone, Qualifier: "+"}, "v=spf1 +exists:CL.%{i}.FR.%{s}.HE.%{h}._spf.example.net -all"},
		{Beacon, Settings{Zone: "xn--bcher-kva.example"}, "v=spf1 -all exp=%{h}.HE.%{l}.LP.%{i}.%{v}.CL.%{d}.FD.2.xn--bcher-kva.example"},
	} {
		got, err := Record(test.layout, test.settings)
		if err != nil || got != test.want {
			t.Errorf("Record(%s, %+v) = %q, %v\nwant %q", test.layout, test.settings, got, err, test.want)
		}
		layout, settings, ok := ParseRecord(test.want)
		if again, err := Record(layout, settings); !ok || layout != test.layout || again != test.want {
			t.Errorf("ParseRecord(%q) = %s, %+v, %v: %q, %v", test.want, layout, settings, ok, again, err)
		}
	}
}

func TestParseRecordOfOthers(t *testing.T) {
	for _, text := range []string{
		"", "v=spf1", "v=spf1 ~all", "V=SPF1 -all", "v=spf1 -all ", "v=spf1 mx -all",
		"v=spf1 exists:CL.%{i}.FR.%{s}.HE.%{h}._spf.example.net -all",
		"v=spf1 -exists:%{i}.%{v}.CL.%{d}.FD.1._spf.example.net -all exp=%{h}.HE.%{l}.LP.%{i}.%{v}.CL.%{d}.FD.2._spf.example.org",
		"v=spf1 -exists:%{i}.%{v}.CL.%{d}.FD.1._SPF.example.net -all",
		"v=spf1 -exists:%{i}.%{v}.CL.%{d}.FD.1. -all",
	} {
		if layout, settings, ok := ParseRecord(text); ok {
			t.Errorf("ParseRecord(%q) = %s, %+v", text, layout, settings)
		}
	}
}

func TestRecordErrors(t *testing.T) {
	for _, test := range []struct {
		layout   Layout
		settings Settings
		want     string
	}{
		{"fancy", Settings{Zone: "a.example"}, `unknown layout "fancy": use one of plain, beacon, track, exists, classic`},
		{Beacon, Settings{}, "layout beacon needs a tracking zone"},
		{Track, Settings{}, "layout track needs a tracking zone, such as _spf.example.net; layout plain needs none"},
		{Exists, Settings{}, "layout exists needs a tracking zone"},
		{Classic, Settings{}, "layout classic needs a tracking zone"},
		{Track, Settings{Zone: "a.example."}, "without final dot: a.example"},
		{Track, Settings{Zone: "A.example"}, "lower case"},
		{Track, Settings{Zone: "a..example"}, "empty label"},
		{Track, Settings{Zone: ".example"}, "begins with a dot"},
		{Track, Settings{Zone: dnsname.Name(strings.Repeat("a", 64)) + ".example"}, "64 bytes; 63 are allowed"},
		{Track, Settings{Zone: dnsname.Name(strings.Repeat("a.", 127)) + "example"}, "bytes; 253 are allowed"},
		{Track, Settings{Zone: "a b.example"}, "' '"},
		{Track, Settings{Zone: "%{d}.example"}, "'%'"},
		{Track, Settings{Zone: "b\u00fccher.example"}, "A-labels"},
		{Track, Settings{Zone: "example.127"}, "last label"},
		{Track, Settings{Zone: "example._spf"}, "last label"},
		{Track, Settings{Zone: "example.net-"}, "hyphen"},
		{Classic, Settings{Zone: "a.example", Qualifier: "~"}, `qualifier "~"`},
	} {
		got, err := Record(test.layout, test.settings)
		if err == nil || !strings.Contains(err.Error(), test.want) || got != "" {
			t.Errorf("Record(%s, %+v) = %q, %v; want error with %q", test.layout, test.settings, got, err, test.want)
		}
	}
}

func TestParseLayout(t *testing.T) {
	for _, l := range Layouts {
		if got, err := ParseLayout(string(l)); got != l || err != nil {
			t.Errorf("ParseLayout(%q) = %q, %v", l, got, err)
		}
	}
	for _, s := range []string{"", "Track", "none"} {
		if got, err := ParseLayout(s); err == nil {
			t.Errorf("ParseLayout(%q) = %q, want an error", s, got)
		}
	}
}

func TestWarnings(t *testing.T) {
	long := dnsname.Name(strings.Repeat("a.", 57) + "example")
	for _, test := range []struct {
		layout   Layout
		settings Settings
		want     []string
	}{
		{Plain, Settings{}, nil},
		{Beacon, Settings{Zone: "_spf.example.net"}, nil},
		{Track, Settings{Zone: "_spf.example.net", Qualifier: "+"}, nil},
		{Exists, Settings{Zone: long}, []string{"domains of more than 55 bytes lose part of an IPv6"}},
		{Track, Settings{Zone: long}, []string{"domains of more than 55 bytes lose part of an IPv6"}},
		{Track, Settings{Zone: dnsname.Name(strings.Repeat("a.", 120) + "example")}, []string{"more than 0 bytes"}},
		{Classic, Settings{Zone: "_spf.example.net"}, []string{"never send a name that holds @"}},
		{Classic, Settings{Zone: "_spf.example.net", Qualifier: "+"}, []string{"never send a name that holds @", "makes forged mail PASS"}},
	} {
		got := Warnings(test.layout, test.settings)
		if len(got) != len(test.want) {
			t.Errorf("Warnings(%s, %+v) = %q, want %q", test.layout, test.settings, got, test.want)
			continue
		}
		for i := range got {
			if !strings.Contains(got[i], test.want[i]) {
				t.Errorf("Warnings(%s, %+v)[%d] = %q, want %q", test.layout, test.settings, i, got[i], test.want[i])
			}
		}
	}
	// The room is exact: one byte more is cut.
	for extra, want := range []bool{false, true} {
		c := Check{IP: v6, Domain: strings.Repeat("a.", 24) + strings.Repeat("b", 7+extra)}
		queries, err := Queries(Track, Settings{Zone: long}, c)
		if err != nil || queries[1].Truncated != want {
			t.Errorf("a domain of %d bytes: %+v, %v", len(c.Domain), queries, err)
		}
	}
}
