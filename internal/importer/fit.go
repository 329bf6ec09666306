package importer

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/miekg/dns"

	"nullspf/internal/dnsname"
	"nullspf/spftrack"
	"nullspf/zones"
)

// settings are those of a group. Two zones with equal ones belong to one group.
type settings struct {
	soa zones.SOA
	// nameservers are separated by blanks, sorted, but the primary comes first.
	nameservers string
	// ttl and txtTTL are seconds; a txtTTL of 0 is that of the other records.
	ttl, txtTTL uint32
	// addressed is set when the apex has addresses; which, is not of the group.
	addressed, www bool
	// mx are hosts with their preferences, "10 mx.example.net", separated by commas;
	// "" is a null MX.
	mx         string
	layout     spftrack.Layout
	track      dnsname.Name
	qualifier  string
	wildcard   string // as zones.Group.WildcardSPF
	wildcardMX bool
	// texts are separated by NUL, with {domain} for the name.
	texts string
	dmarc dmarc
	dkim  bool
}

// difference is what keeps a zone from being published as it is.
type difference struct {
	at   position
	text string
	// change is set when nullspf would publish the zone with another record or one
	// more; else no setting has the record.
	change bool
}

// fitted is a zone with the settings with which it is published.
type fitted struct {
	name      string
	file      string
	settings  settings
	addresses []netip.Addr // those of IPv4 first, sorted
	records   []record
	// differences are in the order of the file.
	differences []difference
}

// refused reports whether a record has no setting.
func (f *fitted) refused() bool {
	return slices.ContainsFunc(f.differences, func(d difference) bool { return !d.change })
}

// fitter finds the settings of a zone.
type fitter struct {
	*fitted
	rest map[rrKey][]record
	soa  record
	mx   []record // of the apex
}

// rrKey is an RRset: the owner is relative to the zone, "@" its apex.
type rrKey struct {
	owner  string
	rrtype uint16
}

const (
	apex     = "@"
	www      = "www"
	wildcard = "*"
)

// fit finds the settings of a zone.
func fit(name, file string, records []record) *fitted {
	f := &fitter{fitted: &fitted{name: name, file: file, records: records}, rest: make(map[rrKey][]record)}
	for _, r := range records {
		owner := strings.TrimSuffix(strings.ToLower(r.Header().Name), ".")
		if owner == name {
			owner = apex
		}
		k := rrKey{strings.TrimSuffix(owner, "."+name), r.Header().Rrtype}
		if !slices.ContainsFunc(f.rest[k], func(x record) bool { return dns.IsDuplicate(x.RR, r.RR) }) {
			f.rest[k] = append(f.rest[k], r)
		}
	}
	soas := f.take(apex, dns.TypeSOA)
	if len(soas) == 0 {
		f.differ(position{file: file}, "the zone has no SOA record")
		return f.fitted
	}
	f.soa = soas[0]
	if rs := f.rest[rrKey{apex, dns.TypeDNSKEY}]; len(rs) > 0 {
		f.differ(rs[0].at, "a signed zone; import the zone before it is signed")
		return f.fitted
	}
	f.fitSOA()
	f.fitTTL()
	f.fitNameservers()
	f.fitMX()
	f.fitAddresses()
	f.fitTexts()
	f.fitDMARC()
	for _, r := range f.leftOver() {
		f.differ(r.at, show(name, r)+": no key of a group publishes it")
	}
	slices.SortStableFunc(f.differences, func(a, b difference) int {
		return cmp.Or(strings.Compare(a.at.file, b.at.file), cmp.Compare(a.at.line, b.at.line))
	})
	return f.fitted
}

func (f *fitter) leftOver() []record {
	var all []record
	for _, rs := range f.rest {
		all = append(all, rs...)
	}
	slices.SortFunc(all, func(a, b record) int {
		return cmp.Or(strings.Compare(a.at.file, b.at.file), cmp.Compare(a.at.line, b.at.line), strings.Compare(a.String(), b.String()))
	})
	return all
}

// take returns an RRset, which is settled by that.
func (f *fitter) take(owner string, rrtype uint16) []record {
	k := rrKey{owner, rrtype}
	rs := f.rest[k]
	delete(f.rest, k)
	return rs
}

func (f *fitter) differ(at position, text string) {
	f.differences = append(f.differences, difference{at: at, text: text})
}

