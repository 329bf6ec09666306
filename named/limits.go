package named

import (
	"fmt"
	"net/netip"
	"strings"
)

// perClient is how many TCP connections a client of nullspfd may have that is not
// known as a secondary.
const perClient = 32

// CheckLimits warns about networks in AllowTransfer that nullspfd takes for too large
// to be secondaries alone: transfers are allowed, but limits meant for strangers apply.
func CheckLimits(s Settings) []CheckResult {
	if !s.has(Nullspfd) || s.DNSSEC {
		return nil
	}
	var wide []netip.Prefix
	signed := false
	for _, p := range s.Primary.AllowTransfer {
		if p.Addr().Is4() && p.Bits() < 24 || p.Addr().Is6() && p.Bits() < 56 {
			wide = append(wide, p)
			signed = signed || s.keyForAll(p) != ""
		}
	}
	var limits []string
	if signed {
		limits = append(limits, fmt.Sprintf("at most %d TCP connections of a client that has not sent a signed query", perClient))
	}
	if s.Nullspfd.Rate >= 0 {
		limits = append(limits, "the rate limit for queries over UDP")
	}
	if wide == nil || limits == nil {
		return nil
	}
	return []CheckResult{{Server: Nullspfd, File: corefilePath(RolePrimary), Verdict: CheckWarn,
		Reason: fmt.Sprintf("primary.allow_transfer: %s: too large to be secondaries alone: zones may be transferred, with %s; list addresses, or networks of /24 or /56 (IPv6) at most",
			joined(wide, ", ", prefix), strings.Join(limits, ", and "))}}
}
