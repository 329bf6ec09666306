package named

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strings"
	"time"
	"unicode"

	"nullspf/internal/tsigkey"
	"nullspf/zones"
)

// Validate returns all faults of the settings, joined, each with the key of
// the configuration that is to be changed. Whatever it lets through can be
// written into any of the configurations without changing their structure.
func (s *Settings) Validate() error {
	v := &validator{}
	v.paths(s)
	v.servers(s)
	v.primary(&s.Primary, s.TSIG != nil)
	if s.TSIG != nil {
		v.tsig(s.TSIG)
	}
	if s.Catalog != "" {
		v.name("catalog.zone", s.Catalog)
		if len(s.Primary.AllowTransfer) == 0 {
			v.fault("catalog.zone: nobody may fetch the catalog zone; list the secondaries in primary.allow_transfer, or remove it")
		}
	}
	if s.Track != nil {
		v.track(s.Track)
	}
	v.listen("nullspfd.listen", s.Nullspfd.Listen)
	v.path("nullspfd.control", s.Nullspfd.Control)
	return errors.Join(v.faults...)
}

// validator collects faults.
type validator struct{ faults []error }

func (v *validator) fault(format string, args ...any) {
	v.faults = append(v.faults, fmt.Errorf("named: "+format, args...))
}

func (v *validator) paths(s *Settings) {
	if !path.IsAbs(s.Output) {
		v.fault("output: %q is not absolute", s.Output)
	}
	v.path("output", s.Output)
	v.path("store", s.Store)
	v.path("keys", s.Keys)
}

// path accepts what no server takes for anything but part of a file name:
// quotes, braces and semicolons end names, % and * have meanings in them.
func (v *validator) path(key, p string) {
	for _, r := range p {
		if r != unicode.ReplacementChar && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("/._-+=@,: ", r)) {
			continue
		}
		v.fault("%s: the character %q in %q has a meaning of its own in server configurations; choose another path", key, r, p)
		return
	}
}

func (v *validator) servers(s *Settings) {
	seen := make(map[Server]bool)
	for _, server := range s.Servers {
		switch {
		case !slices.Contains(Servers, server):
			v.fault("servers: no server %q is known; the servers are bind, nsd, knot, nullspfd", server)
		case seen[server]:
			v.fault("servers: %s stands there twice", server)
		}
		seen[server] = true
	}
	if s.DNSSEC && seen[NSD] {
		v.fault("dnssec: NSD serves signed zones but does not sign; remove nsd from servers, or set dnssec: false and sign with another program")
	}
	if s.DNSSEC && seen[Nullspfd] && !seen[BIND] && !seen[Knot] {
		v.fault("dnssec: nullspfd serves signed zones as a secondary but does not sign; add bind or knot to servers for the primary, or set dnssec: false")
	}
	switch s.Terms {
	case "", OldTerms, NewTerms:
	default:
		v.fault("bind_terms: %q is unknown; the terms are %s and %s", s.Terms, OldTerms, NewTerms)
	}
}

func (v *validator) primary(p *Primary, signed bool) {
	for _, a := range p.Addresses {
		v.addrPort("primary.addresses", a)
	}
	for _, a := range p.AlsoNotify {
		v.addrPort("primary.also_notify", a)
	}
	for _, prefix := range p.AllowTransfer {
		switch {
		case !prefix.IsValid() || prefix.Addr().Is4In6():
			v.fault("primary.allow_transfer: %v is no address or network", prefix)
		case prefix.Bits() == 0 && !signed:
			v.fault("primary.allow_transfer: %v lets anybody fetch the zones; list the secondaries' addresses, or add a tsig key", prefix)
		}
	}
	transfers := len(p.AllowTransfer) > 0
	switch {
	case transfers && len(p.Addresses) == 0:
		v.fault("primary.addresses: is missing; secondaries must know where to fetch the zones")
	case !transfers && len(p.Addresses) > 0:
		v.fault("primary.allow_transfer: is missing; nobody could fetch the zones from primary.addresses")
	}
	switch {
	case transfers && len(p.AlsoNotify) == 0:
		v.fault("primary.also_notify: is missing; secondaries would learn of a change only when the SOA's refresh time is over")
	case !transfers && len(p.AlsoNotify) > 0:
		v.fault("primary.allow_transfer: is missing; those in primary.also_notify would be told of changes that they may not fetch")
	}
}

func (v *validator) addrPort(key string, a netip.AddrPort) {
	switch {
	case !a.Addr().IsValid() || a.Addr().Is4In6():
		v.fault("%s: %v is no address", key, a)
	case a.Addr().IsUnspecified() || a.Addr().IsMulticast():
		v.fault("%s: %v is not the address of one server", key, a.Addr())
	case a.Addr().Zone() != "":
		v.fault("%s: %v has a zone, which not all servers understand; use an address that needs none", key, a.Addr())
	case a.Port() == 0:
		v.fault("%s: port 0 of %v cannot be reached", key, a.Addr())
	}
}

