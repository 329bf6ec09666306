package named

import (
	"encoding/base64"
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strings"
	"time"
	"unicode"

	"nullspf/internal/dnsname"
	"nullspf/internal/tsigkey"
	"nullspf/zones"
)

// Validate returns all faults of the settings. Whatever it lets through can be
// written into any of the configurations without changing their structure.
func (s *Settings) Validate() []*zones.KeyError {
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
			v.fault("catalog.zone", "no transfers of the catalog zone are allowed; list the secondaries in primary.allow_transfer, or remove catalog.zone")
		}
	}
	if s.Track != nil {
		v.track(s.Track)
	}
	v.listen("nullspfd.listen", s.Nullspfd.Listen)
	v.path("nullspfd.control", s.Nullspfd.Control)
	return v.faults
}

// validator collects faults.
type validator struct{ faults []*zones.KeyError }

func (v *validator) fault(key, format string, args ...any) {
	v.faults = append(v.faults, fault(key, format, args...))
}

func fault(key, format string, args ...any) *zones.KeyError {
	return &zones.KeyError{Key: key, Reason: fmt.Sprintf(format, args...)}
}

func (v *validator) paths(s *Settings) {
	if !path.IsAbs(s.Output) {
		v.fault("output", "%q is not an absolute path", s.Output)
	}
	v.path("output", s.Output)
	v.path("store", s.Store)
	v.path("keys", s.Keys)
}

// path accepts the characters that are part of a file name for every server:
// quotes, braces and semicolons end names, % and * are special.
func (v *validator) path(key, p string) {
	for _, r := range p {
		if r != unicode.ReplacementChar && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("/._-+=@,: ", r)) {
			continue
		}
		v.fault(key, "the character %q in %q is special in server configurations; choose another path", r, p)
		return
	}
}

func (v *validator) servers(s *Settings) {
	seen := make(map[Server]bool)
	for _, server := range s.Servers {
		switch {
		case !slices.Contains(WithPrimary, server):
			v.fault("servers", "unknown server %q; choose from bind, nsd, knot, nullspfd, powerdns, coredns, yadifa; unbound may be secondaries[].software", server)
		case seen[server]:
			v.fault("servers", "%s is listed twice", server)
		}
		seen[server] = true
	}
	if s.DNSSEC && seen[NSD] {
		v.fault("dnssec", "NSD serves signed zones but does not sign; remove nsd from servers, or set dnssec: false and sign with another program")
	}
	for _, server := range []Server{PowerDNS, CoreDNS, YADIFA} {
		if s.DNSSEC && seen[server] {
			v.fault("dnssec", "%s does not sign zones from files of nullspf; remove it from servers, or set dnssec: false", server)
		}
	}
	if s.Catalog != "" && seen[PowerDNS] && seen[YADIFA] && s.bindConsumes() {
		v.fault("servers", "powerdns and yadifa load the property allow-transfer.ext of the catalog zone, which BIND secondaries need, in different forms only; "+
			"remove one of them, or name the software of the secondaries")
	}
	if s.DNSSEC && seen[Nullspfd] && !seen[BIND] && !seen[Knot] {
		v.fault("dnssec", "nullspfd serves signed zones as a secondary but does not sign; add bind or knot to servers for the primary, or set dnssec: false")
	}
	if strings.ContainsFunc(s.View, func(r rune) bool {
		return r > 'z' || !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-_.", r)
	}) {
		v.fault("bind_view", "%q is not the name of a view; write letters, digits and - _ .", s.View)
	}
	switch s.Terms {
	case "", OldTerms, NewTerms:
	default:
		v.fault("bind_terms", "%q is unknown; write %s or %s", s.Terms, OldTerms, NewTerms)
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
			v.fault("primary.allow_transfer", "%v is not an address or network", prefix)
		case prefix.Bits() == 0 && !signed:
			v.fault("primary.allow_transfer", "%v allows everybody to transfer the zones; list the addresses of the secondaries, or add a tsig key", prefix)
		}
	}
	transfers := len(p.AllowTransfer) > 0
	switch {
	case transfers && len(p.Addresses) == 0:
		v.fault("primary.addresses", "missing; list the addresses from which secondaries transfer the zones")
	case !transfers && len(p.Addresses) > 0:
		v.fault("primary.allow_transfer", "missing; list the secondaries that may transfer the zones from primary.addresses")
	}
	switch {
	case transfers && len(p.AlsoNotify) == 0:
		v.fault("primary.also_notify", "missing; secondaries would notice a change only after the SOA's refresh time")
	case !transfers && len(p.AlsoNotify) > 0:
		v.fault("primary.allow_transfer", "missing; the servers in primary.also_notify would be notified of zones that they may not transfer")
	}
}

func (v *validator) addrPort(key string, a netip.AddrPort) {
	switch {
	case !a.Addr().IsValid() || a.Addr().Is4In6():
		v.fault(key, "%v is not an address", a)
	case a.Addr().IsUnspecified() || a.Addr().IsMulticast():
		v.fault(key, "%v is not the address of one server", a.Addr())
	case a.Addr().Zone() != "":
		v.fault(key, "%v has a scope zone, which not all servers support; use a global address", a.Addr())
	case a.Port() == 0:
		v.fault(key, "%v: the port must not be 0", a.Addr())
	}
}

