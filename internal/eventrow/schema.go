package eventrow

import (
	"math"
	"net/netip"
	"strconv"
	"time"

	"nullspf/spftrack"
)

// Row is an event as segments hold it: a field a column, in their order, and in
// the tag the column's name and encoding. Bytes that a stranger chose are in the
// form of [spftrack.Printable], so that every text is ASCII.
type Row struct {
	// Seq and TS rise and nearly rise; TS is nanoseconds since 1970-01-01 UTC.
	Seq            int64  `parquet:"seq,delta"`
	TS             int64  `parquet:"ts,delta,timestamp(nanosecond:local)"`
	ServerID       string `parquet:"server_id,dict"`
	Zone           string `parquet:"zone,dict"`
	Kind           string `parquet:"kind,dict"`
	ClientIP       string `parquet:"client_ip,dict"`
	SenderLocal    string `parquet:"sender_local,dict"`
	SenderDomain   string `parquet:"sender_domain,dict"`
	ForgedDomain   string `parquet:"forged_domain,dict"`
	HELO           string `parquet:"helo,dict"`
	Resolver       string `parquet:"resolver,dict"`
	ResolverPort   int32  `parquet:"resolver_port,delta"`
	Transport      string `parquet:"transport,dict"`
	Qtype          int32  `parquet:"qtype,dict"`
	ClientSubnet   string `parquet:"client_subnet,dict"`
	SourceVerified bool   `parquet:"source_verified"`
	Flags          string `parquet:"flags,dict"`
	Attempt        bool   `parquet:"attempt"`
	RawName        string `parquet:"raw_name,dict"` // shortened, see Name
	// Of SMTP sessions; Duration is in nanoseconds.
	Recipients      int32  `parquet:"recipients,dict"`
	RecipientDomain string `parquet:"recipient_domain,dict"`
	TLS             bool   `parquet:"tls"`
	Duration        int64  `parquet:"duration,delta"`
	// Of refusals.
	Cause    string `parquet:"cause,dict"`
	Software string `parquet:"software,dict"`
	// Of DMARC reports; RangeEnd is nanoseconds since 1970-01-01 UTC.
	Messages    int64  `parquet:"messages,delta"`
	Disposition string `parquet:"disposition,dict"`
	SPF         string `parquet:"spf,dict"`
	DKIM        string `parquet:"dkim,dict"`
	Override    string `parquet:"override,dict"`
	Reporter    string `parquet:"reporter,dict"`
	ReportID    string `parquet:"report_id,dict"`
	RangeEnd    int64  `parquet:"range_end,delta"`
}

// Columns lists the columns in the order in which they are shown.
var Columns = []*Column{
	TS, Seq, ServerID, Zone, Kind, ClientIP, SenderLocal, SenderDomain, ForgedDomain, HELO, Resolver, ResolverPort,
	Transport, Qtype, ClientSubnet, SourceVerified, Flags, Attempt, RawName,
	Recipients, RecipientDomain, TLS, Duration,
	Cause, Software,
	Messages, Disposition, SPF, DKIM, Override, Reporter, ReportID, RangeEnd,
}

func init() {
	for i, c := range Columns {
		c.Index = i
	}
}

