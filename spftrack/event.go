package spftrack

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Kind says what a query, or another observation, was. The numbers are
// stored in journals.
type Kind uint8

// The kinds of event.
const (
	// KindOther is a query that no check asks, such as for the apex.
	KindOther Kind = 0
	// KindExists is a whole exists: name of the layouts Track and Exists.
	KindExists Kind = 1
	// KindExp is a whole exp= name of the layouts Beacon and Track.
	KindExp Kind = 2
	// KindClassic is a whole exists: name of the layout Classic.
	KindClassic Kind = 3
	// KindMinimised is the right part of a name, which a resolver asks for on
	// its way to the whole one (QNAME minimisation, RFC 9156).
	KindMinimised Kind = 4
	// KindSMTP is a session at the SMTP listener; no query at all.
	KindSMTP Kind = 5
	// KindDMARC is a record of a DMARC aggregate report (RFC 9990), which was imported.
	KindDMARC Kind = 6
	// KindRefusal is a refusal that a mail server has logged, which was imported.
	KindRefusal Kind = 7
)

// Kinds lists the kinds in the order in which help texts name them.
var Kinds = []Kind{KindExists, KindExp, KindClassic, KindSMTP, KindDMARC, KindRefusal, KindMinimised, KindOther}

var kindNames = []string{"other", "exists", "exp", "classic", "minimised", "smtp", "dmarc", "refusal"}

// String returns the name of the kind, such as "exists".
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind%d", uint8(k))
}

// ParseKind returns the kind called s, in lower case.
func ParseKind(s string) (Kind, error) {
	if i := slices.Index(kindNames, s); i >= 0 {
		return Kind(i), nil
	}
	return 0, fmt.Errorf("unknown kind %q: use one of %s", s, strings.Join(kindNames, ", "))
}

// MarshalText gives [Kind.String].
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText is [ParseKind].
func (k *Kind) UnmarshalText(text []byte) (err error) {
	*k, err = ParseKind(string(text))
	return err
}

// Flags is a set of remarks about an event. The bits are stored in journals.
type Flags uint8

// The flags.
const (
	// FlagTruncated: a receiver cut, or may have cut, labels from the left of
	// the name (RFC 7208 section 7.3), so the field that stands leftmost may
	// be incomplete and what stood further left is missing.
	FlagTruncated Flags = 1 << 0
	// FlagUnparsed: the name has the form of no layout; only the raw name
	// tells anything. The parser sets it with KindOther and empty fields.
	FlagUnparsed Flags = 1 << 1
	// FlagRetry: the query belongs to an attempt that another event already
	// counts, as repeated queries and AAAA twins do. A parser sees one name
	// and never sets it.
	FlagRetry Flags = 1 << 2
	// FlagAmbiguous: the name can be split in several ways, because a field
	// holds layout words; the fields are the likeliest reading.
	FlagAmbiguous Flags = 1 << 3
	// FlagUnexpanded: the name holds macros of the record as they stand there,
	// which some software does not expand; FlagUnparsed is set too.
	FlagUnexpanded Flags = 1 << 4
	// FlagHELOCheck: the query belongs to a check of HELO (RFC 7208 section
	// 2.3) of a message whose MAIL FROM was checked as well, and counts there;
	// FlagRetry is set too. A parser never sets it.
	FlagHELOCheck Flags = 1 << 5
	// FlagExists: the query is an exp= query that stands for an attempt to which
	// an exists: query belongs as well; that one has FlagRetry. A parser never
	// sets it.
	FlagExists Flags = 1 << 6
)

var flagNames = []string{"truncated", "unparsed", "retry", "ambiguous", "unexpanded", "helo", "exists"}

