package dnsname

import (
	"fmt"
	"strings"

	"nullspf/internal/ascii"
)

// Mailbox is a mailbox as a domain name (RFC 1035 section 8) in lower case,
// without final dot: "hostmaster.example.net". Dots of its local part are
// escaped: `john\.doe.example.net`. "" is none.
type Mailbox string

// ParseMailbox reads a mailbox, written as a domain name or with "@". The error
// is an *[Error].
func ParseMailbox(text string) (Mailbox, error) {
	local, domain, ok := strings.Cut(text, "@")
	if ok {
		text = strings.ReplaceAll(local, ".", `\.`) + "." + domain
	}
	for i, r := range text {
		if r <= ' ' || r > '~' || strings.ContainsRune(`"();{}@$`, r) {
			return "", &Error{i, fmt.Sprintf("character %q is not allowed in a mailbox", text[i:i+1])}
		}
	}
	host := text
	if i := strings.LastIndexByte(text, '\\'); i >= 0 {
		host = text[i+1:]
	}
	_, parent, ok := strings.Cut(host, ".")
	if !ok {
		return "", &Error{0, "this is not a mailbox; write hostmaster.example.net or hostmaster@example.net"}
	}
	if _, err := ParseHost(parent); err != nil {
		return "", err
	}
	return Mailbox(strings.TrimSuffix(ascii.ToLower(text), ".")), nil
}
