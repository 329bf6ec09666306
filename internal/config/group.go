package config

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"nullspf/internal/dnsname"
	"nullspf/nolisting"
	"nullspf/spftrack"
	"nullspf/zones"
)

// groupBuilder makes one group of the configuration.
type groupBuilder struct {
	*loader
	key    string
	config *Config
	raw    rawGroup
	group  zones.Group
}

func (b *groupBuilder) build(dir, name string) *zones.Group {
	g, r := &b.group, &b.raw
	g.Name = name
	if strings.ContainsFunc(name, func(c rune) bool {
		return !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_')
	}) {
		b.fail(b.key, "the name of a group may contain a-z, 0-9, - and _ only: files are named after it")
	}
	for i, l := range r.List {
		b.list(item(b.key+".list", i), dir, l)
	}
	if len(r.List) == 0 {
		b.fail(b.key+".list", "name the file with the domains")
	}
	if len(r.Nameservers) > 0 {
		g.Nameservers = b.hostNames(b.key+".nameservers", r.Nameservers)
		for _, ns := range g.Nameservers {
			b.config.Infrastructure = append(b.config.Infrastructure, zones.Infrastructure{Name: ns, What: "nameserver"})
		}
	}
	b.buildSOA(b.key+".soa", r.SOA, &g.SOA)
	if r.TTL != "" {
		g.TTL = b.duration(b.key+".ttl", r.TTL)
	}
	if r.TXTTTL != "" {
		g.TXTTTL = b.txtTTL(b.key+".txt_ttl", r.TXTTTL)
	}
	g.A = b.addresses(b.key+".a", r.A)
	g.AAAA = b.addresses(b.key+".aaaa", r.AAAA)
	g.WWW = b.flag(b.key+".www", r.WWW, false)
	g.TXT = r.TXT
	g.DKIM = b.flag(b.key+".dkim", r.DKIM, true)
	g.WildcardSPF = b.wildcardSPF(r.WildcardSPF)
	g.WildcardMX = b.flag(b.key+".wildcard_mx", r.WildcardMX, true)
	g.AllowPublicSuffix = b.flag(b.key+".allow_public_suffix", r.AllowPublicSuffix, false)
	g.AllowSingleLabel = b.flag(b.key+".allow_single_label", r.AllowSingleLabel, false)
	g.AllowEmpty = b.flag(b.key+".allow_empty", r.AllowEmpty, false)
	g.AllowIDNA2003 = b.flag(b.key+".allow_idna2003", r.AllowIDNA2003, false)
	b.mail()
	b.spf()
	b.dmarc()
	for _, fault := range g.Validate() {
		if fault.Key == "nameservers" && b.told(fault.Key) {
			continue
		}
		b.fail(b.key+"."+fault.Key, "%s", fault.Reason)
	}
	return g
}

// list adds a list.
func (b *groupBuilder) list(key, dir string, r rawList) {
	if r.File == "" {
		b.fail(key, "name the file with the domains")
		return
	}
	l := zones.List{File: path(dir, r.File), Column: strings.TrimSpace(r.Column)}
	if b.config.reads(l.File) || readsList(&b.group, l.File) {
		b.fail(key, "%s is already the list of a group", l.File)
		return
	}
	switch words := map[string]byte{"comma": ',', "semicolon": ';', "tab": '\t', "pipe": '|'}; {
	case r.Separator == "" || strings.EqualFold(r.Separator, "auto"):
	case words[strings.ToLower(r.Separator)] != 0:
		l.Separator = words[strings.ToLower(r.Separator)]
	case len(r.Separator) == 1 && strings.Contains(zones.Separators, r.Separator):
		l.Separator = r.Separator[0]
	default:
		b.fail(key+".separator", "%q is not one of auto, comma, semicolon, tab, pipe", r.Separator)
	}
	b.group.Lists = append(b.group.Lists, l)
}

