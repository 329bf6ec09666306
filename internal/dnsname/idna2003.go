package dnsname

import (
	"strings"
	"unicode"

	"golang.org/x/net/idna"

	"nullspf/internal/ascii"
)

// registered maps as browsers do, and allows the symbols, emoji among them, that
// IDNA2003 allowed (RFC 3490).
var registered = idna.New(idna.MapForLookup(), idna.Transitional(false), idna.StrictDomainName(true))

// ParseIDNA2003 is [ParseHost] for names that were registered before IDNA2008
// (RFC 5891), or in spite of it. old is set when ParseHost refuses the name. An
// A-label is taken as it is when it is Punycode (RFC 3492) for visible
// characters.
func ParseIDNA2003(text string) (name Name, old bool, err error) {
	name, err = ParseHost(text)
	if err == nil || text == "" {
		return name, false, err
	}
	trimmed, terr := checkText(text)
	if terr != nil {
		return "", false, terr
	}
	labels := strings.Split(dots.Replace(trimmed), ".")
	for i, label := range labels {
		if isPunycode(label) {
			labels[i] = ascii.ToLower(label)
			continue
		}
		mapped, lerr := registered.ToASCII(label)
		if lerr != nil {
			return "", false, err
		}
		labels[i] = ascii.ToLower(mapped)
	}
	joined := strings.Join(labels, ".")
	if err := checkLabels(trimmed, joined); err != nil {
		return "", false, err
	}
	return Name(joined), true, nil
}

func isPunycode(label string) bool {
	label = ascii.ToLower(label)
	if !strings.HasPrefix(label, "xn--") {
		return false
	}
	text, err := idna.Punycode.ToUnicode(label)
	if err != nil || text == label {
		return false
	}
	hidden := func(r rune) bool { return !unicode.IsGraphic(r) && r != '\u200c' && r != '\u200d' }
	if strings.ContainsFunc(text, hidden) {
		return false
	}
	again, err := idna.Punycode.ToASCII(text)
	return err == nil && again == label
}

// IsLDH reports whether a text consists of labels of lower-case letters, digits
// and inner hyphens, in the lengths of RFC 1035, whatever IDNA says of them.
func IsLDH[T ~string | ~[]byte](text T) bool {
	if size, upper := scanHost(text); size > 0 {
		return size == len(text) && !upper
	}
	if len(text) == 0 || len(text) > Max {
		return false
	}
	for label := range strings.SplitSeq(string(text), ".") {
		if label == "" || len(label) > maxLabel || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := range len(label) {
			if c := label[i]; !ldh(c) || 'A' <= c && c <= 'Z' {
				return false
			}
		}
	}
	return true
}
