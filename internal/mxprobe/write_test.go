package mxprobe

import (
	"bytes"
	"net/netip"
	"os"
	"strings"
	"testing"

	"nullspf/nolisting"
)

// TestManualShowsTheTable holds the example of the manual to what is written.
func TestManualShowsTheTable(t *testing.T) {
	var r Report
	add := func(target Target, s Session) {
		r.Results = append(r.Results, Result{target, s, judge(&target, &s)})
	}
	add(Target{Host: "mx1.example.net", Preference: 10, Role: nolisting.Dead, Address: netip.MustParseAddr("192.0.2.24")}, Session{Connect: Refused})
	add(Target{Host: "mx2.example.net", Preference: 20, Role: nolisting.Live, Address: netip.MustParseAddr("192.0.2.25")}, Session{
		Connect: Accepted, Greeting: Reply{220, "mx2.example.net ESMTP"}, EHLO: Reply{250, "mx2.example.net"}, TLS: &TLS{Version: "TLS 1.3"},
		Recipients: []Recipient{
			{Postmaster, "postmaster@brand.example", Reply{250, "2.1.5 Ok"}},
			{Nobody, "nullspf-probe@brand.example", Reply{250, "2.1.5 Ok"}},
			{Relay, "nullspf-probe@example.com", Reply{554, "5.7.1 Relay access denied"}},
			{NobodyBelow, "nullspf-probe@nullspf-probe.brand.example", Reply{554, "5.7.1 no"}},
		},
	})
	var b bytes.Buffer
	if err := r.WriteTable(&b); err != nil {
		t.Fatal(err)
	}
	manual, err := os.ReadFile("../../docs/manual.md")
	if err != nil {
		t.Fatal(err)
	}
	want := "    " + strings.ReplaceAll(strings.TrimSuffix(b.String(), "\n"), "\n", "\n    ")
	if !strings.Contains(string(manual), want) {
		t.Errorf("docs/manual.md does not show:\n%s", want)
	}
}