func (v *validator) tsig(t *TSIG) {
	v.name("tsig.name", t.Name)
	switch algorithm, err := tsigkey.ParseAlgorithm(t.Algorithm); {
	case err != nil:
		v.fault("tsig.algorithm: %w", err)
	case algorithm != t.Algorithm:
		v.fault("tsig.algorithm: %q: write %s", t.Algorithm, algorithm)
	}
	const remedy = `make one with "tsig-keygen" or "openssl rand -base64 32"`
	switch secret, err := tsigkey.ParseSecret(t.Secret); {
	case err != nil:
		v.fault("tsig.secret_file: %w; "+remedy, err)
	// The decoder passes over line ends, which must not get into a file.
	case base64.StdEncoding.EncodeToString(secret) != t.Secret:
		v.fault("tsig.secret_file: the secret is not base64 on one line; " + remedy)
	}
}

func (v *validator) track(t *Track) {
	v.name("track.zone", t.Zone)
	if len(t.Nameservers) == 0 {
		v.fault("track.nameservers: is missing")
	}
	for _, ns := range t.Nameservers {
		v.name("track.nameservers", ns)
	}
	v.listen("track.listen", t.Listen)
	for _, layout := range t.Layouts {
		if strings.Trim(layout, "abcdefghijklmnopqrstuvwxyz") != "" || layout == "" {
			v.fault("track.layouts: %q is no SPF layout", layout)
		}
	}
	for _, r := range t.Explain {
		if r < ' ' || r > '~' || r == '\\' {
			v.fault("track.explain: the character %q is not allowed; an explanation is printable ASCII without backslash (RFC 7208 section 6.2)", r)
			break
		}
	}
	for _, opening := range []string{"{$", "{%"} {
		if strings.Contains(t.Explain, opening) {
			v.fault("track.explain: %q begins the name of an environment variable in a Corefile; write something else", opening)
		}
	}
	if t.TTL < 0 || t.TTL%time.Second != 0 {
		v.fault("track.ttl: not a duration in whole seconds: %v", t.TTL)
	}
	v.path("journals", t.Journal)
}

func (v *validator) listen(key string, list []netip.AddrPort) {
	for _, a := range list {
		switch {
		case !a.Addr().IsValid() || a.Addr().Is4In6() || a.Addr().Zone() != "":
			v.fault("%s: %v is no address to listen at", key, a)
		case a.Port() == 0:
			v.fault("%s: %v has no port", key, a.Addr())
		case a.Port() != list[0].Port():
			v.fault("%s: %v and %v have different ports; nullspfd listens at one", key, list[0], a)
		}
	}
}

// name accepts a domain name of letters, digits, hyphens and underscores.
func (v *validator) name(key, name string) {
	if len(name) == 0 || len(name) > 253 {
		v.fault("%s: %q is no domain name: it has %d octets", key, name, len(name))
		return
	}
	for label := range strings.SplitSeq(name, ".") {
		if len(label) == 0 || len(label) > 63 {
			v.fault("%s: %q is no domain name: the label %q has %d octets", key, name, label, len(label))
			return
		}
		for _, r := range label {
			if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_' {
				v.fault("%s: the character %q in %q is not allowed; write the name in lower case, without final dot", key, r, name)
				return
			}
		}
		if label[0] == '-' {
			v.fault("%s: the label %q begins with a hyphen", key, label)
			return
		}
	}
}

// checkSet finds what the settings and the published domains contradict each
// other in.
func (s *Settings) checkSet(set *zones.Set) error {
	switch track := s.zoneOfTrack(); {
	case set.Find(s.Catalog) != nil:
		return fmt.Errorf("named: catalog.zone: %s stands in the lists too; give the catalog zone a name of its own", s.Catalog)
	case set.Find(track) != nil:
		return fmt.Errorf("named: track.zone: %s stands in the lists too; give the tracking zone a name of its own", track)
	case s.Catalog != "" && s.Catalog == track:
		return fmt.Errorf("named: catalog.zone: %s is the tracking zone; give the catalog zone a name of its own", s.Catalog)
	}
	if len(s.Catalog) > maxCatalogName {
		return fmt.Errorf("named: catalog.zone: %s is too long: with the names that it holds it may have %d octets", s.Catalog, maxCatalogName)
	}
	if !s.DNSSEC || !s.has(BIND) {
		return nil
	}
	longest := maxSigned - len(s.keys())
	for i := range set.Entries {
		if name := set.Entries[i].Name; len(name) > longest {
			return fmt.Errorf("named: dnssec: %s: BIND cannot sign a zone with a name of more than %d octets while its keys are in %s; "+
				"choose a shorter output path, or take the zone out of the lists, or bind out of servers", name, longest, s.keys())
		}
	}
	return nil
}

func (s *Settings) zoneOfTrack() string {
	if s.Track == nil {
		return ""
	}
	return s.Track.Zone
}
