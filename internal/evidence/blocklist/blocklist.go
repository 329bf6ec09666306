// Package blocklist writes lists of addresses in the forms that other programs read.
//
// An entry is an IPv4 address or the /64 of an IPv6 address; entries are in order,
// none twice, so that none overlaps another. The same list gives the same text. Each
// format has its own spelling of an address, and a reason where its program keeps that
// apart from the address.
package blocklist

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"

	"nullspf/internal/evidence/tier"
)

// Entry is an address on a list.
type Entry struct {
	// Prefix is a single IPv4 address or a /64 of IPv6.
	Prefix netip.Prefix
	Tier   tier.Tier
	// First, Last and Expires are whole clock hours in UTC.
	First, Last, Expires time.Time
	// Queries, Networks, Domains, Hours, Sessions and Reporters are how many of each
	// count; see tier.Evidence.
	Queries                  uint64
	Networks, Domains, Hours int
	Sessions                 uint64
	Reporters                int
	// Names are some of the domains.
	Names []string
}

// NewEntry makes an entry of evidence that counts for a time.
func NewEntry(e *tier.Evidence, expiry time.Duration) Entry {
	entry := Entry{
		Prefix: e.Subject, Tier: e.Tier, First: e.First, Last: e.Last, Expires: e.Expires(expiry),
		Queries: e.Queries, Networks: e.NetworkCount, Domains: e.DomainCount, Hours: e.Hours,
		Sessions: e.Knocks, Reporters: e.ReporterCount,
	}
	for _, d := range e.Domains {
		entry.Names = append(entry.Names, d.Name)
	}
	return entry
}

// address is the usual spelling: 203.0.113.7, 2001:db8:7::/64.
func (e *Entry) address() string {
	if e.Prefix.IsSingleIP() {
		return e.Prefix.Addr().String()
	}
	return e.Prefix.String()
}

// maxNames is how long the names in a reason may be together, so that the whole fits into
// a comment of nftables, which has 128 bytes.
const maxNames = 84

// Reason says for people why the address is listed: a line of ASCII without quotes,
// dollars and backslashes, of at most 128 bytes.
func (e *Entry) Reason() string {
	var names strings.Builder
	named := 0
	for _, name := range e.Names {
		if !isPlain(name) || names.Len()+len(name)+2 > maxNames {
			continue
		}
		if named > 0 {
			names.WriteString(", ")
		}
		names.WriteString(name)
		named++
	}
	rest := ""
	switch {
	case named == 0:
		rest = fmt.Sprintf("%d domains", e.Domains)
	case e.Domains > named:
		rest = fmt.Sprintf(" and %d more", e.Domains-named)
	}
	return fmt.Sprintf("forged %s%s, last %s", &names, rest, e.Last.UTC().Format(time.DateOnly))
}

// isPlain reports whether a domain name can stand in a reason of any format.
func isPlain(name string) bool {
	return name != "" && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-._") == ""
}

// List is a list to be written.
type List struct {
	Tier tier.Tier
	// At is the time of the list.
	At time.Time
	// Entries are in order, IPv4 first.
	Entries []Entry
	// Nameservers and RName make the SOA and NS records of zones; names without
	// final dot. RName is the mailbox as a name.
	Nameservers []string
	RName       string
}

// left is how long an entry is valid from the time of the list on, at least a second.
func (l *List) left(e *Entry) time.Duration {
	return max(e.Expires.Sub(l.At).Truncate(time.Second), time.Second)
}

// Format is a form of a list.
type Format struct {
	// Name is that of the option.
	Name string
	// About says which program reads it, for help texts.
	About string
	write func(w *bufio.Writer, l *List)
	// key is the spelling of an entry's address, "" for one that the format leaves
	// out. It stands in the text between blanks, quotes or commas.
	key func(e *Entry) string
}

// Formats lists the formats in the order of help texts.
var Formats = []*Format{
	{"rbldnsd-ip4trie", "IPv4 addresses for a data set ip4trie of rbldnsd", writeIP4Trie, only4},
	{"rbldnsd-ip6trie", "IPv6 networks for a data set ip6trie of rbldnsd", writeIP6Trie, only6},
	{"dnsbl", "a zone of a DNS block list (RFC 5782) for any nameserver", writeDNSBL, dnsblKey},
	{"rpz", "a response policy zone for BIND, Unbound, PowerDNS Recursor", writeRPZ, rpzKey},
	{"sendmail", "an access table of sendmail, for makemap", writeSendmail, sendmailKey},
	{"postfix", "a table of type cidr of Postfix", writePostfix, (*Entry).address},
	{"nftables", "sets of nftables", writeNftables, (*Entry).address},
	{"ipset", "sets of ipset, for ipset restore", writeIPSet, (*Entry).address},
	{"haproxy", "a map of HAProxy", writeHAProxy, (*Entry).address},
	{"rspamd", "a map of type ip of rspamd", writeRspamd, (*Entry).address},
	{"csv", "everything about each entry, as CSV", writeCSV, (*Entry).address},
	{"json", "the same as JSON, also for dnsbl of nullspfd", writeJSON, (*Entry).address},
	{"stix", "indicators of STIX 2.1", writeSTIX, (*Entry).address},
}

// ParseFormat returns the format called name.
func ParseFormat(name string) (*Format, error) {
	for _, f := range Formats {
		if f.Name == name {
			return f, nil
		}
	}
	return nil, fmt.Errorf("no format %q; there are %s", name, FormatNames())
}

// FormatNames lists the formats with commas between.
func FormatNames() string {
	var names []string
	for _, f := range Formats {
		names = append(names, f.Name)
	}
	return strings.Join(names, ", ")
}

// Bytes returns the list in a format, and how many entries it has.
func (f *Format) Bytes(l *List) (text []byte, entries int) {
	var b bytes.Buffer
	w := bufio.NewWriter(&b)
	f.write(w, l)
	_ = w.Flush() // into memory
	for i := range l.Entries {
		if f.key(&l.Entries[i]) != "" {
			entries++
		}
	}
	return b.Bytes(), entries
}

// Growth is how many entries of a list an earlier text in the same format lacks. The
// error is that of reading.
func (f *Format) Growth(earlier io.Reader, l *List) (int, error) {
	missing := make(map[string]bool)
	for i := range l.Entries {
		if key := f.key(&l.Entries[i]); key != "" {
			missing[key] = true
		}
	}
	words := bufio.NewScanner(earlier)
	words.Buffer(nil, 1<<20)
	words.Split(splitKeys)
	for words.Scan() {
		delete(missing, string(words.Bytes()))
	}
	return len(missing), words.Err()
}

// splitKeys splits a text where a key may begin or end.
func splitKeys(data []byte, atEOF bool) (advance int, token []byte, err error) {
	const between = " \t\r\n,;\"'"
	start := 0
	for start < len(data) && strings.IndexByte(between, data[start]) >= 0 {
		start++
	}
	if i := bytes.IndexAny(data[start:], between); i >= 0 {
		return start + i + 1, data[start : start+i], nil
	}
	if atEOF && start < len(data) {
		return len(data), data[start:], nil
	}
	return start, nil, nil
}

func only4(e *Entry) string {
	if e.Prefix.Addr().Is4() {
		return e.address()
	}
	return ""
}

func only6(e *Entry) string {
	if e.Prefix.Addr().Is4() {
		return ""
	}
	return e.address()
}
