package zones

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"

	"nullspf/internal/dnsname"
)

// KeyError is a fault in settings.
type KeyError struct {
	// Key is the key of the configuration at fault: "catalog.zone". Those of a
	// group are below the group's: "soa.rname".
	Key    string
	Reason string
}

// Error gives the key and the reason.
func (e *KeyError) Error() string { return e.Key + ": " + e.Reason }

// JoinKeyErrors returns the faults as one error, each in a line of its own; nil
// when there are none.
func JoinKeyErrors(faults []*KeyError) error {
	var errs []error
	for _, f := range faults {
		errs = append(errs, f)
	}
	return errors.Join(errs...)
}

// maxTTL is the largest TTL (RFC 2181 section 8).
const maxTTL = (1<<31 - 1) * time.Second

// maxText bounds a human-readable text, in bytes: a handful of them must fit
// an answer of 1232.
const maxText = 1024

var placeholder = regexp.MustCompile(`\{[^{}]*\}`)

// Validate returns the faults of a group's settings, none of which may be
// published.
func (g *Group) Validate() []*KeyError {
	var faults []*KeyError
	fault := func(key, format string, args ...any) {
		faults = append(faults, &KeyError{key, fmt.Sprintf(format, args...)})
	}
	if len(g.Nameservers) == 0 {
		fault("nameservers", "a zone needs at least one nameserver, better two (RFC 2182)")
	}
	for i, ns := range g.Nameservers {
		if slices.Contains(g.Nameservers[:i], ns) {
			fault("nameservers", "%s is listed twice", ns)
		}
	}
	if g.TTL < 0 || g.TTL > maxTTL || g.TTL%time.Second != 0 {
		fault("ttl", "a TTL is between 0 and 2147483647 whole seconds (RFC 2181 section 8)")
	}
	if g.TXTTTL < 0 || g.TXTTTL > maxTTL || g.TXTTTL%time.Second != 0 {
		fault("txt_ttl", "a TTL is between 1 and 2147483647 whole seconds (RFC 2181 section 8)")
	}
	g.validateAddresses(fault)
	if _, ok := g.MX[g.Mail]; !ok {
		fault("mail", "mode %s needs hosts under mx", g.Mail)
	}
	if _, ok := g.SPFRecords[g.SPF]; !ok {
		fault("spf", "layout %q cannot be published; the tracking layouts need track: {zone: ...}", g.SPF)
	}
	if _, ok := g.SPFRecords[g.WildcardSPF]; !ok && g.WildcardSPF != "" && g.WildcardSPF != SPFOfDomain {
		fault("wildcard_spf", "layout %q cannot be published; the tracking layouts need track: {zone: ...}", g.WildcardSPF)
	}
	for _, text := range g.SPFRecords {
		if text != "" && !isSPF(text) {
			fault("spf", "%q is not an SPF record of version 1 (RFC 7208 section 4.5)", text)
		}
	}
	g.validateTexts(fault)
	return faults
}

func (g *Group) validateAddresses(fault func(key, format string, args ...any)) {
	for _, f := range []struct {
		key  string
		four bool
		list []netip.Addr
	}{{"a", true, g.A}, {"aaaa", false, g.AAAA}} {
		for i, addr := range f.list {
			switch {
			case addr.Is4() != f.four:
				fault(f.key, "%s is of the other address family", addr)
			case slices.Contains(f.list[:i], addr):
				fault(f.key, "%s is listed twice", addr)
			}
		}
	}
	if g.WWW && len(g.A)+len(g.AAAA) == 0 {
		fault("www", "www gets the addresses of the domain: set a or aaaa, or www: false")
	}
}

func (g *Group) validateTexts(fault func(key, format string, args ...any)) {
	for i, text := range g.TXT {
		switch {
		case text == "":
			fault("txt", "the text is empty; remove the line")
		case isSPF(text):
			fault("txt", "%q would be a second SPF record, which makes every check a PermError (RFC 7208 section 4.5); set spf instead", text)
		case len(text) > maxText:
			fault("txt", "the text is %d bytes long; %d are allowed", len(text), maxText)
		case slices.Contains(g.TXT[:i], text):
			fault("txt", "%q is listed twice", text)
		}
		for _, r := range text {
			if r < ' ' || r == 0x7f {
				fault("txt", "%q holds a control character", text)
				break
			}
		}
		for _, p := range placeholder.FindAllString(text, -1) {
			if p != "{domain}" && p != "{group}" {
				fault("txt", "unknown placeholder %s; the placeholders are {domain} and {group}", p)
			}
		}
	}
}

// isSPF tells an SPF record by the rule of RFC 7208 section 4.5.
func isSPF(text string) bool {
	lower := strings.ToLower(text)
	return lower == "v=spf1" || strings.HasPrefix(lower, "v=spf1 ")
}

// Infrastructure is a name that the published zones depend on.
type Infrastructure struct {
	// Name is that of a host or zone.
	Name dnsname.Name
	// What says what it is, for a message: "nameserver".
	What string
}

// CheckInfrastructure returns a fault for each list line whose zone would
// hold one of the names, which it lacks records for: the answers from the new
// zone would say that the name does not exist. The error is *ListErrors.
func (s *Set) CheckInfrastructure(names []Infrastructure) error {
	var errs ListErrors
	for _, n := range names {
		for name := string(n.Name); name != ""; _, name, _ = strings.Cut(name, ".") {
			e := s.Find(name)
			if e == nil {
				continue
			}
			errs.add(&ListError{
				File: s.lists[e.list], Line: int(e.line), Token: e.Name,
				Reason: fmt.Sprintf("this zone would contain the %s %s, but none of its records; remove the domain from the list, keep its zone by hand and $INCLUDE include/%s.inc in it", n.What, n.Name, s.Group(e).Name),
			})
			break
		}
	}
	return errs.orNil()
}
