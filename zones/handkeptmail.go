package zones

import (
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// withoutDelegated removes what is at a zone cut or below it: other zones answer
// there, but for the NS records themselves.
func (s rrsets) withoutDelegated(zone string) {
	cut := func(owner string) bool {
		for name := owner; len(name) > len(zone); {
			if len(s[rrsetKey{name, dns.TypeNS}]) > 0 {
				return true
			}
			_, name, _ = strings.Cut(name, ".")
		}
		return false
	}
	for k := range s {
		if k.rrtype != dns.TypeNS && cut(k.owner) {
			delete(s, k)
		}
	}
}

// opened returns what allows mail from a zone, or names below it, although its
// other records say that there is none. policy is the DMARC policy of the zone.
// SPF records at the owner names of want are compared elsewhere.
func (s rrsets) opened(zone, policy string, want rrsets) []Deviation {
	var ds []Deviation
	for _, k := range s.sortedKeys() {
		d := Deviation{Owner: k.owner, Type: dns.TypeToString[k.rrtype]}
		add := func(have []string, reason string) {
			d.Have, d.Reason = have, reason
			ds = append(ds, d)
		}
		selector := strings.Contains(k.owner, "._domainkey.")
		switch {
		case selector && k.rrtype == dns.TypeCNAME:
			add(s[k], "a DKIM key may be published at the target; remove the record")
		case k.rrtype != dns.TypeTXT:
		case selector:
			if live := filter(s[k], isLiveKey); len(live) > 0 {
				add(live, "mail signed with this DKIM key passes; remove the record, or revoke the key: "+dkimRevoked)
			}
		default:
			spf := filter(s[k], isSPF)
			if len(want[k]) > 0 {
				spf = nil
			}
			if len(spf) > 1 {
				add(spf, "two SPF records make every check a PermError (RFC 7208 section 4.5); keep one")
			} else if open := filter(spf, passesAll); len(open) > 0 {
				add(open, "this SPF record lets every host send mail; write v=spf1 -all")
			}
			if weak := filter(s[k], func(text string) bool { return isDMARC(text) && weaker(dmarcPolicy(text), policy) }); len(weak) > 0 &&
				strings.HasPrefix(k.owner, ownerDMARC+".") && k.owner != ownerDMARC+"."+zone {
				add(weak, "this DMARC policy is weaker than that of the zone, p="+policy+"; remove the record")
			}
		}
	}
	return ds
}

// isLiveKey tells a DKIM key that is not revoked (RFC 6376 section 3.6.1). Its
// tag v may be missing.
func isLiveKey(text string) bool { return tag(text, "p") != "" }

// passesAll reports whether an SPF record ends in all or +all.
func passesAll(text string) bool {
	return slices.ContainsFunc(strings.Fields(strings.ToLower(text)), func(term string) bool { return term == "all" || term == "+all" })
}

func dmarcPolicy(text string) string { return strings.ToLower(tag(text, "p")) }

// weaker compares DMARC policies; an unknown one is as weak as none.
func weaker(a, b string) bool {
	policies := []string{"quarantine", "reject"}
	return slices.Index(policies, a) < slices.Index(policies, b)
}

// tag returns a value of a list of tags (RFC 6376 section 3.2), without blanks.
func tag(text, name string) string {
	for part := range strings.SplitSeq(text, ";") {
		key, value, _ := strings.Cut(part, "=")
		if strings.TrimSpace(key) == name {
			return strings.Join(strings.Fields(value), "")
		}
	}
	return ""
}
