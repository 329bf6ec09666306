package config

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"nullspf/internal/control"
	"nullspf/internal/journal"
	"nullspf/internal/value"
	"nullspf/named"
	"nullspf/nolisting"
	"nullspf/spftrack"
	"nullspf/zones"
)

// build turns the decoded file into typed values and notes what is wrong.
func (l *loader) build(dir string, r *raw) *Config {
	c := &Config{Output: path(dir, r.Output), Tiers: make(map[string]nolisting.Tiers)}
	var err error
	if c.Scheme, err = zones.ParseScheme(r.Serial); err != nil {
		l.fail("serial", "%v", err)
	}
	for _, j := range r.Journals {
		c.Journals = append(c.Journals, path(dir, j))
	}
	if r.GeoIP.AS != "" {
		c.GeoIP.AS = path(dir, r.GeoIP.AS)
	}
	if r.GeoIP.Country != "" {
		c.GeoIP.Country = path(dir, r.GeoIP.Country)
	}
	c.Evidence = l.buildEvidence(dir, &r.Evidence)
	c.Web = l.buildWeb(dir, &r.Web)
	l.buildTrack(c, r.Track, r.Nameservers)
	if len(l.groups) == 0 {
		l.fail("groups", "at least one group with a list is needed")
	}
	base := l.buildBase(r)
	slices.Sort(l.groups)
	for _, name := range l.groups {
		g := &groupBuilder{loader: l, key: "groups." + name, config: c, raw: r.Groups[name], group: base}
		c.Groups = append(c.Groups, g.build(dir, name))
	}
	l.buildHandKept(dir, c, r.HandKept)
	l.buildNamed(dir, c, r)
	l.buildMail(c, r)
	for _, ns := range base.Nameservers {
		c.Infrastructure = append(c.Infrastructure, zones.Infrastructure{Name: ns, What: "nameserver"})
	}
	if c.Track.Zone != "" {
		c.Infrastructure = append(c.Infrastructure, zones.Infrastructure{Name: c.Track.Zone, What: "tracking zone"})
	}
	return c
}

// buildBase gives what groups inherit.
func (l *loader) buildBase(r *raw) zones.Group {
	g := zones.Group{
		Nameservers: l.hostNames("nameservers", r.Nameservers),
		TTL:         l.duration("ttl", r.TTL),
		TXTTTL:      l.txtTTL("txt_ttl", r.TXTTTL),
	}
	if len(r.Nameservers) == 0 {
		l.fail("nameservers", "name the servers of the zones")
	}
	l.buildSOA("soa", r.SOA, &g.SOA)
	if r.SOA.RName == "" {
		l.fail("soa.rname", "the mailbox of the person in charge is missing: hostmaster.example.net")
	}
	if r.SOA.MName == "" && len(g.Nameservers) > 0 {
		g.SOA.MName = g.Nameservers[0]
	}
	return g
}

// buildSOA reads the fields of a SOA record that are given, and holds the whole
// against the rules.
func (l *loader) buildSOA(key string, r rawSOA, soa *zones.SOA) {
	for _, t := range []struct {
		key, text string
		value     *time.Duration
	}{{"refresh", r.Refresh, &soa.Refresh}, {"retry", r.Retry, &soa.Retry}, {"expire", r.Expire, &soa.Expire}, {"minimum", r.Minimum, &soa.Minimum}} {
		if t.text == "" {
			continue
		}
		*t.value = l.duration(key+"."+t.key, t.text)
		if *t.value == 0 && t.key != "minimum" && !l.told(key+"."+t.key) {
			l.fail(key+"."+t.key, "a secondary cannot work with 0; the defaults are 2h, 15m and 28d")
		}
	}
	if soa.Expire <= soa.Refresh+soa.Retry && !l.told(key) && !l.told("soa") {
		l.fail(key+".expire", "zones would expire before a secondary has queried its primary twice; set it above refresh and retry together (RFC 1912 section 2.2)")
	}
	if r.RName != "" {
		soa.RName = l.mailbox(key+".rname", r.RName)
	}
	if r.MName != "" {
		soa.MName = l.hostName(key+".mname", r.MName)
	}
}

// txtTTL reads the TTL of TXT records; 0 for none.
func (l *loader) txtTTL(key, text string) time.Duration {
	if text == "" {
		return 0
	}
	ttl := l.duration(key, text)
	if ttl == 0 && !l.told(key) {
		l.fail(key, "a TTL of 0 is not supported; write at least 1s")
	}
	return ttl
}