// mail sets the MX RRset of every mode that the group's hosts make possible.
func (b *groupBuilder) mail() {
	g, r := &b.group, &b.raw
	g.Mail = zones.NullMX
	if r.Mail != "" {
		if mode := choose(b.loader, b.key+".mail", r.Mail, zones.MailModes); mode != "" {
			g.Mail = mode
		}
	}
	g.MX = map[zones.MailMode][]zones.MX{zones.NullMX: {{Host: "", Preference: 0}}}
	tiers := nolisting.Tiers{AllowTestAddresses: b.flag(b.key+".nolisting.allow_test_addresses", r.Nolisting.AllowTestAddresses, false)}
	roles := false
	for i, m := range r.MX {
		key := item(b.key+".mx", i)
		host, ok := b.host(key, m)
		if !ok {
			// Which mode the hosts make possible is not known.
			g.MX[zones.Postmaster], g.MX[zones.Nolisting] = nil, nil
			continue
		}
		tiers.Hosts = append(tiers.Hosts, host)
		roles = roles || m.Role != ""
		b.config.Infrastructure = append(b.config.Infrastructure, zones.Infrastructure{Name: host.Name, What: "mail host"})
	}
	if len(tiers.Hosts) > 0 {
		b.config.Tiers[g.Name] = tiers
	}
	switch {
	case b.told(b.key + ".mx"), b.told(b.key + ".mail"):
	case len(r.MX) == 0:
		if r.Mail == string(zones.Nolisting) || r.Nolisting.Layout != "" {
			b.fail(b.key+".mx", "nolisting needs hosts with roles: {host: mx1.example.net, preference: 10, role: dead, addresses: [...]}")
			g.MX[zones.Nolisting] = nil
		}
	case g.Mail == zones.NullMX && r.Mail != "" && !hasTable(g.Lists):
		b.fail(b.key+".mail", "mail: nullmx says that no host accepts mail, but mx names some; the modes exclude each other (RFC 7505 section 3): remove mx or set mail: postmaster")
	case g.Mail == zones.NullMX && r.Mail == "":
		b.fail(b.key+".mx", "mx names hosts, but mail is nullmx, the default; set mail: postmaster or mail: nolisting")
	case roles || g.Mail == zones.Nolisting:
		b.nolisting(tiers)
	default:
		b.postmaster(tiers)
	}
}

// hasTable reports whether a list may have a mail mode for each domain.
func hasTable(lists []zones.List) bool {
	return slices.ContainsFunc(lists, func(l zones.List) bool { return l.Table() })
}

func (b *groupBuilder) host(key string, m rawMX) (nolisting.Host, bool) {
	before := len(b.faults)
	h := nolisting.Host{Name: b.hostName(key+".host", m.Host), Role: nolisting.Live, Addresses: b.addresses(key+".addresses", m.Addresses)}
	n, err := strconv.ParseUint(m.Preference, 10, 16)
	if err != nil {
		b.fail(key+".preference", "%q is not a preference from 0 to 65535", m.Preference)
	}
	h.Preference = uint16(n)
	if m.Role != "" {
		h.Role = choose(b.loader, key+".role", m.Role, nolisting.Roles)
	}
	return h, len(b.faults) == before
}

// postmaster takes the hosts as they are: all live.
func (b *groupBuilder) postmaster(t nolisting.Tiers) {
	var mx []zones.MX
	for i, h := range t.Hosts {
		if slices.ContainsFunc(mx, func(m zones.MX) bool { return m.Host == h.Name }) {
			b.fail(item(b.key+".mx", i), "%s is listed twice", h.Name)
		}
		mx = append(mx, zones.MX{Host: h.Name, Preference: h.Preference})
	}
	slices.SortStableFunc(mx, func(x, y zones.MX) int { return int(x.Preference) - int(y.Preference) })
	b.group.MX[zones.Postmaster] = mx
}

// nolisting holds the hosts to the rules of the layout. The live ones among
// them are what mode postmaster publishes.
func (b *groupBuilder) nolisting(t nolisting.Tiers) {
	t.Layout = nolisting.Nolisting
	if l := b.raw.Nolisting.Layout; l != "" {
		if t.Layout = choose(b.loader, b.key+".nolisting.layout", l, nolisting.Layouts); t.Layout == "" {
			b.group.MX[zones.Nolisting] = nil
			return
		}
	}
	b.config.Tiers[b.group.Name] = t
	mx, violations := t.MX()
	if len(violations) > 0 {
		for _, v := range violations {
			b.fail(b.key+".mx", "%v", v)
		}
		b.group.MX[zones.Nolisting] = nil
		return
	}
	b.group.MX[zones.Nolisting] = mx
	t.Hosts = slices.DeleteFunc(slices.Clone(t.Hosts), func(h nolisting.Host) bool { return h.Role != nolisting.Live && h.Role != nolisting.Backup })
	b.postmaster(t)
}