func (f *fitter) changes(at position, format string, args ...any) {
	f.differences = append(f.differences, difference{at, fmt.Sprintf(format, args...), true})
}

// show gives a record as people write it, with an owner relative to the zone.
func show(zone string, r record) string {
	owner := strings.TrimSuffix(strings.ToLower(r.Header().Name), ".")
	if owner == zone {
		owner = apex
	}
	data := strings.TrimPrefix(r.String(), r.Header().String())
	const most = 100
	if len(data) > most {
		data = data[:most] + "..."
	}
	return strings.TrimSuffix(owner, "."+zone) + " " + dns.TypeToString[r.Header().Rrtype] + " " + data
}

func (f *fitter) fitSOA() {
	soa := f.soa.RR.(*dns.SOA)
	mname, err := dnsname.ParseHost(strings.TrimSuffix(soa.Ns, "."))
	rname, rerr := dnsname.ParseMailbox(soa.Mbox)
	seconds := func(n uint32) time.Duration { return time.Duration(n) * time.Second }
	s := zones.SOA{
		MName: mname, RName: rname,
		Refresh: seconds(soa.Refresh), Retry: seconds(soa.Retry), Expire: seconds(soa.Expire), Minimum: seconds(soa.Minttl),
	}
	switch limit := uint32(1<<31 - 1); {
	case err != nil:
		f.differ(f.soa.at, fmt.Sprintf("the SOA record names the primary %s: %v", soa.Ns, err))
	case rerr != nil:
		f.differ(f.soa.at, fmt.Sprintf("the SOA record has the mailbox %s: %v", soa.Mbox, rerr))
	case soa.Refresh == 0 || soa.Retry == 0 || s.Expire <= s.Refresh+s.Retry || max(soa.Refresh, soa.Retry, soa.Expire, soa.Minttl) > limit:
		f.differ(f.soa.at, fmt.Sprintf("the SOA record has the times %d %d %d %d, with which secondaries cannot work", soa.Refresh, soa.Retry, soa.Expire, soa.Minttl))
	}
	f.settings.soa = s
}

// fitTTL takes the TTL of most records, and that of most TXT records.
func (f *fitter) fitTTL() {
	count := make(map[bool]map[uint32]int)
	most := func(txt bool) uint32 {
		best := uint32(0)
		for ttl, n := range count[txt] {
			if have := count[txt][best]; n > have || n == have && ttl > best {
				best = ttl
			}
		}
		return best
	}
	for _, r := range f.records {
		txt := r.Header().Rrtype == dns.TypeTXT
		if count[txt] == nil {
			count[txt] = make(map[uint32]int)
		}
		count[txt][r.Header().Ttl]++
	}
	s := &f.settings
	s.ttl = most(false)
	if ttl := most(true); len(count[true]) > 0 && ttl != s.ttl {
		s.txtTTL = ttl
	}
	for _, r := range f.records {
		want := s.ttl
		if r.Header().Rrtype == dns.TypeTXT && len(count[true]) > 0 {
			want = most(true)
			if want == 0 && s.ttl != 0 {
				s.txtTTL, want = 0, s.ttl
			}
		}
		if have := r.Header().Ttl; have != want {
			f.changes(r.at, "%s: the TTL is %d, that of most records %d", show(f.name, r), have, want)
		}
	}
}

