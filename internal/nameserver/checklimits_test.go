package nameserver

import (
	"net/netip"
	"strconv"
	"strings"
	"testing"

	"nullspf/named"
)

// TestCheckKnowsLimits: "nullspf check" warns of the networks to which limits apply
// here.
func TestCheckKnowsLimits(t *testing.T) {
	for _, text := range []string{"192.0.2.1/32", "192.0.2.0/24", "192.0.2.0/23", "10.0.0.0/8", "0.0.0.0/0", "2001:db8::1/128", "2001:db8::/56", "2001:db8::/55", "::/0"} {
		for _, signed := range []bool{false, true} {
			p := netip.MustParsePrefix(text)
			s := named.Settings{Servers: []named.Server{named.Nullspfd}, Primary: named.Primary{AllowTransfer: []netip.Prefix{p}}}
			rule := TransferRule{Prefixes: []netip.Prefix{p}}
			if signed {
				s.TSIG, rule.Key = &named.TSIG{Name: "xfr.example.net"}, "k"
			}
			transfer := &Transfer{To: []TransferRule{rule}}
			warned, connections := "", strconv.Itoa(defaultTCPLimits.PerClient)+" TCP connections"
			for _, r := range named.CheckLimits(s) {
				warned += r.Reason
			}
			if want := len(transfer.secondaries()) == 0; (warned != "") != want {
				t.Errorf("%s, signed %t: rate limit %t, warning %q", text, signed, want, warned)
			}
			if want := len(transfer.connecting()) == 0; strings.Contains(warned, connections) != want {
				t.Errorf("%s, signed %t: limit of connections %t, warning %q", text, signed, want, warned)
			}
		}
	}
}