func (l *loader) buildTrack(c *Config, r rawTrack, nameservers []string) {
	t := &c.Track
	t.Listen = l.endpoints("track.listen", r.Listen)
	t.TTL = l.duration("track.ttl", r.TTL)
	t.Explain = r.Explain
	if r.Zone == "" {
		if len(r.Nameservers)+len(r.Listen) > 0 {
			l.fail("track.zone", "the name of the tracking zone is missing: _spf.example.net")
		}
		return
	}
	t.Zone = l.zoneName("track.zone", r.Zone)
	t.Nameservers = l.hostNames("track.nameservers", r.Nameservers)
	if len(r.Nameservers) == 0 {
		t.Nameservers = l.hostNames("nameservers", nameservers)
	}
	if _, err := spftrack.CompileExplanation(r.Explain); err != nil {
		l.fail("track.explain", "%v (RFC 7208 section 6.2)", err)
	} else if len(r.Explain) > spftrack.MaxExplanation {
		l.fail("track.explain", "the explanation has %d bytes; it may have %d", len(r.Explain), spftrack.MaxExplanation)
	}
}

func (l *loader) buildNamed(dir string, c *Config, r *raw) {
	s := &c.Named
	s.Output = c.Output
	for i, text := range r.Servers {
		server := choose(l, item("servers", i), text, named.WithPrimary)
		if server == "" {
			continue
		}
		if slices.Contains(s.Servers, server) {
			l.fail(item("servers", i), "%s is listed twice", server)
			continue
		}
		s.Servers = append(s.Servers, server)
	}
	s.Primary.Addresses = l.endpoints("primary.addresses", r.Primary.Addresses)
	s.Primary.AllowTransfer = l.prefixes("primary.allow_transfer", r.Primary.AllowTransfer)
	s.Primary.AlsoNotify = l.endpoints("primary.also_notify", r.Primary.AlsoNotify)
	l.buildSecondaries(c, r)
	if len(r.Primary.AlsoNotify) == 0 {
		for _, p := range s.Primary.AllowTransfer {
			at := netip.AddrPortFrom(p.Addr(), 53)
			if p.IsSingleIP() && !slices.ContainsFunc(s.Primary.AlsoNotify, func(a netip.AddrPort) bool { return a.Addr() == p.Addr() }) {
				s.Primary.AlsoNotify = append(s.Primary.AlsoNotify, at)
			}
		}
	}
	c.Secondaries = l.endpoints("secondary.addresses", r.Secondary.Addresses)
	if len(r.Secondary.Addresses) == 0 {
		c.Secondaries = s.Primary.AlsoNotify
	}
	s.DNSSEC = l.flag("dnssec", r.DNSSEC, false)
	if choose(l, "bind_terms", r.BINDTerms, []string{"master", "primary"}) == "primary" {
		s.Terms = named.NewTerms
	}
	s.View = r.BINDView
	switch {
	case r.Catalog.Zone != "":
		s.Catalog = l.zoneName("catalog.zone", r.Catalog.Zone)
	case len(s.Primary.AllowTransfer) > 0:
		s.Catalog = defaultCatalog
	}
	c.AfterWrite = r.AfterWrite
	l.buildTSIG(dir, c, r.TSIG)
	s.Store = r.Secondary.Store
	l.buildNullspfd(dir, c, r.Nullspfd)
	s.Nullspfd.DNSBL = l.buildDNSBL(dir, c, r)
	if c.Track.Zone != "" {
		s.Track = &named.Track{
			Zone: c.Track.Zone, Nameservers: c.Track.Nameservers, Listen: c.Track.Listen,
			Explain: c.Track.Explain, TTL: c.Track.TTL,
		}
		if len(c.Journals) > 0 {
			s.Track.Journal = c.Journals[0]
		}
	}
	if len(l.faults) == 0 {
		l.failKeys(slices.DeleteFunc(s.Validate(), ofSecret))
	}
	for i, t := range r.Apply {
		key := item("apply", i)
		target := named.Target{
			Server:  choose(l, key+".server", t.Server, named.SecondarySoftware),
			Role:    named.RolePrimary,
			Command: t.Command,
			Catalog: l.flag(key+".catalog", t.Catalog, false),
		}
		if t.Role != "" {
			target.Role = choose(l, key+".role", t.Role, []string{named.RolePrimary, named.RoleSecondary})
		}
		if target.Server == named.Nullspfd && t.Command == nil {
			target.Command = c.ReloadCommand()
		}
		c.Apply = append(c.Apply, target)
	}
	if len(r.Apply) == 0 {
		for _, server := range s.Servers {
			target := named.Target{Server: server, Role: named.RolePrimary}
			if server == named.Nullspfd {
				target.Command = c.ReloadCommand()
			}
			c.Apply = append(c.Apply, target)
		}
	}
}

