package zones

import (
	"net/netip"
	"time"

	"nullspf/internal/dnsname"
)

// MailMode says what a domain's MX RRset promises.
type MailMode string

// The mail modes. They exclude each other: a null MX beside a live host is
// forbidden by RFC 7505 section 3.
const (
	// NullMX publishes "MX 0 ." (RFC 7505): the domain accepts no mail.
	NullMX MailMode = "nullmx"
	// Postmaster publishes live hosts, which accept mail for postmaster
	// (RFC 5321 section 4.5.1) and refuse the rest.
	Postmaster MailMode = "postmaster"
	// Nolisting publishes live hosts among dead or always deferring ones.
	Nolisting MailMode = "nolisting"
)

// MailModes lists the modes in the order in which messages name them.
var MailModes = []MailMode{NullMX, Postmaster, Nolisting}

// MX is the data of one MX record.
type MX struct {
	// Host is "" for the root of a null MX.
	Host dnsname.Name
	// Preference: the lowest is tried first (RFC 5321 section 5.1).
	Preference uint16
}

// SOA is the part of a start of authority that all zones of a set share.
// The serial number belongs to each zone.
type SOA struct {
	// MName is the primary.
	MName dnsname.Name
	// RName is the mailbox of the person in charge.
	RName dnsname.Mailbox
	// Whole seconds.
	Refresh, Retry, Expire, Minimum time.Duration
}

// SPFOfDomain is the layout, for names below a domain, that the domain itself
// has.
const SPFOfDomain = "domain"

// Group holds what every domain of one list gets. All texts in it may hold the
// placeholders {domain} and {group}.
type Group struct {
	Name string
	// Lists are in the order of the configuration.
	Lists []List

	SOA         SOA
	Nameservers []dnsname.Name
	// TTL of every record, whole seconds.
	TTL time.Duration
	// TXTTTL is the TTL of TXT records, whole seconds; 0 means TTL.
	TXTTTL time.Duration

	A    []netip.Addr
	AAAA []netip.Addr
	// WWW gives "www" the addresses of the apex, with an MX and SPF record of
	// its own.
	WWW bool

	// Mail is the mode of domains that no list line overrides.
	Mail MailMode
	// MX holds the RRset of each mode that the configuration makes possible.
	MX map[MailMode][]MX

	// SPF is the layout of domains that no list line overrides.
	SPF string
	// SPFRecords holds the record text of each layout that the configuration
	// makes possible, by the layout's name. The text "" publishes none.
	SPFRecords map[string]string

	// TXT are the human-readable lines.
	TXT []string
	// DMARC is the text of the _dmarc record; "" publishes none.
	DMARC string
	// DMARCReportDomains are the domains outside of the published ones to
	// which DMARC reports go, for the authorisation records of RFC 9990
	// ("Verifying External Destinations").
	DMARCReportDomains []dnsname.Name
	// DKIM publishes the empty key "v=DKIM1; p=" at *._domainkey
	// (RFC 6376 section 3.6.1: every key is revoked).
	DKIM bool
	// WildcardSPF is the layout of every other name below the apex: one of
	// SPFRecords, or SPFOfDomain; "" publishes none.
	WildcardSPF string
	// WildcardMX publishes the MX RRset of the apex for every other name below
	// it.
	WildcardMX bool

	// AllowPublicSuffix and AllowSingleLabel accept such names in the lists.
	AllowPublicSuffix bool
	// AllowEmpty accepts lists without a domain: the last one is unpublished.
	AllowEmpty bool
	// AllowIDNA2003 accepts names that IDNA2008 refuses, emoji for one.
	AllowIDNA2003    bool
	AllowSingleLabel bool
}

// Override is what a CSV line says about its domain instead of the group.
// Zero fields override nothing.
type Override struct {
	Mail MailMode
	SPF  string
	// Addresses replace the group's A and AAAA.
	Addresses []netip.Addr
}