func (f *fitter) fitNameservers() {
	var names []string
	for _, r := range f.take(apex, dns.TypeNS) {
		name, err := dnsname.ParseHost(strings.TrimSuffix(r.RR.(*dns.NS).Ns, "."))
		if err != nil {
			f.differ(r.at, fmt.Sprintf("%s: %v", show(f.name, r), err))
			continue
		}
		names = append(names, string(name))
	}
	if len(names) == 0 {
		f.differ(f.soa.at, "the zone has no NS record")
		return
	}
	first := string(f.settings.soa.MName)
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(-cmp.Compare(btoi(a == first), btoi(b == first)), strings.Compare(a, b))
	})
	f.settings.nameservers = strings.Join(names, " ")
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// fitMX takes the MX RRset of the apex, and the same at www and the wildcard.
func (f *fitter) fitMX() {
	rs := f.take(apex, dns.TypeMX)
	f.mx = rs
	if len(rs) == 0 {
		f.changes(f.soa.at, "the zone has no MX record; nullspf adds MX 0 .")
	}
	var hosts []*dns.MX
	for _, r := range rs {
		mx := r.RR.(*dns.MX)
		name, err := dnsname.ParseHost(strings.TrimSuffix(mx.Mx, "."))
		null := mx.Mx == "." && mx.Preference == 0 && len(rs) == 1
		switch {
		case null:
			continue
		case err != nil || slices.ContainsFunc(hosts, func(h *dns.MX) bool { return h.Mx == string(name) }):
			f.differ(r.at, show(f.name, r)+": not a host that a group can name")
			continue
		}
		hosts = append(hosts, &dns.MX{Mx: string(name), Preference: mx.Preference})
	}
	slices.SortFunc(hosts, func(a, b *dns.MX) int {
		return cmp.Or(cmp.Compare(a.Preference, b.Preference), strings.Compare(a.Mx, b.Mx))
	})
	var texts []string
	for _, h := range hosts {
		texts = append(texts, strconv.Itoa(int(h.Preference))+" "+h.Mx)
	}
	f.settings.mx = strings.Join(texts, ",")
	f.settings.wildcardMX = f.sameMX(wildcard, rs)
}

// sameMX reports whether a name has the MX RRset of the apex, which settles it.
func (f *fitter) sameMX(owner string, rs []record) bool {
	if len(rs) == 0 || !slices.Equal(mxTexts(f.rest[rrKey{owner, dns.TypeMX}]), mxTexts(rs)) {
		return false
	}
	f.take(owner, dns.TypeMX)
	return true
}

func mxTexts(rs []record) []string {
	var texts []string
	for _, r := range rs {
		mx := r.RR.(*dns.MX)
		texts = append(texts, strconv.Itoa(int(mx.Preference))+" "+strings.ToLower(mx.Mx))
	}
	slices.Sort(texts)
	return texts
}

func (f *fitter) addressesAt(owner string) []netip.Addr {
	var list []netip.Addr
	for _, rrtype := range []uint16{dns.TypeA, dns.TypeAAAA} {
		var family []netip.Addr
		for _, r := range f.rest[rrKey{owner, rrtype}] {
			a, ok := netip.Addr{}, false
			switch rr := r.RR.(type) {
			case *dns.A:
				a, ok = netip.AddrFromSlice(rr.A.To4())
			case *dns.AAAA:
				a, ok = netip.AddrFromSlice(rr.AAAA.To16())
			}
			if ok {
				family = append(family, a)
			}
		}
		slices.SortFunc(family, netip.Addr.Compare)
		list = append(list, family...)
	}
	return list
}

// fitAddresses takes the addresses of the apex, and the same at www.
func (f *fitter) fitAddresses() {
	f.addresses = f.addressesAt(apex)
	if i := slices.IndexFunc(f.addresses, netip.Addr.Is4In6); i >= 0 {
		f.addresses = nil // no key has such an address
		return
	}
	f.take(apex, dns.TypeA)
	f.take(apex, dns.TypeAAAA)
	f.settings.addressed = len(f.addresses) > 0
	if !f.settings.addressed {
		return
	}
	if cname := f.rest[rrKey{www, dns.TypeCNAME}]; len(cname) == 1 {
		if strings.EqualFold(strings.TrimSuffix(cname[0].RR.(*dns.CNAME).Target, "."), f.name) {
			f.take(www, dns.TypeCNAME)
			f.settings.www = true
			f.changes(cname[0].at, "%s; nullspf gives www addresses, MX and SPF records of its own", show(f.name, cname[0]))
		}
		return
	}
	if !slices.Equal(f.addressesAt(www), f.addresses) {
		return
	}
	a := slices.Concat(f.take(www, dns.TypeA), f.take(www, dns.TypeAAAA))
	f.settings.www = true
	f.fitWWW(a[0].at)
}

// fitWWW takes the MX and SPF records of www, which mail and forgers need.
func (f *fitter) fitWWW(at position) {
	if len(f.rest[rrKey{www, dns.TypeMX}]) == 0 {
		f.changes(at, "www has an address and no MX record; nullspf adds that of the domain")
	} else {
		f.sameMX(www, f.mx)
	}
	if len(f.rest[rrKey{www, dns.TypeTXT}]) == 0 {
		f.changes(at, "www has an address and no SPF record; nullspf adds that of the domain")
	}
}