// spf sets the record of every layout that the tracking zone makes possible.
func (b *groupBuilder) spf() {
	g, r := &b.group, b.raw.SPF
	s := b.config.Track.Settings
	s.Qualifier = r.Qualifier
	layout := spftrack.Plain
	if s.Zone != "" {
		layout = spftrack.Track
	}
	if r.Layout != "" {
		var err error
		if layout, err = spftrack.ParseLayout(strings.ToLower(r.Layout)); err != nil {
			b.fail(b.key+".spf.layout", "%v", err)
			layout = spftrack.Plain
		}
	}
	g.SPF = string(layout)
	g.SPFRecords = make(map[string]string)
	for _, candidate := range spftrack.Layouts {
		text, err := spftrack.Record(candidate, s)
		if err == nil {
			g.SPFRecords[string(candidate)] = text
		} else if candidate == layout {
			b.fail(b.key+".spf", "%v", err)
			g.SPFRecords[string(candidate)] = "v=spf1 -all"
		}
	}
	if layout != spftrack.Classic && r.Qualifier != "" {
		b.fail(b.key+".spf.qualifier", "only layout classic has a qualifier")
	}
	b.warn(".spf", layout, s)
	if below := g.WildcardSPF; below != g.SPF && below != zones.SPFOfDomain {
		b.warn(".wildcard_spf", spftrack.Layout(below), s)
	}
}

// warn says what an operator should know of a layout before it is published.
func (b *groupBuilder) warn(key string, layout spftrack.Layout, s spftrack.Settings) {
	for _, w := range spftrack.Warnings(layout, s) {
		b.config.Warnings = append(b.config.Warnings, b.key+key+": "+w)
	}
}

// wildcardSPF reads the layout of the names below a domain, or a flag: true is
// that of the domain.
func (b *groupBuilder) wildcardSPF(text string) string {
	switch on, ok := parseFlag(text); {
	case text == "", on:
		return zones.SPFOfDomain
	case ok:
		return ""
	}
	layout, err := spftrack.ParseLayout(strings.ToLower(text))
	if err != nil {
		b.fail(b.key+".wildcard_spf", "%v, or true for the layout of the domain, or false for no record", err)
	}
	return string(layout)
}

// dmarc sets the text of the _dmarc record (RFC 9989).
func (b *groupBuilder) dmarc() {
	g, r := &b.group, b.raw.DMARC
	if !b.flag(b.key+".dmarc.publish", r.Publish, true) {
		return
	}
	policy := "reject"
	if r.Policy != "" {
		policy = choose(b.loader, b.key+".dmarc.policy", r.Policy, []string{"reject", "quarantine", "none"})
	}
	var text strings.Builder
	text.WriteString("v=DMARC1; p=" + policy + "; sp=" + policy + "; np=" + policy + "; adkim=s; aspf=s")
	for _, tag := range []struct {
		name string
		uris []string
	}{{"rua", r.RUA}, {"ruf", r.RUF}} {
		var list []string
		for i, uri := range tag.uris {
			domain, ok := b.reportURI(item(b.key+".dmarc."+tag.name, i), uri)
			if !ok {
				continue
			}
			list = append(list, uri)
			if !slices.Contains(g.DMARCReportDomains, domain) {
				g.DMARCReportDomains = append(g.DMARCReportDomains, domain)
			}
		}
		if len(list) > 0 {
			text.WriteString("; " + tag.name + "=" + strings.Join(list, ","))
		}
	}
	g.DMARC = text.String()
}

// reportURI checks where DMARC reports go and returns the domain.
func (b *groupBuilder) reportURI(key, text string) (dnsname.Name, bool) {
	u, err := url.Parse(text)
	if err != nil || !strings.EqualFold(u.Scheme, "mailto") || strings.ContainsAny(text, ",;! \"\\{}") {
		b.fail(key, "%q is not a report address; write mailto:dmarc@example.net", text)
		return "", false
	}
	local, domain, ok := strings.Cut(u.Opaque, "@")
	if !ok || local == "" {
		b.fail(key, "%q is not a report address; write mailto:dmarc@example.net", text)
		return "", false
	}
	name := b.hostName(key, domain)
	return name, name != ""
}