// The columns. The first function gives the field of a row, which [Builder.Fill] fills from an
// event, the second brings it back; texts that cannot be read, which no journal writes, are
// left empty.
var (
	TS = number(Column{Heading: "TIME",
		Meaning: "when the query came, or the session began, by the server's clock, in UTC; for `dmarc`, the begin of the range",
		show:    appendTime, quoted: true, brief: briefTime},
		func(r *Row) *int64 { return &r.TS },
		func(r *Row, e *spftrack.Event) { e.Time = r.TS })

	Seq = number(Column{
		Meaning: "the event's number on this server",
		show:    func(b []byte, r *Row) []byte { return strconv.AppendUint(b, uint64(r.Seq), 10) }},
		func(r *Row) *int64 { return &r.Seq },
		func(r *Row, e *spftrack.Event) { e.Seq = uint64(r.Seq) })

	ServerID = text(Column{Heading: "SERVER",
		Meaning: "the server"},
		func(r *Row) *string { return &r.ServerID },
		func(r *Row, e *spftrack.Event) { e.Server = Unescape(r.ServerID) })

	Zone = text(Column{Meaning: "the tracking zone"},
		func(r *Row) *string { return &r.Zone },
		func(r *Row, e *spftrack.Event) { e.Zone = Unescape(r.Zone) })

	Kind = text(Column{Heading: "KIND",
		Meaning: "`exists`, `exp`, `classic`, `minimised`, `smtp`, `dmarc`, `refusal`, `other`"},
		func(r *Row) *string { return &r.Kind },
		func(r *Row, e *spftrack.Event) { e.Kind, _ = spftrack.ParseKind(r.Kind) })

	ClientIP = text(Column{Heading: "CLIENT",
		Meaning: "the SMTP client that the receiver claims to have seen, empty if unknown; for `smtp` and `refusal`, the client itself"},
		func(r *Row) *string { return &r.ClientIP },
		func(r *Row, e *spftrack.Event) { e.ClientIP = parseAddr(r.ClientIP) })

	SenderLocal = text(Column{Meaning: "the local part of MAIL FROM"},
		func(r *Row) *string { return &r.SenderLocal },
		func(r *Row, e *spftrack.Event) { e.SenderLocal = Unescape(r.SenderLocal) })

	SenderDomain = text(Column{Meaning: "the domain of MAIL FROM; for `dmarc`, where it was reported"},
		func(r *Row) *string { return &r.SenderDomain },
		func(r *Row, e *spftrack.Event) { e.SenderDomain = Unescape(r.SenderDomain) })

	ForgedDomain = text(Column{Heading: "DOMAIN",
		Meaning: "the domain that was claimed without right; empty for `smtp`; for `dmarc`, that of From, with right or without; for `refusal`, that of the sender when it is published"},
		func(r *Row) *string { return &r.ForgedDomain },
		func(r *Row, e *spftrack.Event) { e.Forged = Unescape(r.ForgedDomain) })

	HELO = text(Column{Heading: "HELO",
		Meaning: "the argument of HELO or EHLO"},
		func(r *Row) *string { return &r.HELO },
		func(r *Row, e *spftrack.Event) { e.HELO = Unescape(r.HELO) })

	Resolver = text(Column{Heading: "RESOLVER",
		Meaning: "the address from which the query came; for `smtp`, that of the client; empty for `dmarc` and `refusal`"},
		func(r *Row) *string { return &r.Resolver },
		func(r *Row, e *spftrack.Event) {
			e.Resolver = netip.AddrPortFrom(parseAddr(r.Resolver), e.Resolver.Port())
		})

	ResolverPort = number(Column{Meaning: "its port"},
		func(r *Row) *int32 { return &r.ResolverPort },
		func(r *Row, e *spftrack.Event) {
			e.Resolver = netip.AddrPortFrom(e.Resolver.Addr(), uint16(r.ResolverPort))
		})

	Transport = text(Column{Meaning: "`udp`, `tcp`; empty for `dmarc`"},
		func(r *Row) *string { return &r.Transport },
		func(r *Row, e *spftrack.Event) { e.Transport, _ = spftrack.ParseTransport(r.Transport) })

	Qtype = number(Column{Heading: "TYPE",
		Meaning: "the type of the query, as a number; 0 for none",
		brief:   func(r *Row) string { return typeName(r.Qtype) }},
		func(r *Row) *int32 { return &r.Qtype },
		func(r *Row, e *spftrack.Event) { e.QType = uint16(r.Qtype) })

	ClientSubnet = text(Column{Meaning: "EDNS Client Subnet prefix such as `192.0.2.0/24`, or empty"},
		func(r *Row) *string { return &r.ClientSubnet },
		func(r *Row, e *spftrack.Event) { e.ClientSubnet = parsePrefix(r.ClientSubnet) })

	SourceVerified = truth(Column{Meaning: "the resolver's address is not spoofed (TCP or a valid cookie)"},
		func(r *Row) *bool { return &r.SourceVerified },
		func(r *Row, e *spftrack.Event) { e.SourceVerified = r.SourceVerified })

	Flags = text(Column{Heading: "FLAGS",
		Meaning: "`truncated`, `unparsed`, `retry`, `ambiguous`, `unexpanded`, `helo`, `exists`, with commas between"},
		func(r *Row) *string { return &r.Flags },
		func(r *Row, e *spftrack.Event) { e.Flags, _ = spftrack.ParseFlags(r.Flags) })

	Attempt = truth(Column{Meaning: "the event stands for an attempt"},
		func(r *Row) *bool { return &r.Attempt },
		func(*Row, *spftrack.Event) {}) // kind and flags tell it

	RawName = text(Column{Heading: "NAME",
		Meaning: "the query name as it was asked; empty for no query",
		show:    func(b []byte, r *Row) []byte { return append(b, Shown(r.Name())...) }},
		func(r *Row) *string { return &r.RawName },
		func(r *Row, e *spftrack.Event) { e.Name = parseName(r.Name()) })

	Recipients = number(Column{Added: true,
		Meaning: "for `smtp`: how many recipients were asked for, and refused; for `refusal`, 1"},
		func(r *Row) *int32 { return &r.Recipients },
		func(r *Row, e *spftrack.Event) {
			if r.Recipients != 0 {
				session(e).Recipients = uint16(r.Recipients)
			}
		})

	RecipientDomain = text(Column{Added: true,
		Meaning: "for `smtp`: the domain of the first recipient; for `refusal`, of the one refused; for `dmarc`, of the recipients, where it was reported"},
		func(r *Row) *string { return &r.RecipientDomain },
		func(r *Row, e *spftrack.Event) {
			switch {
			case r.RecipientDomain == "":
			case e.Kind == spftrack.KindDMARC:
				report(e).RecipientDomain = Unescape(r.RecipientDomain)
			default:
				session(e).RecipientDomain = Unescape(r.RecipientDomain)
			}
		})

	TLS = truth(Column{Added: true,
		Meaning: "for `smtp`: the client has used STARTTLS"},
		func(r *Row) *bool { return &r.TLS },
		func(r *Row, e *spftrack.Event) {
			if r.TLS {
				session(e).TLS = true
			}
		})

	Duration = number(Column{Added: true,
		Meaning: "for `smtp`: how long the session took, in nanoseconds"},
		func(r *Row) *int64 { return &r.Duration },
		func(r *Row, e *spftrack.Event) {
			if r.Duration != 0 {
				session(e).Duration = time.Duration(r.Duration)
			}
		})

	Cause = text(Column{Heading: "CAUSE", Added: true,
		Meaning: "for `refusal`: why, such as `no-ptr` or `blocklist:bl.example.net`"},
		func(r *Row) *string { return &r.Cause },
		func(r *Row, e *spftrack.Event) { e.Cause = Unescape(r.Cause) })

	Software = text(Column{Heading: "SOFTWARE", Added: true,
		Meaning: "for `refusal`: the mail server that logged it: `postfix`, `sendmail`, `exim`, `opensmtpd`, `rspamd`"},
		func(r *Row) *string { return &r.Software },
		func(r *Row, e *spftrack.Event) { e.Software = Unescape(r.Software) })

	Messages = number(Column{Heading: "MESSAGES", Added: true,
		Meaning: "for `dmarc`: how many messages the record stands for"},
		func(r *Row) *int64 { return &r.Messages },
		func(r *Row, e *spftrack.Event) {
			if r.Messages > 0 && r.Messages <= math.MaxUint32 {
				report(e).Messages = uint32(r.Messages)
			}
		})

	Disposition = reported(Column{Heading: "DISPOSITION", Added: true,
		Meaning: "for `dmarc`: what was done with them: `none`, `quarantine`, `reject`, `pass`"},
		func(r *Row) *string { return &r.Disposition }, func(p *spftrack.Report) *string { return &p.Disposition })

	SPF = reported(Column{Heading: "SPF", Added: true,
		Meaning: "for `dmarc`: the result of SPF under DMARC: `pass`, `fail`"},
		func(r *Row) *string { return &r.SPF }, func(p *spftrack.Report) *string { return &p.SPF })

	DKIM = reported(Column{Heading: "DKIM", Added: true,
		Meaning: "for `dmarc`: that of DKIM: `pass`, `fail`"},
		func(r *Row) *string { return &r.DKIM }, func(p *spftrack.Report) *string { return &p.DKIM })

	Override = reported(Column{Heading: "OVERRIDE", Added: true,
		Meaning: "for `dmarc`: the reasons that the reporter gives, such as `local_policy`, with commas between"},
		func(r *Row) *string { return &r.Override }, func(p *spftrack.Report) *string { return &p.Override })

	Reporter = reported(Column{Heading: "REPORTER", Added: true,
		Meaning: "for `dmarc`: the domain of who has reported"},
		func(r *Row) *string { return &r.Reporter }, func(p *spftrack.Report) *string { return &p.Reporter })

	ReportID = reported(Column{Added: true,
		Meaning: "for `dmarc`: the name of the report"},
		func(r *Row) *string { return &r.ReportID }, func(p *spftrack.Report) *string { return &p.ID })

	RangeEnd = number(Column{Added: true,
		Meaning: "for `dmarc`: the end of the range, in nanoseconds since 1970-01-01 UTC"},
		func(r *Row) *int64 { return &r.RangeEnd },
		func(r *Row, e *spftrack.Event) {
			if r.RangeEnd != 0 {
				report(e).End = r.RangeEnd
			}
		})
)

