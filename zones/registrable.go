package zones

import (
	"errors"
	"strings"

	"golang.org/x/net/publicsuffix"

	"nullspf/internal/dnsname"
)

var (
	errSingleLabel  = errors.New("a single label is a top-level domain; set allow_single_label: true in the group if that is meant")
	errNumber       = errors.New("a number or an IP address is not a domain name: the last label needs a letter")
	errPublicSuffix = errors.New("a public suffix, under which others register names; set allow_public_suffix: true in the group if that is meant")
)

// checkRegistrable refuses names above the level at which domains are
// registered.
func checkRegistrable(n dnsname.Name, g *Group) error {
	if strings.Trim(n.Top(), "0123456789") == "" {
		return errNumber
	}
	if n.Top() == string(n) {
		if g.AllowSingleLabel {
			return nil
		}
		return errSingleLabel
	}
	if g.AllowPublicSuffix {
		return nil
	}
	if suffix, _ := publicsuffix.PublicSuffix(string(n)); suffix == string(n) {
		return errPublicSuffix
	}
	return nil
}
