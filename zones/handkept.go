package zones

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"nullspf/internal/dnsname"
)

// Deviation is a difference between the records that a domain should have and
// those that a zone file or a nameserver has.
type Deviation struct {
	// Owner is the owner name at fault, without final dot.
	Owner string `json:"owner"`
	// Type is the RR type at fault.
	Type string `json:"type"`
	// Want and Have are the data of the RRset in presentation form, sorted;
	// empty when there is none, or when the rest is a rule and no record.
	Want []string `json:"want,omitempty"`
	Have []string `json:"have,omitempty"`
	// Reason says what is wrong.
	Reason string `json:"reason"`
}

// Missing reports whether records are only to be added.
func (d Deviation) Missing() bool { return len(d.Have) == 0 && len(d.Want) > 0 }

// String gives a line or some lines for people.
func (d Deviation) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s: %s", d.Owner, d.Type, d.Reason)
	for _, w := range d.Want {
		fmt.Fprintf(&b, "\n    want %s", w)
	}
	for _, h := range d.Have {
		fmt.Fprintf(&b, "\n    have %s", h)
	}
	return b.String()
}

// HandKept is a zone that people keep by hand. Its file is read and never
// written.
type HandKept struct {
	Name dnsname.Name
	// File is the path of the zone file.
	File string
	// Directory is where relative paths after $INCLUDE start, as after BIND's
	// option directory; "" means the directory of File.
	Directory string
	// Group has the records that the zone should hold.
	Group *Group
}

// Check reads the zone file, its $INCLUDEs too, and returns which of the group's
// records for domains without mail the zone lacks or contradicts, which owner
// names with an address lack an MX or SPF record of their own, and what else
// allows mail. Delegated names are left out. TTLs and other records are the
// operator's.
func (z *HandKept) Check() ([]Deviation, error) {
	g, name := z.Group, string(z.Name)
	have := make(rrsets)
	if err := z.read(&handKeptFiles{}, have.add); err != nil {
		return nil, err
	}
	have.withoutDelegated(name)
	// Both what a domain has today and what was typed as the texts of an
	// include file is right.
	want, err := g.mailRRsets(name, name)
	if err != nil {
		return nil, err
	}
	included, err := g.mailRRsets(name, thisDomain)
	if err != nil {
		return nil, err
	}
	var ds []Deviation
	for _, k := range want.sortedKeys() {
		if d, ok := k.compare(want[k], have[k]); !ok {
			if _, same := k.compare(included[k], have[k]); !same {
				ds = append(ds, d)
			}
		}
	}
	ds = append(ds, have.opened(name, dmarcPolicy(g.DMARC), want)...)
	return append(ds, have.unprotected(name, want)...), nil
}

// mailRRsets gives the records that Check looks for.
func (g *Group) mailRRsets(name, inTexts string) (rrsets, error) {
	var b strings.Builder
	for _, r := range g.mailRecords(g.Mail, g.SPF) {
		data := r.data
		if r.rrtype == "TXT" {
			data = string(appendStrings(nil, strings.Split(strings.ReplaceAll(data, "{group}", g.Name), "{domain}"), inTexts))
		}
		fmt.Fprintf(&b, "%s 0 IN %s %s\n", r.owner, r.rrtype, data)
	}
	rrs, err := parseZone(strings.NewReader(b.String()), name, g.Name)
	if err != nil {
		return nil, err
	}
	sets := make(rrsets)
	for _, rr := range rrs {
		sets.add(rr)
	}
	return sets, nil
}

// rrsets holds the data of RRsets in presentation form.
type rrsets map[rrsetKey][]string

type rrsetKey struct {
	owner  string // lower case, no final dot
	rrtype uint16
}

func (s rrsets) add(rr dns.RR) {
	k := rrsetKey{strings.TrimSuffix(strings.ToLower(rr.Header().Name), "."), rr.Header().Rrtype}
	s[k] = append(s[k], rrData(rr))
}

// rrData gives RDATA in a form fit for comparison: TXT as one string, names in
// lower case.
func rrData(rr dns.RR) string {
	if txt, ok := rr.(*dns.TXT); ok {
		return strings.Join(txt.Txt, "")
	}
	return strings.ToLower(strings.TrimPrefix(rr.String(), rr.Header().String()))
}

func (s rrsets) sortedKeys() []rrsetKey {
	keys := make([]rrsetKey, 0, len(s))
	for k := range s {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b rrsetKey) int { return cmp.Or(cmp.Compare(a.owner, b.owner), cmp.Compare(a.rrtype, b.rrtype)) })
	return keys
}

// compare holds an RRset against the wanted one. TXT RRsets may hold more than
// what is wanted, but one SPF record only and no other DMARC record.
func (k rrsetKey) compare(want, have []string) (Deviation, bool) {
	slices.Sort(want)
	slices.Sort(have)
	d := Deviation{Owner: k.owner, Type: dns.TypeToString[k.rrtype], Want: want, Have: have}
	if k.rrtype != dns.TypeTXT {
		d.Reason = "differs in the zone"
		if len(have) == 0 {
			d.Reason = "missing in the zone"
		}
		return d, slices.Equal(want, have)
	}
	for _, policy := range []func(string) bool{isSPF, isDMARC} {
		w, h := filter(want, policy), filter(have, policy)
		if len(w) > 0 && len(h) > 0 && !slices.Equal(w, h) {
			d.Want, d.Have, d.Reason = w, h, "differs in the zone"
			return d, false
		}
	}
	d.Want = filter(want, func(w string) bool { return !slices.Contains(have, w) })
	d.Have, d.Reason = nil, "missing in the zone"
	return d, len(d.Want) == 0
}

func isDMARC(text string) bool { return strings.HasPrefix(text, "v=DMARC1") }

func filter(list []string, keep func(string) bool) []string {
	var kept []string
	for _, s := range list {
		if keep(s) {
			kept = append(kept, s)
		}
	}
	return kept
}

// unprotected returns the owner names with an address, but without an MX or
// SPF record: mail to them falls back to the address (RFC 5321 section 5.1),
// and mail from them is never refused. Names in want are reported elsewhere.
func (s rrsets) unprotected(zone string, want rrsets) []Deviation {
	var ds []Deviation
	done := make(map[string]bool)
	for _, k := range s.sortedKeys() {
		if k.rrtype != dns.TypeA && k.rrtype != dns.TypeAAAA || done[k.owner] {
			continue
		}
		done[k.owner] = true
		if mx := (rrsetKey{k.owner, dns.TypeMX}); len(s[mx]) == 0 && len(want[mx]) == 0 {
			ds = append(ds, Deviation{Owner: k.owner, Type: "MX", Reason: "the name has an address, so it needs an MX record of its own: mail falls back to the address otherwise"})
		}
		if txt := (rrsetKey{k.owner, dns.TypeTXT}); len(filter(s[txt], isSPF)) == 0 && len(filter(want[txt], isSPF)) == 0 {
			ds = append(ds, Deviation{Owner: k.owner, Type: "TXT", Reason: "the name has an address, so it needs an SPF record of its own: v=spf1 -all"})
		}
	}
	return ds
}
