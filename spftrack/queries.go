package spftrack

import (
	"errors"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"nullspf/internal/wire"
)

// The types of the queries that a check and a minimising resolver ask
// (RFC 1035 section 3.2.2, RFC 3596).
const (
	TypeA    uint16 = 1
	TypeNS   uint16 = 2
	TypeTXT  uint16 = 16
	TypeAAAA uint16 = 28
)

// Check is what a receiver knows when it checks a message (RFC 7208
// section 4.1).
type Check struct {
	// IP is the address of the SMTP client. IPv4-mapped IPv6 is IPv4.
	IP netip.Addr
	// Sender is the MAIL FROM address as received, with or without angle
	// brackets; "" or "<>" is the null reverse-path, which stands for
	// postmaster@HELO (RFC 7208 section 2.4).
	Sender string
	// HELO is the argument of HELO or EHLO, as received.
	HELO string
	// Domain is the domain checked, whose record is evaluated; "" takes that
	// of the sender.
	Domain string
	// Receiver is the receiving host's name for %{r}; "" is "unknown".
	Receiver string
	// Time of the check for %{t}.
	Time time.Time
}

// Query is one query that a check sends.
type Query struct {
	// Name is the expanded name without final dot: bytes as the macros gave
	// them, dots between the labels, nothing escaped. See [Printable].
	Name string
	Type uint16
	// Purpose says why it is asked.
	Purpose string
	// Truncated: labels were cut from the left to fit 253 bytes (RFC 7208
	// section 7.3).
	Truncated bool
	// Problem says why the name cannot stand in a question, so that the
	// receiver's software decides what, if anything, it asks; "" when it can.
	Problem string
}

// Wire returns the name in uncompressed wire format (RFC 1035 section 3.1).
// The error is what [Query.Problem] says.
func (q Query) Wire() ([]byte, error) { return wire.AppendLabels(nil, q.Name) }

// Queries returns the queries that a receiver asks while it checks a message
// against the record of a layout, in order, when every answer below the
// tracking zone is empty. The error names the setting to correct, or says what the
// check lacks.
func Queries(layout Layout, s Settings, c Check) ([]Query, error) {
	p, err := compile(layout, s)
	if err != nil {
		return nil, err
	}
	return p.queries(c)
}

// queries is [Queries] for a compiled layout. The error says what the check
// lacks.
func (p *policy) queries(c Check) ([]Query, error) {
	v, err := c.values()
	if err != nil {
		return nil, err
	}
	queries := []Query{newQuery(v.domain, TypeTXT, "the SPF record of the checked domain")}
	if p.exists != nil {
		// An IPv6 client asks A too (RFC 7208 section 5.7).
		queries = append(queries, newQuery(string(p.exists.append(nil, &v)), TypeA, "mechanism exists:, no answer means no match"))
	}
	if p.exp != nil {
		queries = append(queries, newQuery(string(p.exp.append(nil, &v)), TypeTXT, "modifier exp=, the explanation, which some receivers fetch after fail"))
	}
	return queries, nil
}

func newQuery(name string, qtype uint16, purpose string) Query {
	q := Query{Type: qtype, Purpose: purpose}
	q.Name, q.Truncated = truncateName(name)
	if _, err := q.Wire(); err != nil {
		q.Problem = err.Error()
	}
	return q
}

// truncateName removes labels from the left until the name fits (RFC 7208
// section 7.3).
func truncateName(name string) (fits string, truncated bool) {
	name = strings.TrimSuffix(name, ".")
	for len(name) > maxText {
		dot := strings.IndexByte(name, '.')
		if dot < 0 {
			break
		}
		name, truncated = name[dot+1:], true
	}
	return name, truncated
}

// macroValues is what the macro letters stand for in one check.
type macroValues struct {
	ip                   netip.Addr
	sender, local        string
	senderDomain, domain string
	helo, receiver       string
	time                 time.Time
}

// values gives the macro letters their values.
func (c Check) values() (macroValues, error) {
	if !c.IP.IsValid() {
		return macroValues{}, errors.New("the check has no client address; give an IPv4 or IPv6 address")
	}
	v := macroValues{ip: c.IP.Unmap().WithZone(""), helo: c.HELO, receiver: c.Receiver, time: c.Time}
	if v.receiver == "" {
		v.receiver = "unknown"
	}
	sender := c.Sender
	if strings.HasPrefix(sender, "<") && strings.HasSuffix(sender, ">") {
		sender = sender[1 : len(sender)-1]
	}
	// A quoted local part may hold "@", a domain may not. Without local part
	// it is "postmaster" (RFC 7208 section 4.3).
	at := strings.LastIndexByte(sender, '@')
	switch {
	case sender == "":
		v.local, v.senderDomain = "postmaster", c.HELO
	case at <= 0:
		v.local, v.senderDomain = "postmaster", sender[at+1:]
	default:
		v.local, v.senderDomain = sender[:at], sender[at+1:]
	}
	v.sender = v.local + "@" + v.senderDomain
	v.domain = c.Domain
	if v.domain == "" {
		v.domain = v.senderDomain
	}
	v.domain = strings.TrimSuffix(v.domain, ".")
	if v.domain == "" {
		return macroValues{}, errors.New("the check has no domain; give one, or a sender with a domain, or a HELO name")
	}
	return v, nil
}

// of returns the value of a macro letter in lower case.
func (v *macroValues) of(letter byte) string {
	switch letter {
	case 's':
		return v.sender
	case 'l':
		return v.local
	case 'o':
		return v.senderDomain
	case 'd':
		return v.domain
	case 'i':
		return string(appendMacroIP(nil, v.ip))
	case 'v':
		if v.ip.Is4() {
			return "in-addr"
		}
		return "ip6"
	case 'h':
		return v.helo
	case 'c':
		return v.ip.String()
	case 'r':
		return v.receiver
	case 't':
		return strconv.FormatInt(v.time.Unix(), 10)
	}
	// %{p} needs a reverse look-up, should not be used, and is "unknown" when
	// that fails (RFC 7208 section 7.3).
	return "unknown"
}