func (v *validator) tsig(t *TSIG) {
	v.name("tsig.name", t.Name)
	switch algorithm, err := tsigkey.ParseAlgorithm(t.Algorithm); {
	case err != nil:
		v.fault("tsig.algorithm", "%v", err)
	case algorithm != t.Algorithm:
		v.fault("tsig.algorithm", "%q: write %s", t.Algorithm, algorithm)
	}
	const remedy = `"tsig-keygen" and "openssl rand -base64 32" print one`
	switch secret, err := tsigkey.ParseSecret(t.Secret); {
	case err != nil:
		v.fault("tsig.secret_file", "%v; "+remedy, err)
	// The decoder ignores line breaks, which must not get into a file.
	case base64.StdEncoding.EncodeToString(secret) != t.Secret:
		v.fault("tsig.secret_file", "the secret is not base64 on one line; "+remedy)
	}
}

func (v *validator) track(t *Track) {
	v.name("track.zone", t.Zone)
	if len(t.Nameservers) == 0 {
		v.fault("track.nameservers", "missing; list the nameservers of the tracking zone")
	}
	for _, ns := range t.Nameservers {
		v.name("track.nameservers", ns)
	}
	v.listen("track.listen", t.Listen)
	for _, layout := range t.Layouts {
		if strings.Trim(layout, "abcdefghijklmnopqrstuvwxyz") != "" || layout == "" {
			v.fault("track.layouts", "%q is not an SPF layout", layout)
		}
	}
	for _, r := range t.Explain {
		if r < ' ' || r > '~' || r == '\\' {
			v.fault("track.explain", "the character %q is not allowed; use printable ASCII without backslash (RFC 7208 section 6.2)", r)
			break
		}
	}
	for _, opening := range []string{"{$", "{%"} {
		if strings.Contains(t.Explain, opening) {
			v.fault("track.explain", "%q starts an environment variable in a Corefile; leave it out", opening)
		}
	}
	if t.TTL < 0 || t.TTL%time.Second != 0 {
		v.fault("track.ttl", "%v is not a whole number of seconds", t.TTL)
	}
	v.path("journals", t.Journal)
}

func (v *validator) listen(key string, list []netip.AddrPort) {
	for _, a := range list {
		switch {
		case !a.Addr().IsValid() || a.Addr().Is4In6() || a.Addr().Zone() != "":
			v.fault(key, "%v is not an address to listen on", a)
		case a.Port() == 0:
			v.fault(key, "%v: the port is missing", a.Addr())
		case a.Port() != list[0].Port():
			v.fault(key, "%v and %v have different ports; all must have the same port", list[0], a)
		}
	}
}

func (v *validator) name(key string, name dnsname.Name) {
	if err := name.Check(); err != nil {
		v.fault(key, "%q: %v", name, err)
	}
}

// checkSet finds a contradiction between the settings and the published domains;
// nil when there is none.
func (s *Settings) checkSet(set *zones.Set) *zones.KeyError {
	switch track := s.zoneOfTrack(); {
	case set.Find(string(s.Catalog)) != nil:
		return fault("catalog.zone", "%s is on a list too; give the catalog zone a name of its own", s.Catalog)
	case set.Find(string(track)) != nil:
		return fault("track.zone", "%s is on a list too; give the tracking zone a name of its own", track)
	case s.Catalog != "" && s.Catalog == track:
		return fault("catalog.zone", "%s is the tracking zone; give the catalog zone a name of its own", s.Catalog)
	}
	if len(s.Catalog) > maxCatalogName {
		return fault("catalog.zone", "%s is too long: a catalog zone can have a name of at most %d bytes", s.Catalog, maxCatalogName)
	}
	if s.has(CoreDNS) {
		for i := range set.Entries {
			if name := set.Entries[i].Name; len(name) > maxSuffixed && strings.HasSuffix(name, ".zone") {
				return fault("servers", "CoreDNS takes the name of %s from that of its file, which is too long for it; remove the zone from the lists, or coredns from servers", name)
			}
		}
	}
	if !s.DNSSEC {
		return nil
	}
	for i := range set.Entries {
		name := set.Entries[i].Name
		for _, parent, _ := strings.Cut(name, "."); parent != ""; _, parent, _ = strings.Cut(parent, ".") {
			if set.Find(parent) != nil {
				return fault("dnssec", "%s and %s are both on a list: the signed zone of the latter has no delegation for the former, which validating resolvers answer with SERVFAIL; "+
					"remove one of them from the lists, or set dnssec: false", name, parent)
			}
		}
	}
	if !s.has(BIND) {
		return nil
	}
	longest := maxSigned - len(s.keys())
	for i := range set.Entries {
		if name := set.Entries[i].Name; len(name) > longest {
			return fault("dnssec", "%s: BIND cannot sign a zone whose name has more than %d bytes when its keys are in %s; "+
				"choose a shorter output path, or remove the zone from the lists, or bind from servers", name, longest, s.keys())
		}
	}
	return nil
}

func (s *Settings) zoneOfTrack() dnsname.Name {
	if s.Track == nil {
		return ""
	}
	return s.Track.Zone
}
