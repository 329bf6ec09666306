// Package dnsname reads the names of hosts, zones and mailboxes as people write
// them. The form in which the rest of the program has them is decided here
// alone: lower case, A-labels (RFC 5890), no final dot.
//
//	Example.NET.             example.net
//	bücher.example           xn--bcher-kva.example
//	hostmaster@example.net   hostmaster.example.net
//
// Names in messages and in the presentation format of zone files, which may
// hold any byte, are those of package wire.
package dnsname

import (
	"strings"

	"nullspf/internal/ascii"
)

// Name is the name of a host, a zone or a domain, such as
// "xn--bcher-kva.example". "" is none.
type Name string

// Max is the length of the longest name: 255 bytes on the wire leave 253
// (RFC 1035 section 2.3.4).
const Max = 253

// maxLabel is the length of the longest label (RFC 1035 section 2.3.4).
const maxLabel = 63

// Error says why a text is not a name.
type Error struct {
	// Offset counts the bytes of the text before the fault.
	Offset int
	Reason string
}

// Error gives the reason.
func (e *Error) Error() string { return e.Reason }

var errEmpty = &Error{0, "the name is empty"}

// Parse reads the name of a zone or domain: a host name whose labels may hold
// underscores, too (RFC 8552). The error is an *[Error].
func Parse(text string) (Name, error) {
	if strings.IndexByte(text, '_') < 0 {
		return ParseHost(text)
	}
	text = dots.Replace(text)
	labels := strings.Split(text, ".")
	at := 0
	for i, label := range labels {
		if strings.IndexByte(label, '_') < 0 {
			labels[i] = ""
		} else if k := strings.IndexFunc(label, func(r rune) bool { return r >= 0x80 }); k >= 0 {
			return "", &Error{at + k, "a label with an underscore holds ASCII only"}
		}
		at += len(label) + 1
	}
	host, err := ParseHost(strings.ReplaceAll(text, "_", "u"))
	if err != nil {
		return "", err
	}
	parsed := strings.Split(string(host), ".")
	for i := range parsed {
		if labels[i] != "" {
			parsed[i] = ascii.ToLower(labels[i])
		}
	}
	return Name(strings.Join(parsed, ".")), nil
}

// dots replaces the full stops that IDNA takes for dots.
var dots = strings.NewReplacer("。", ".", "．", ".", "｡", ".")

// Check returns what keeps n from being a name in the form of this package, as
// an *[Error]. It is for names that were not read here.
func (n Name) Check() error {
	read, err := Parse(string(n))
	if err == nil && read != n {
		return &Error{0, "a name is written in lower case and A-labels, without final dot: " + string(read)}
	}
	return err
}

// IsHost reports whether a text is a host name in the form of this package.
func IsHost[T ~string | ~[]byte](text T) bool {
	size, upper := scanHost(text)
	if size == 0 {
		host, _ := ParseHost(string(text))
		return len(text) > 0 && string(host) == string(text)
	}
	return size == len(text) && !upper
}

// Within reports whether n is zone or below it.
func (n Name) Within(zone Name) bool {
	above, ok := strings.CutSuffix(string(n), string(zone))
	return ok && (above == "" || above[len(above)-1] == '.')
}

// Top returns the last label.
func (n Name) Top() string { return string(n[strings.LastIndexByte(string(n), '.')+1:]) }
