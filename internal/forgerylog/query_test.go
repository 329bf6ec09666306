package forgerylog

import (
	"testing"
	"time"

	"nullspf/internal/value"
)

func TestParseTime(t *testing.T) {
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct{ text, want string }{
		{"2026-11-19", "2026-11-19T00:00:00Z"},
		{"2026-11-19T10:00:00Z", "2026-11-19T10:00:00Z"},
		{"2026-11-19T10:00:00.5+02:00", "2026-11-19T08:00:00.5Z"},
		{"24h", "2026-11-19T12:00:00Z"},
		{"7d", "2026-11-13T12:00:00Z"},
		{"2w", "2026-11-06T12:00:00Z"},
		{"1w1d1h30m", "2026-11-12T10:30:00Z"},
		{"1d1w", "2026-11-12T12:00:00Z"},
		{"7D", "2026-11-13T12:00:00Z"},
		{"90s", "2026-11-20T11:58:30Z"},
		{"0h", "2026-11-20T12:00:00Z"},
	} {
		got, err := ParseTime(c.text, now)
		if err != nil || got.UTC().Format(time.RFC3339Nano) != c.want {
			t.Errorf("%s: %s, %v, want %s", c.text, got, err, c.want)
		}
	}
	// 2026-11-20 is a Friday.
	berlin := time.FixedZone("CET", 3600)
	for text, want := range map[string]string{
		"2026-11-19": "2026-11-18T23:00:00Z", "today": "2026-11-19T23:00:00Z", "Yesterday": "2026-11-18T23:00:00Z",
		"friday": "2026-11-19T23:00:00Z", "SAT": "2026-11-13T23:00:00Z", "thu": "2026-11-18T23:00:00Z",
		"2026-11-19T10:00": "2026-11-19T09:00:00Z", "2026-11-19 10:00:05": "2026-11-19T09:00:05Z", "08:30": "2026-11-20T07:30:00Z",
		"08:30:01": "2026-11-20T07:30:01Z", "2026-11-19T10:00:00Z": "2026-11-19T10:00:00Z", "24h": "2026-11-19T12:00:00Z",
	} {
		got, err := ParseTime(text, now.In(berlin))
		if err != nil || got.UTC().Format(time.RFC3339Nano) != want {
			t.Errorf("%s in CET: %s, %v, want %s", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", "-1h", "1", "d", "w1d", "1d-2h", "-1d", "2026", "99999d", "60000w", "36501d", "2026-13-01", "2026-11-19T25:00", "tomorrow", "mo", "25:00", "1y", "9999999999999h",
	} {
		if got, err := ParseTime(text, now); err == nil {
			t.Errorf("%q is taken for %s", text, got)
		}
	}
}

func FuzzParseTime(f *testing.F) {
	for _, text := range []string{"7d", "24h", "2026-11-19", "1w2d3h", "60000w", "-1h", "today", "mon", "15:04", "2026-11-19 15:04"} {
		f.Add(text)
	}
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text string) {
		at, err := ParseTime(text, now)
		if err != nil {
			return
		}
		if _, err := value.ParseDuration(text); err == nil && (at.After(now) || now.Sub(at) > value.MaxDuration) {
			t.Errorf("%q is %s", text, at)
		}
	})
}

func TestParseText(t *testing.T) {
	for _, c := range []struct {
		text string
		want Text
	}{
		{"", Text{}},
		{"=", Text{"", true}},
		{"Shop", Text{"shop", false}},
		{"=Shop.Example", Text{"shop.example", true}},
		{"==cmd", Text{"=cmd", true}},
		{`\061cmd`, Text{"=cmd", false}},
		{`a\032b\\c`, Text{`a b\c`, false}},
		{"ÄÖ", Text{"ÄÖ", false}},
		{`\`, Text{`\`, false}},
	} {
		if got := ParseText(c.text); got != c.want {
			t.Errorf("%q: %+v, want %+v", c.text, got, c.want)
		}
	}
	for text, want := range map[string]Text{
		"=Shop.Example.":   {"shop.example", true},
		"=bücher.example":  {"xn--bcher-kva.example", true},
		"=_spf.example":    {"_spf.example", true},
		"shop.example.":    {"shop.example.", false},
		"=" + `a\032b.exa`: {"a b.exa", true},
	} {
		if got := ParseDomain(text); got != want {
			t.Errorf("domain %q: %+v, want %+v", text, got, want)
		}
	}
}

func TestWords(t *testing.T) {
	for _, f := range Fields {
		if got, err := ParseField(string(f)); got != f || err != nil {
			t.Errorf("%s: %s, %v", f, got, err)
		}
	}
	for _, u := range Units {
		if got, err := ParseUnit(string(u)); got != u || err != nil {
			t.Errorf("%s: %s, %v", u, got, err)
		}
	}
	for _, f := range Formats {
		if got, err := ParseFormat(string(f)); got != f || err != nil {
			t.Errorf("%s: %s, %v", f, got, err)
		}
	}
	if _, err := ParseField("ips"); err == nil || err.Error() != `no field "ips" to count by; there are ip, net, sender, helo, domain, resolver, as, country, reporter, disposition, cause` {
		t.Error(err)
	}
	if _, err := ParseUnit("year"); err == nil {
		t.Error("year is a unit")
	}
	if _, err := ParseFormat("xml"); err == nil {
		t.Error("xml is a format")
	}
}