// text is the data of a TXT record as one text.
func text(r record) string {
	wire := make([]byte, dns.Len(r.RR)+1)
	n, err := dns.PackRR(r.RR, wire, 0, nil, false)
	if err != nil {
		return strings.Join(r.RR.(*dns.TXT).Txt, "")
	}
	_, at, err := dns.UnpackDomainName(wire[:n], 0)
	if err != nil || at+10 > n || at+10+int(binary.BigEndian.Uint16(wire[at+8:])) != n {
		return strings.Join(r.RR.(*dns.TXT).Txt, "")
	}
	var b strings.Builder
	for data := wire[at+10 : n]; len(data) > 0; {
		size := min(1+int(data[0]), len(data))
		b.Write(data[1:size])
		data = data[size:]
	}
	return b.String()
}

// isSPF is the rule of RFC 7208 section 4.5.
func isSPF(text string) bool {
	lower := strings.ToLower(text)
	return lower == "v=spf1" || strings.HasPrefix(lower, "v=spf1 ")
}

// fitTexts takes the SPF records, the texts for people and the revoked DKIM keys.
func (f *fitter) fitTexts() {
	s := &f.settings
	var texts []string
	spf, refused := "", false
	for _, r := range f.take(apex, dns.TypeTXT) {
		t := text(r)
		if isSPF(t) {
			layout, set, ok := spftrack.ParseRecord(t)
			switch {
			case spf != "":
				f.differ(r.at, show(f.name, r)+": a second SPF record")
			case !ok:
				f.differ(r.at, show(f.name, r)+": no layout has this SPF record")
				refused = true
			default:
				s.layout, s.track, s.qualifier = layout, set.Zone, set.Qualifier
			}
			spf = t
			continue
		}
		generic := strings.ReplaceAll(t, f.name, "{domain}")
		if reason := textFault(t); reason != "" || slices.Contains(texts, generic) {
			f.differ(r.at, show(f.name, r)+": "+cmp.Or(reason, "the same text twice"))
			continue
		}
		texts = append(texts, generic)
	}
	slices.Sort(texts)
	s.texts = strings.Join(texts, "\x00")
	if spf == "" {
		s.layout = spftrack.Plain
		f.changes(f.soa.at, "the zone has no SPF record; nullspf adds v=spf1 -all")
	}
	if !refused {
		f.fitSPFBelow(spf)
	}
	if rs := f.rest[rrKey{"*._domainkey", dns.TypeTXT}]; len(rs) == 1 && strings.ReplaceAll(text(rs[0]), " ", "") == "v=DKIM1;p=" {
		const revoked = "v=DKIM1; p="
		if have := text(rs[0]); have != revoked {
			f.changes(rs[0].at, "%s; nullspf writes %q", show(f.name, rs[0]), revoked)
		}
		s.dkim = true
		f.take("*._domainkey", dns.TypeTXT)
	}
}

// fitSPFBelow takes the SPF records of www and the wildcard.
func (f *fitter) fitSPFBelow(spf string) {
	s := &f.settings
	if rs := f.rest[rrKey{www, dns.TypeTXT}]; s.www && spf != "" && len(rs) == 1 && text(rs[0]) == spf {
		f.take(www, dns.TypeTXT)
	}
	rs := f.rest[rrKey{wildcard, dns.TypeTXT}]
	if len(rs) != 1 || spf == "" {
		return
	}
	below := text(rs[0])
	layout, set, ok := spftrack.ParseRecord(below)
	switch {
	case below == spf:
		s.wildcard = zones.SPFOfDomain
	case ok && (set.Zone == "" || s.track == "" || set.Zone == s.track) && (layout != spftrack.Classic || set.Qualifier == s.qualifier):
		s.wildcard = string(layout)
		if s.track == "" {
			s.track = set.Zone
		}
	default:
		return
	}
	f.take(wildcard, dns.TypeTXT)
}

// textFault says why a text cannot be one of a group.
func textFault(t string) string {
	switch {
	case t == "":
		return "the text is empty"
	case len(t) > 1024:
		return "the text has more than 1024 bytes"
	case !utf8.ValidString(t) || strings.ContainsFunc(t, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return "the text holds bytes that a configuration cannot have"
	case strings.ContainsAny(t, "{}"):
		return "the text has braces, which stand around placeholders"
	}
	return ""
}
