package verify

import (
	"crypto/rand"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/miekg/dns"

	"nullspf/zones"
)

// plan has the queries for each zone, and what the answers should be.
//
// Zones with the same group, mail mode and SPF layout have the same records
// but for their names (and addresses, which are not queried). So the records
// are made once, for a placeholder that occurs nowhere else, which is then replaced
// by the name of the zone.
type plan struct {
	set         *zones.Set
	placeholder string

	mu       sync.Mutex
	variants map[variant][]item
}

type variant struct {
	group     *zones.Group
	mail      zones.MailMode
	spf       string
	addresses bool // of its own, which may bring www where the group has none
}

// item is one query about a zone and its answer.
type item struct {
	check string
	// below precedes the zone in the owner name: "", "www.".
	below  string
	rrtype uint16
	// want is the wanted RRset's data as rdata gives them, sorted; nil for the
	// SOA.
	want []string
	// named is set when the placeholder occurs in want.
	named bool
}

// asked are the queries about a zone whose answers can be planned. The first is
// for the SOA.
var asked = []item{
	{check: CheckServed, rrtype: dns.TypeSOA},
	{check: CheckNS, rrtype: dns.TypeNS},
	{check: CheckMX, rrtype: dns.TypeMX},
	{check: CheckMX, below: "www.", rrtype: dns.TypeMX},
	{check: CheckSPF, rrtype: dns.TypeTXT},
	{check: CheckSPF, below: "www.", rrtype: dns.TypeTXT},
	{check: CheckDMARC, below: "_dmarc.", rrtype: dns.TypeTXT},
}

func newPlan(set *zones.Set) *plan {
	return &plan{
		set:         set,
		placeholder: strings.ToLower(rand.Text()) + ".invalid",
		variants:    make(map[variant][]item),
	}
}

// of returns the queries about a zone, that for the SOA first. The caller must not
// change them.
func (p *plan) of(e *zones.Entry) ([]item, error) {
	v := variant{
		group: p.set.Group(e), mail: p.set.Mail(e), spf: p.set.SPF(e),
		addresses: e.Override != nil && len(e.Override.Addresses) > 0,
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if items, ok := p.variants[v]; ok {
		return items, nil
	}
	rrs, err := p.set.Template(e).Records(p.placeholder, 1)
	if err != nil {
		return nil, fmt.Errorf("the planned records of %s: %w", e.Name, err)
	}
	items, err := p.items(rrs)
	if err != nil {
		return nil, fmt.Errorf("the planned records of %s: %w", e.Name, err)
	}
	p.variants[v] = items
	return items, nil
}

// items selects the queries to which the records are the answers.
func (p *plan) items(rrs []dns.RR) ([]item, error) {
	var items []item
	for _, it := range asked {
		for _, rr := range rrs {
			h := rr.Header()
			if h.Rrtype != it.rrtype || h.Name != it.below+p.placeholder+"." || it.rrtype == dns.TypeSOA {
				continue
			}
			sent, err := asSent(rr)
			if err != nil {
				return nil, err
			}
			it.want = append(it.want, rdata(sent))
		}
		it.want = it.relevant(it.want)
		slices.Sort(it.want)
		it.named = slices.ContainsFunc(it.want, func(s string) bool { return strings.Contains(s, p.placeholder) })
		if len(it.want) > 0 || it.rrtype == dns.TypeSOA {
			items = append(items, it)
		}
	}
	return items, nil
}

// wanted returns the data that an RRset of the zone should have, sorted.
func (p *plan) wanted(it *item, zone string) []string {
	if !it.named {
		return it.want
	}
	want := make([]string, len(it.want))
	for i, w := range it.want {
		want[i] = strings.ReplaceAll(w, p.placeholder, zone)
	}
	slices.Sort(want)
	return want
}

// relevant returns those data of an RRset that the item is about: of the texts
// at a name the SPF records (RFC 7208 section 4.5), else all.
func (it *item) relevant(data []string) []string {
	if it.check != CheckSPF {
		return data
	}
	return slices.DeleteFunc(data, func(s string) bool {
		version, _, _ := strings.Cut(s, " ")
		return !strings.EqualFold(version, "v=spf1")
	})
}

// show gives an RRset's data for a [Finding].
func (it *item) show(data []string) string {
	if it.rrtype != dns.TypeTXT {
		return strings.Join(data, ", ")
	}
	quoted := make([]string, len(data))
	for i, s := range data {
		quoted[i] = `"` + s + `"`
	}
	return strings.Join(quoted, ", ")
}

// asSent gives a record the escapes that one has that comes from the network.
func asSent(rr dns.RR) (dns.RR, error) {
	wire := make([]byte, dns.MaxMsgSize)
	n, err := dns.PackRR(rr, wire, 0, nil, false)
	if err != nil {
		return nil, err
	}
	sent, _, err := dns.UnpackRR(wire[:n], 0)
	return sent, err
}

// rdata gives the data of a record in a form fit for comparison: names in
// lower case, TXT as one text with the escapes of presentation form.
func rdata(rr dns.RR) string {
	h := rr.Header()
	if h.Rdlength == 0 {
		return `\# 0` // RFC 3597 section 5
	}
	switch rr := rr.(type) {
	case *dns.NS:
		return strings.ToLower(rr.Ns)
	case *dns.MX:
		return strconv.Itoa(int(rr.Preference)) + " " + strings.ToLower(rr.Mx)
	case *dns.TXT:
		return strings.Join(rr.Txt, "")
	}
	return dns.TypeToString[h.Rrtype] + " " + strings.TrimPrefix(rr.String(), h.String())
}