// session returns the session of an event, and makes it when there is none.
func session(e *spftrack.Event) *spftrack.Session {
	if e.Session == nil {
		e.Session = new(spftrack.Session)
	}
	return e.Session
}

// reported makes a column of a text of reports.
func reported(c Column, field func(*Row) *string, of func(*spftrack.Report) *string) *Column {
	return text(c, field,
		func(r *Row, e *spftrack.Event) {
			if text := *field(r); text != "" {
				*of(report(e)) = Unescape(text)
			}
		})
}

// report returns the report of an event, and makes it when there is none.
func report(e *spftrack.Event) *spftrack.Report {
	if e.Report == nil {
		e.Report = new(spftrack.Report)
	}
	return e.Report
}

// Times are shown in UTC: with nanoseconds, in tables with milliseconds.
const (
	ExactTime = "2006-01-02T15:04:05.000000000Z"
	TableTime = "2006-01-02T15:04:05.000Z"
)

func appendTime(b []byte, r *Row) []byte { return time.Unix(0, r.TS).UTC().AppendFormat(b, ExactTime) }

func briefTime(r *Row) string { return time.Unix(0, r.TS).UTC().Format(TableTime) }

// typeName is the mnemonic of a type of query that is often seen, or the form of
// RFC 3597 section 5.
func typeName(t int32) string {
	switch t {
	case 0:
		return ""
	case 1:
		return "A"
	case 2:
		return "NS"
	case 6:
		return "SOA"
	case 15:
		return "MX"
	case 16:
		return "TXT"
	case 28:
		return "AAAA"
	case 255:
		return "ANY"
	}
	return "TYPE" + strconv.Itoa(int(t))
}