// buildSecondaries adds servers of the key secondaries to those that may transfer
// the zones and are notified.
func (l *loader) buildSecondaries(c *Config, r *raw) {
	p := &c.Named.Primary
	for i, text := range r.Secondaries {
		key := item("secondaries", i)
		if text.Address == "" {
			l.fail(key+".address", "the address of the secondary is missing: 192.0.2.2")
			continue
		}
		at := l.endpoints(key+".address", []string{text.Address})
		if len(at) == 0 {
			continue
		}
		s := named.Secondary{Address: at[0]}
		switch {
		case text.Key == "none":
			s.Unsigned = true
		case text.Key != "" && text.Key != r.TSIG.Name:
			l.fail(key+".key", "%q is not the name of a key; write none, or tsig.name, which is the default", text.Key)
		}
		if text.Software != "" {
			s.Software = choose(l, key+".software", text.Software, named.SecondarySoftware)
		}
		if s.Software.Unsigned() && r.TSIG.Name != "" && !s.Unsigned {
			l.fail(key+".key", "%s cannot sign zone transfers; write key: none", s.Software)
		}
		p.Secondaries = append(p.Secondaries, s)
		single := netip.PrefixFrom(s.Address.Addr(), s.Address.Addr().BitLen())
		if !slices.Contains(p.AllowTransfer, single) {
			p.AllowTransfer = append(p.AllowTransfer, single)
		}
		if !slices.Contains(p.AlsoNotify, s.Address) {
			p.AlsoNotify = append(p.AlsoNotify, s.Address)
		}
	}
}

// buildNullspfd: of the addresses for the tracking zone and those for the
// published zones, the ones stand for the others when these are missing.
func (l *loader) buildNullspfd(dir string, c *Config, r rawNullspfd) {
	n := &c.Named.Nullspfd
	n.Listen = l.endpoints("nullspfd.listen", r.Listen)
	if len(n.Listen) == 0 {
		n.Listen = c.Track.Listen
	}
	if len(c.Track.Listen) == 0 {
		c.Track.Listen = n.Listen
	}
	n.Metrics = l.listener("nullspfd.metrics", r.Metrics)
	n.Proxies = values(l, "nullspfd.proxy", r.Proxy, value.ParsePrefix)
	for _, p := range n.Proxies {
		if p.IsValid() && p.Bits() == 0 {
			l.fail("nullspfd.proxy", "%s is every address, so that anybody could take any other; write the addresses or networks of the proxies", p)
		}
	}
	n.SMTP = l.buildSMTP(dir, r.SMTP)
	n.Health = l.listener("nullspfd.health", r.Health)
	if !isOff(r.Retain) {
		if n.Retain = l.duration("nullspfd.retain", r.Retain); n.Retain == 0 && !l.told("nullspfd.retain") {
			l.fail("nullspfd.retain", "write a duration such as 400d, or off to keep all events")
		}
	}
	if r.RetainRaw != "" && !isOff(r.RetainRaw) {
		n.RetainRaw = l.duration("nullspfd.retain_raw", r.RetainRaw)
		if err := journal.CheckRetainRaw(n.RetainRaw); err != nil && !l.told("nullspfd.retain_raw") {
			l.fail("nullspfd.retain_raw", "%v, or off", err)
		}
	}
	if r.MaxSize != "" && !isOff(r.MaxSize) {
		var err error
		if n.MaxSize, err = value.ParseSize(r.MaxSize); err != nil {
			l.fail("nullspfd.max_size", "%v, or off", err)
		}
	}
	switch {
	case r.RRL == "":
	case isOff(r.RRL):
		n.Rate = -1
	default:
		var err error
		if n.Rate, err = value.ParseCount(r.RRL, 1e9); err != nil {
			l.fail("nullspfd.rrl", "%v; write the number of answers a second to a network, or off", err)
		}
	}
	if r.Control != "" {
		n.Control = path(dir, r.Control)
		if err := control.CheckPath(n.Control); err != nil {
			l.fail("nullspfd.control", "%v", err)
		}
	}
}

// isOff recognises the words by which YAML's relatives switch something off.
func isOff(text string) bool {
	return slices.Contains([]string{"off", "false", "no", "0"}, strings.ToLower(text))
}

// ReloadCommand has nullspfd reload by its socket, where the outcome is told;
// nil stands for the default command.
func (c *Config) ReloadCommand() []string {
	if c.Named.Nullspfd.Control == "" {
		return nil
	}
	return []string{"nullspf", "server", "reload", "--socket", c.Named.Nullspfd.Control}
}

func (l *loader) buildMail(c *Config, r *raw) {
	c.Mail.Postmaster, c.Mail.Dir = r.Postmaster, c.Output
	c.Mail.RejectSender = l.flag("reject_sender", r.RejectSender, false)
	if c.Mail.RejectSender && r.Postmaster == "" {
		l.fail("reject_sender", "mail tables are written for a mailbox of postmaster only: set postmaster: postmaster@mail.example.net")
	}
	needed := slices.ContainsFunc(c.Groups, func(g *zones.Group) bool { return len(g.MX) > 1 })
	if r.Postmaster == "" && needed && len(l.faults) == 0 {
		l.fail("postmaster", "domains whose hosts accept mail need the mailbox to which mail for postmaster goes: postmaster@mail.example.net")
	}
	if r.Postmaster != "" {
		l.failKeys(c.Mail.Validate())
	}
}

// defaultCatalog is a name that no resolver asks for (RFC 6761 section 6.4).
const defaultCatalog = "catalog.invalid"
