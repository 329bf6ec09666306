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

// ParseName reads a name on a list of the group and refuses what cannot be a zone
// of it. old is set for a name that IDNA2008 refuses and the group allows. The error
// may be a *dnsname.Error.
func (g *Group) ParseName(text string) (name dnsname.Name, old bool, err error) {
	if name, err = dnsname.ParseHost(text); err != nil && g.AllowIDNA2003 {
		name, old, err = dnsname.ParseIDNA2003(text)
	}
	if err == nil {
		err = checkRegistrable(name, g)
	}
	if err == nil {
		err = g.checkLength(name)
	}
	return name, old, err
}

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
