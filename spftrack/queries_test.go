package spftrack

import (
	"net/netip"
	"strings"
	"testing"
)

const (
	testZone = "_spf.example.net"
	nibbles6 = "2.0.0.1.0.d.b.8.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.c.b.0.1"
)

func TestQueries(t *testing.T) {
	user := Check{IP: v4, Sender: "user@shop.example", HELO: "mail.example.org"}
	user6 := user
	user6.IP = v6
	null := Check{IP: netip.MustParseAddr("::ffff:192.0.2.7"), HELO: "shop.example"}
	domain := user
	domain.Domain = "Other.example."
	quoted := Check{IP: v4, Sender: `"a b"@shop.example`, HELO: "[192.0.2.1]"}
	type query struct {
		name  string
		qtype uint16
	}
	for _, test := range []struct {
		layout Layout
		check  Check
		want   []query
	}{
		{Plain, user, []query{{"shop.example", TypeTXT}}},
		{Beacon, user, []query{
			{"shop.example", TypeTXT},
			{"mail.example.org.HE.user.LP.192.0.2.7.in-addr.CL.shop.example.FD.2._spf.example.net", TypeTXT}}},
		{Track, user, []query{
			{"shop.example", TypeTXT},
			{"192.0.2.7.in-addr.CL.shop.example.FD.1._spf.example.net", TypeA},
			{"mail.example.org.HE.user.LP.192.0.2.7.in-addr.CL.shop.example.FD.2._spf.example.net", TypeTXT}}},
		{Track, user6, []query{
			{"shop.example", TypeTXT},
			{nibbles6 + ".ip6.CL.shop.example.FD.1._spf.example.net", TypeA},
			{"mail.example.org.HE.user.LP." + nibbles6 + ".ip6.CL.shop.example.FD.2._spf.example.net", TypeTXT}}},
		{Track, null, []query{
			{"shop.example", TypeTXT},
			{"192.0.2.7.in-addr.CL.shop.example.FD.1._spf.example.net", TypeA},
			{"shop.example.HE.postmaster.LP.192.0.2.7.in-addr.CL.shop.example.FD.2._spf.example.net", TypeTXT}}},
		{Track, domain, []query{
			{"Other.example", TypeTXT},
			{"192.0.2.7.in-addr.CL.Other.example.FD.1._spf.example.net", TypeA},
			{"mail.example.org.HE.user.LP.192.0.2.7.in-addr.CL.Other.example.FD.2._spf.example.net", TypeTXT}}},
		{Classic, user, []query{
			{"shop.example", TypeTXT},
			{"CL.192.0.2.7.FR.user@shop.example.HE.mail.example.org._spf.example.net", TypeA}}},
		{Classic, null, []query{
			{"shop.example", TypeTXT},
			{"CL.192.0.2.7.FR.postmaster@shop.example.HE.shop.example._spf.example.net", TypeA}}},
		{Classic, quoted, []query{
			{"shop.example", TypeTXT},
			{`CL.192.0.2.7.FR."a b"@shop.example.HE.[192.0.2.1]._spf.example.net`, TypeA}}},
	} {
		got, err := Queries(test.layout, Settings{Zone: testZone}, test.check)
		if err != nil || len(got) != len(test.want) {
			t.Errorf("Queries(%s, %+v) = %+v, %v", test.layout, test.check, got, err)
			continue
		}
		for i, q := range got {
			if q.Name != test.want[i].name || q.Type != test.want[i].qtype || q.Truncated || q.Problem != "" || q.Purpose == "" {
				t.Errorf("Queries(%s, %+v)[%d] = %+v, want %+v", test.layout, test.check, i, q, test.want[i])
			}
		}
	}
}

func TestQueriesErrors(t *testing.T) {
	if got, err := Queries(Track, Settings{}, Check{IP: v4, Domain: "x.example"}); err == nil {
		t.Errorf("without zone: %v", got)
	}
	if got, err := Queries(Track, Settings{Zone: testZone}, Check{Domain: "x.example"}); err == nil {
		t.Errorf("without address: %v", got)
	}
}

// RFC 7208 section 7.3: labels are removed from the left, whole, until the
// name has 253 bytes.
func TestTruncation(t *testing.T) {
	rest := ".HE.u.LP.192.0.2.7.in-addr.CL.x.example.FD.2._spf.example.net"
	room := 253 - len(rest)
	for _, test := range []struct{ helo, want string }{
		{strings.Repeat("a", 50) + "." + strings.Repeat("b", room-51), ""},
		{strings.Repeat("a", 50) + "." + strings.Repeat("b", room-50), strings.Repeat("b", room-50)},
		{"c." + strings.Repeat("a", 50) + "." + strings.Repeat("b", room-51), strings.Repeat("a", 50) + "." + strings.Repeat("b", room-51)},
		{strings.Repeat("a.", 120) + "example.org", strings.Repeat("a.", (room-11)/2) + "example.org"},
	} {
		c := Check{IP: v4, Sender: "u@x.example", HELO: test.helo}
		got, err := Queries(Beacon, Settings{Zone: testZone}, c)
		if err != nil {
			t.Fatal(err)
		}
		truncated := test.want != ""
		if !truncated {
			test.want = test.helo
		}
		if q := got[1]; q.Name != test.want+rest || q.Truncated != truncated {
			t.Errorf("HELO %q: %+v\nwant %q", test.helo, q, test.want+rest)
		}
	}
	// The classic order loses the client first.
	got, err := Queries(Classic, Settings{Zone: testZone}, Check{IP: v4, Sender: "u@x.example", HELO: strings.Repeat("a.", 100) + "example"})
	if err != nil {
		t.Fatal(err)
	}
	if q := got[1]; !strings.HasPrefix(q.Name, "192.0.2.7.FR.u@x.example.HE.a.a.") || !q.Truncated {
		t.Errorf("classic: %+v", q)
	}
}

func TestProblems(t *testing.T) {
	for _, test := range []struct {
		check Check
		want  string
	}{
		{Check{IP: v4, Sender: "u@x.example"}, "empty label"},
		{Check{IP: v4, Sender: "a..b@x.example", HELO: "h"}, "empty label"},
		{Check{IP: v4, Sender: strings.Repeat("u", 64) + "@x.example", HELO: "h"}, "more than 63 bytes"},
		{Check{IP: v4, Sender: "u@x.example", HELO: strings.Repeat("h", 64)}, "more than 63 bytes"},
		{Check{IP: v4, Sender: "u@x.example", HELO: "h"}, ""},
		{Check{IP: v4, Sender: "u\x00 \xff@x.example", HELO: "h"}, ""},
	} {
		got, err := Queries(Track, Settings{Zone: testZone}, test.check)
		if err != nil {
			t.Fatal(err)
		}
		if got[1].Problem != "" {
			t.Errorf("%+v: exists: name: %s; what a stranger chooses must not stand there", test.check, got[1].Problem)
		}
		q := got[2]
		if (test.want == "") != (q.Problem == "") || !strings.Contains(q.Problem, test.want) {
			t.Errorf("%+v: problem %q, want %q", test.check, q.Problem, test.want)
		}
		if wire, err := q.Wire(); (err == nil) != (test.want == "") || (wire == nil) != (err != nil) {
			t.Errorf("%+v: wire %q, %v", test.check, wire, err)
		}
	}
}
