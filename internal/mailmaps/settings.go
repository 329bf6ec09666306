package mailmaps

import (
	"strconv"
	"strings"

	"nullspf/internal/ascii"
	"nullspf/internal/dnsname"
)

// defaultReply is the text of the reply to mail that is refused.
const defaultReply = "This domain is not used for email"

// Settings are what the tables need beside the set.
type Settings struct {
	// Postmaster is the mailbox that gets mail for postmaster in every domain:
	// postmaster@mail.example.net. It may be empty as long as no domain has a
	// host that accepts mail.
	Postmaster string
	// Reply is the text after 554 5.7.1, printable ASCII; "" means
	// [defaultReply].
	Reply string
	// RejectSender makes hosts refuse mail with an envelope sender in any domain
	// of the set.
	RejectSender bool
	// Dir is the absolute path of the output directory for the configurations
	// that name tables. When it is "", or has characters that the
	// configurations do not allow, they name the directory nullspf below
	// /etc/postfix, /etc/mail, /etc/exim4 or /etc/smtpd, to which the tables are
	// then to be copied.
	Dir string
}

func (s Settings) reply() string {
	if s.Reply == "" {
		return defaultReply
	}
	return s.Reply
}

// mailboxFault returns what keeps text from being a mailbox that all mail servers
// understand in the same way, or "". Of the characters that RFC 5321
// section 4.1.2 allows in a local part, those are refused by which one of them
// names routes, programs, files or parameters.
func mailboxFault(text string) string {
	local, domain, ok := strings.Cut(text, "@")
	switch {
	case !ok:
		return "does not contain @"
	case len(text) > 254:
		return "is longer than 254 bytes (RFC 5321 section 4.5.3.1)"
	case local == "":
		return "lacks a local part"
	case len(local) > 64:
		return "has a local part longer than 64 bytes (RFC 5321 section 4.5.3.1)"
	case !alphanumeric(local[0]):
		return "has a local part that does not begin with a letter or digit"
	case strings.HasSuffix(local, ".") || strings.Contains(local, ".."):
		return "has a misplaced dot in its local part"
	}
	for i := range len(local) {
		if c := local[i]; !alphanumeric(c) && !strings.ContainsRune(".-_+=", rune(c)) {
			return "has a local part with " + strconv.QuoteRuneToASCII(rune(c)) + ", where letters, digits and . - _ + = are allowed"
		}
	}
	name, err := dnsname.ParseHost(domain)
	switch {
	case err != nil:
		return "has an invalid domain: " + err.Error()
	case string(name) != ascii.ToLower(domain):
		return "has a domain that is not written in A-labels without final dot"
	case strings.Trim(name.Top(), "0123456789") == "":
		return "ends in a number instead of a domain"
	}
	return ""
}

// replyFault returns what keeps text from reaching the sender as it is, or "".
// sendmail splits the text into tokens and puts a space between two words, but
// not next to the characters that separate tokens.
func replyFault(text string) string {
	const most = 200
	switch {
	case len(text) > most:
		return "is longer than " + strconv.Itoa(most) + " bytes"
	case !letter(text[0]):
		return "does not begin with a letter"
	case text[len(text)-1] == ' ' || strings.Contains(text, "  "):
		return "has a space at its end or two in a row"
	}
	for i := range len(text) {
		c := text[i]
		switch {
		case alphanumeric(c) || strings.ContainsRune(" -_='?&#~*", rune(c)):
		case !strings.ContainsRune(".:/+", rune(c)):
			return "has " + strconv.QuoteRuneToASCII(rune(c)) + ", where letters, digits, spaces and - _ = ' ? & # ~ * . : / + are allowed"
		case text[i-1] == ' ' || i+1 < len(text) && text[i+1] == ' ':
			return "has " + strconv.QuoteRuneToASCII(rune(c)) + " next to a space, which sendmail would remove"
		}
	}
	return ""
}

func letter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }

func alphanumeric(c byte) bool { return letter(c) || '0' <= c && c <= '9' }

// shown returns text quoted and cut to a bounded length.
func shown(text string) string {
	const most = 80
	if len(text) > most {
		return strconv.QuoteToASCII(text[:most]) + "..."
	}
	return strconv.QuoteToASCII(text)
}
