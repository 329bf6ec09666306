package zones

import (
	"net/netip"
	"strconv"
	"strings"

	"nullspf/internal/dnsname"
)

// record is one resource record of a template, before name and serial number
// are filled in.
type record struct {
	// owner is relative to the zone: "@" is the apex.
	owner string
	// rrtype is the mnemonic: "MX".
	rrtype string
	// data is RDATA in presentation form with absolute names. For TXT it is
	// the plain text, neither quoted nor split, with its placeholders.
	data string
}

// The owner names below the apex.
const (
	ownerApex     = "@"
	ownerWWW      = "www"
	ownerWildcard = "*"
	ownerDKIM     = "*._domainkey"
	ownerDMARC    = "_dmarc"
)

const dkimRevoked = "v=DKIM1; p="

// mailRecords gives the records that tell receivers that a domain sends no
// mail, at the apex and below: all that a hand-kept zone includes.
func (g *Group) mailRecords(mail MailMode, layout string) []record {
	mx := mxRecords(ownerApex, g.MX[mail])
	rs := mx
	spf := g.SPFRecords[layout]
	if spf != "" {
		rs = append(rs, record{ownerApex, "TXT", spf})
	}
	for _, text := range g.TXT {
		rs = append(rs, record{ownerApex, "TXT", text})
	}
	if g.WildcardMX {
		rs = append(rs, mxRecords(ownerWildcard, g.MX[mail])...)
	}
	if spf := g.wildcardSPF(layout); spf != "" {
		rs = append(rs, record{ownerWildcard, "TXT", spf})
	}
	if g.DKIM {
		rs = append(rs, record{ownerDKIM, "TXT", dkimRevoked})
	}
	if g.DMARC != "" {
		rs = append(rs, record{ownerDMARC, "TXT", g.DMARC})
	}
	return rs
}

// wildcardSPF is the record of names below a domain that has this layout, ""
// for none.
func (g *Group) wildcardSPF(layout string) string {
	if g.WildcardSPF == SPFOfDomain {
		return g.SPFRecords[layout]
	}
	return g.SPFRecords[g.WildcardSPF]
}

// zoneRecords gives all records of a zone but its SOA.
func (g *Group) zoneRecords(mail MailMode, layout string, addresses []netip.Addr) []record {
	var rs []record
	for _, ns := range g.Nameservers {
		rs = append(rs, record{ownerApex, "NS", string(ns) + "."})
	}
	rs = append(rs, addressRecords(ownerApex, addresses)...)
	mailRecords := g.mailRecords(mail, layout)
	if !g.WWW || len(addresses) == 0 {
		return append(rs, mailRecords...)
	}
	// Without an MX and SPF record of its own, www would take mail at its
	// address (RFC 5321 section 5.1) and be forged without a Fail.
	below := 0
	for below < len(mailRecords) && mailRecords[below].owner == ownerApex {
		below++
	}
	rs = append(rs, mailRecords[:below]...)
	rs = append(rs, addressRecords(ownerWWW, addresses)...)
	rs = append(rs, mxRecords(ownerWWW, g.MX[mail])...)
	if spf := g.SPFRecords[layout]; spf != "" {
		rs = append(rs, record{ownerWWW, "TXT", spf})
	}
	return append(rs, mailRecords[below:]...)
}

func (g *Group) addresses() []netip.Addr {
	return append(append([]netip.Addr(nil), g.A...), g.AAAA...)
}

// soaData is the RDATA of the SOA before and after the serial number.
func (g *Group) soaData() (before, after string) {
	var b strings.Builder
	for _, d := range []int64{
		int64(g.SOA.Refresh.Seconds()), int64(g.SOA.Retry.Seconds()),
		int64(g.SOA.Expire.Seconds()), int64(g.SOA.Minimum.Seconds()),
	} {
		b.WriteByte(' ')
		b.WriteString(strconv.FormatInt(d, 10))
	}
	return string(g.SOA.MName) + ". " + string(g.SOA.RName) + ". ", b.String()
}

// ttl returns the TTL of records of a type, in seconds.
func (g *Group) ttl(rrtype string) int64 {
	if rrtype == "TXT" && g.TXTTTL > 0 {
		return int64(g.TXTTTL.Seconds())
	}
	return int64(g.TTL.Seconds())
}

func mxRecords(owner string, mx []MX) []record {
	rs := make([]record, 0, len(mx)+4)
	for _, m := range mx {
		rs = append(rs, record{owner, "MX", strconv.Itoa(int(m.Preference)) + " " + string(m.Host) + "."})
	}
	return rs
}

// addressRecords gives the A records, then the AAAA records.
func addressRecords(owner string, addresses []netip.Addr) []record {
	var a, aaaa []record
	for _, addr := range addresses {
		if addr.Is4() {
			a = append(a, record{owner, "A", addr.String()})
		} else {
			aaaa = append(aaaa, record{owner, "AAAA", addr.String()})
		}
	}
	return append(a, aaaa...)
}

// longestOwner is the longest owner name that the group adds in front of a
// domain, with its dot, in bytes.
func (g *Group) longestOwner() int {
	n := 0
	if g.WWW {
		n = len(ownerWWW) + 1
	}
	if g.DMARC != "" {
		n = len(ownerDMARC) + 1
	}
	if g.DKIM {
		n = len(ownerDKIM) + 1
	}
	return n
}

// checkLength refuses a name that leaves no room for the names below it.
func (g *Group) checkLength(name dnsname.Name) error {
	if n := len(name) + g.longestOwner(); n > dnsname.Max {
		return &dnsname.Error{Reason: "the name has " + strconv.Itoa(len(name)) + " bytes; with the names that its zone holds it may have " +
			strconv.Itoa(dnsname.Max-g.longestOwner())}
	}
	return nil
}
