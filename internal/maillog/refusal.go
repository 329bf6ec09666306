package maillog

import (
	"net/netip"
	"strings"
)

// Refusal is a client, a sender or a recipient that was refused. Texts are raw bytes as they
// were logged.
type Refusal struct {
	// Time is nanoseconds since 1970-01-01 UTC; 0 when the line has none.
	Time int64
	// Host is the name of the machine, "" where the log does not tell.
	Host string
	// Client is the zero Addr where the log does not tell.
	Client netip.Addr
	// HELO, Sender and Recipient are "" where the log does not tell, and Sender also for
	// the null reverse-path.
	HELO, Sender, Recipient string
	Cause                   Cause
	Software                Software
}

// Software is what has refused.
type Software string

// The programs.
const (
	Postfix   Software = "postfix"
	Sendmail  Software = "sendmail"
	Exim      Software = "exim"
	OpenSMTPD Software = "opensmtpd"
	Rspamd    Software = "rspamd"
)

// Cause is why something was refused. A block list has its name behind BlockList and a colon.
type Cause string

// The causes.
const (
	// NoPTR: the client's address has no PTR record; BadPTR: one that does not lead back.
	NoPTR  Cause = "no-ptr"
	BadPTR Cause = "bad-ptr"
	// ReverseDNS is one of them, or a lookup that failed: the log does not tell which.
	ReverseDNS Cause = "reverse-dns"
	BlockList  Cause = "blocklist"
	// AccessList is a table or rule of the operator about the client or the sender.
	AccessList Cause = "access-list"
	// NotUsedForMail is the text of domains that send and receive no mail.
	NotUsedForMail Cause = "not-used-for-mail"
	RelayDenied    Cause = "relay-denied"
	UnknownUser    Cause = "unknown-user"
	// InvalidRecipient is what OpenSMTPD says of relaying, unknown users and its tables.
	InvalidRecipient Cause = "invalid-recipient"
	BadHELO          Cause = "bad-helo"
	// UnknownSenderDomain: it has no address and no MX; NullMXSender: it takes no mail;
	// SenderVerify: one of several things.
	UnknownSenderDomain Cause = "unknown-sender-domain"
	NullMXSender        Cause = "null-mx-sender"
	SenderVerify        Cause = "sender-verify"
	SPF                 Cause = "spf"
	DMARC               Cause = "dmarc"
	Spam                Cause = "spam"
	// Content is another objection to the message.
	Content  Cause = "content"
	Greylist Cause = "greylist"
	// Protocol: the client did not keep to SMTP, such as to speak first.
	Protocol    Cause = "protocol"
	ServerError Cause = "server-error"
	// Temporary is a refusal for now for no other cause, such as a lookup that failed.
	Temporary Cause = "temporary"
	Other     Cause = "other"
)

// phrases are parts of texts, in lower case, that tell a cause whatever program says them. Those
// before others count first.
var phrases = []struct {
	text  string
	cause Cause
}{
	{"not used for", NotUsedForMail},
	{"relay access denied", RelayDenied},
	{"relaying denied", RelayDenied},
	{"relaying temporarily denied", RelayDenied},
	{"relay not permitted", RelayDenied},
	{"user unknown", UnknownUser},
	{"unknown user", UnknownUser},
	{"unrouteable address", UnknownUser},
	{"greylist", Greylist},
	{"graylist", Greylist},
	{"dmarc", DMARC},
	{"spf", SPF},
	{"spam", Spam},
	{"virus", Content},
	{"reverse dns", ReverseDNS},
	{"reverse hostname", ReverseDNS},
	{"helo", BadHELO},
	{"access denied", AccessList},
}

// causeOf tells the cause by a text that the operator or the program chose; fallback when
// nothing tells it.
func causeOf(text string, fallback Cause) Cause {
	if list := listed(text); list != "" {
		return blockList(list)
	}
	text = strings.ToLower(text)
	for _, p := range phrases {
		if strings.Contains(text, p.text) {
			return p.cause
		}
	}
	return fallback
}

// blockList is the cause that is a list.
func blockList(name string) Cause { return BlockList + Cause(":"+strings.ToLower(name)) }

// listWords stand before the name of a block list.
var listWords = []string{"blocked using ", "black list at ", "blacklist at ", "listed at ", "listed in ", "listed by ", "found in "}

// listed is the block list that a text names, "" for none.
func listed(text string) string {
	for _, words := range listWords {
		if _, after, ok := strings.Cut(text, words); ok {
			if name := zoneName(after); name != "" {
				return name
			}
		}
	}
	return ""
}

// zoneName is the name of a domain at the begin of a text, "" for none.
func zoneName(text string) string {
	end := strings.IndexFunc(text, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '.' && r != '_'
	})
	if end >= 0 {
		text = text[:end]
	}
	text = strings.Trim(text, ".")
	if !strings.Contains(text, ".") || len(text) > 253 {
		return ""
	}
	return text
}

// address reads an address, also with the prefix IPv6: and in brackets.
func address(text string) netip.Addr {
	text = strings.TrimSuffix(strings.TrimPrefix(text, "["), "]")
	if len(text) > 5 && strings.EqualFold(text[:5], "ipv6:") {
		text = text[5:]
	}
	addr, _ := netip.ParseAddr(text)
	return addr.Unmap().WithZone("")
}