// String returns the names of the flags with commas between, "" for none.
func (f Flags) String() string {
	var names []string
	for i, name := range flagNames {
		if f&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	if rest := f >> len(flagNames) << len(flagNames); rest != 0 {
		names = append(names, fmt.Sprintf("0x%02x", uint8(rest)))
	}
	return strings.Join(names, ",")
}

// ParseFlags reads what [Flags.String] writes of the flags above.
func ParseFlags(s string) (Flags, error) {
	var f Flags
	if s == "" {
		return 0, nil
	}
	for name := range strings.SplitSeq(s, ",") {
		i := slices.Index(flagNames, name)
		if i < 0 {
			return 0, fmt.Errorf("unknown flag %q: use some of %s", name, strings.Join(flagNames, ","))
		}
		f |= 1 << i
	}
	return f, nil
}

// MarshalText gives [Flags.String].
func (f Flags) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalText is [ParseFlags].
func (f *Flags) UnmarshalText(text []byte) (err error) {
	*f, err = ParseFlags(string(text))
	return err
}

// Transport is the way on which an event arrived. The numbers are stored in
// journals.
type Transport uint8

// The transports.
const (
	TransportUDP Transport = 0
	TransportTCP Transport = 1
)

var transportNames = []string{"udp", "tcp"}

// String returns "udp" or "tcp".
func (t Transport) String() string {
	if int(t) < len(transportNames) {
		return transportNames[t]
	}
	return fmt.Sprintf("transport%d", uint8(t))
}

// ParseTransport returns the transport called s, in lower case.
func ParseTransport(s string) (Transport, error) {
	if i := slices.Index(transportNames, s); i >= 0 {
		return Transport(i), nil
	}
	return 0, fmt.Errorf("unknown transport %q: use udp or tcp", s)
}

// MarshalText gives [Transport.String].
func (t Transport) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText is [ParseTransport].
func (t *Transport) UnmarshalText(text []byte) (err error) {
	*t, err = ParseTransport(string(text))
	return err
}

// Parsed is what a query name tells. All texts are lower case and hold raw
// bytes that a stranger chose; "" is unknown or empty. They share one piece
// of memory.
type Parsed struct {
	Kind Kind
	// ClientIP is the SMTP client that the receiver claims to have seen, never
	// IPv4-mapped; the zero Addr when unknown.
	ClientIP netip.Addr
	// SenderLocal is the local part of MAIL FROM. The null reverse-path
	// arrives as "postmaster" (RFC 7208 section 2.4).
	SenderLocal string
	// SenderDomain is the domain of MAIL FROM, no final dot. The names of
	// Track, Exists and Beacon carry the checked domain only, so there it equals
	// Forged; that is the sender's domain, or the HELO name of a null
	// reverse-path, unless a foreign record includes or redirects to ours.
	SenderDomain string
	// Forged is the domain that was claimed without right, no final dot: the
	// checked domain (Track, Exists, Beacon) or the sender's (Classic).
	Forged string
	// HELO is the argument of HELO or EHLO: a name, an address literal such as
	// "[192.0.2.1]", or anything else.
	HELO  string
	Flags Flags
}

// Event is one observation: of a tracking server, or of others who have reported it.
type Event struct {
	// Seq numbers the events of one server, upwards from 1, with gaps where
	// events were lost.
	Seq uint64
	// Time is nanoseconds since 1970-01-01 UTC, by the server's clock; for KindDMARC, the
	// begin of the report's range.
	Time int64
	// Server is the identity of the server, as its operator chose it; of what was
	// imported, that of the journal.
	Server string
	// Zone is the tracking zone, lower case, no final dot.
	Zone string
	// Parsed is what the raw name tells.
	Parsed
	// Resolver is the address and port from which the query came, never
	// IPv4-mapped. For KindSMTP, the SMTP client; zero for KindDMARC and KindRefusal.
	Resolver  netip.AddrPort
	Transport Transport
	// QType is the type of the question (RFC 1035 section 3.2.2); 0 for no query.
	QType uint16
	// ClientSubnet is the prefix that the resolver sent for its own client
	// (EDNS Client Subnet, RFC 7871); the zero Prefix when none.
	ClientSubnet netip.Prefix
	// SourceVerified: the address of Resolver is not spoofed, because the
	// query came over TCP or with a valid DNS cookie (RFC 7873).
	SourceVerified bool
	// Name is the query name as it arrived: uncompressed wire format, case
	// kept; nil for no query.
	Name []byte
	// Session is what KindSMTP and KindRefusal have beside; nil for others.
	Session *Session
	// Report is what KindDMARC has beside; nil for others.
	Report *Report
	// Cause is why KindRefusal was refused, such as "no-ptr", and Software what has
	// logged it, such as "postfix"; "" for others.
	Cause, Software string
}

// Session is what is known of an SMTP session, beside what [Event]
// has in common with queries: the client, which is proven to be there, HELO and MAIL
// FROM.
type Session struct {
	// Recipients is the number of RCPT commands, none of which was accepted; at most
	// 65535.
	Recipients uint16
	// RecipientDomain is the domain of the first one, lower case, raw bytes; "" when
	// it had none.
	RecipientDomain string
	// TLS: the client has used STARTTLS.
	TLS bool
	// Duration is the time between the connection and its end.
	Duration time.Duration
}

// Report is what a record of a DMARC aggregate report (RFC 9990 section 3.1.1) tells, beside
// what [Event] has in common with queries: ClientIP is source_ip, Forged header_from and
// SenderDomain envelope_from. Texts are raw bytes that the reporter chose.
type Report struct {
	// Reporter is the domain of who has reported, ID its name for the report.
	Reporter, ID string
	// End is the end of the range, in nanoseconds since 1970-01-01 UTC.
	End int64
	// Messages is how many messages the record stands for.
	Messages uint32
	// Disposition is what was done with them: "none", "quarantine", "reject", "pass".
	Disposition string
	// SPF and DKIM are the results under DMARC: "pass", "fail".
	SPF, DKIM string
	// Override is why the published policy was not followed, such as "local_policy", with
	// commas between several; "" for no reason given.
	Override string
	// RecipientDomain is envelope_to.
	RecipientDomain string
}
