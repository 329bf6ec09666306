package dnsname

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"

	"nullspf/internal/ascii"
)

// idnaProfile maps as browsers do (upper case, full-width forms, ideographic
// full stops), then holds the labels to IDNA2008: hyphens, joiners, bidi, LDH.
var idnaProfile = idna.New(
	idna.MapForLookup(),
	idna.Transitional(false),
	idna.StrictDomainName(true),
	idna.ValidateLabels(true),
	idna.CheckHyphens(true),
	idna.CheckJoiners(true),
	idna.BidiRule(),
)

// ParseHost reads a host name: labels hold letters, digits and inner hyphens
// only (RFC 1123 section 2.1). The error is an *[Error].
func ParseHost(text string) (Name, error) {
	if text == "" {
		return "", errEmpty
	}
	size, upper := scanHost(text)
	switch {
	case size > 0 && upper:
		return Name(ascii.ToLower(text[:size])), nil
	case size > 0:
		return Name(text[:size]), nil
	}
	trimmed, err := checkText(text)
	if err != nil {
		return "", err
	}
	name, err := idnaProfile.ToASCII(trimmed)
	if err != nil {
		return "", idnaError(trimmed, err)
	}
	name = strings.TrimSuffix(ascii.ToLower(name), ".")
	if err := checkLabels(trimmed, name); err != nil {
		return "", err
	}
	if err := checkPermitted(trimmed, name); err != nil {
		return "", err
	}
	return Name(name), nil
}

// checkText returns a text without its final dot, and finds what no host name
// may have.
func checkText(text string) (string, error) {
	if err := checkBytes(text); err != nil {
		return "", err
	}
	trimmed := trimFinalDot(text)
	if i := strings.Index(trimmed, ".."); i >= 0 {
		return "", &Error{i, `the name has an empty label ("..")`}
	}
	if trimmed == "" || trimmed[0] == '.' {
		return "", &Error{0, "the name begins with a dot"}
	}
	return trimmed, checkHyphens(trimmed)
}

// scanHost handles nearly all names without a detour through IDNA. It returns
// the size of a host name without its final dot, and whether it has upper-case
// letters; 0 when the text needs a closer look.
func scanHost[T ~string | ~[]byte](text T) (size int, upper bool) {
	label := 0
	n := len(text)
	if n > 0 && text[n-1] == '.' {
		n--
	}
	if n == 0 || n > Max {
		return 0, false
	}
	for i := range n {
		c := text[i]
		switch {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
		case 'A' <= c && c <= 'Z':
			upper = true
		case c == '-':
			// Hyphens that IDNA restricts take the long way.
			if i == label || i+1 == n || text[i+1] == '.' || i == label+3 {
				return 0, false
			}
		case c == '.':
			if i == label || i-label > maxLabel {
				return 0, false
			}
			label = i + 1
		default:
			return 0, false
		}
	}
	if label == n || n-label > maxLabel {
		return 0, false
	}
	return n, upper
}

// trimFinalDot removes one final dot, also a full-width one.
func trimFinalDot(s string) string {
	for _, dot := range []string{".", "。", "．", "｡"} {
		if t, ok := strings.CutSuffix(s, dot); ok {
			return t
		}
	}
	return s
}

// checkBytes finds what no name may hold, with its place.
func checkBytes(text string) error {
	for i, r := range text {
		switch {
		case r == utf8.RuneError:
			if _, size := utf8.DecodeRuneInString(text[i:]); size == 1 {
				return &Error{i, "the text is not UTF-8"}
			}
			return &Error{i, "character U+FFFD is not allowed in a domain name"}
		case r == 0:
			return &Error{i, "NUL is not allowed in a domain name"}
		case r < 0x80 && !ldh(byte(r)) && r != '.':
			return &Error{i, fmt.Sprintf("character %q is not allowed in a domain name", r)}
		}
	}
	return nil
}

func ldh(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-'
}

// checkHyphens applies RFC 1123 section 2.1 and RFC 5891 section 4.2.3.1
// before the IDNA library does, which says less.
func checkHyphens(text string) error {
	at := 0
	for label := range strings.SplitSeq(text, ".") {
		switch {
		case strings.HasPrefix(label, "-") || strings.HasSuffix(label, "-"):
			return &Error{at, fmt.Sprintf("the label %q begins or ends with a hyphen", label)}
		case len(label) > 3 && label[2:4] == "--" && !strings.EqualFold(label[:2], "xn"):
			return &Error{at, fmt.Sprintf("the label %q has hyphens in its third and fourth place, which are reserved (RFC 5891 section 4.2.3.1)", label)}
		}
		at += len(label) + 1
	}
	return nil
}

// checkLabels holds an ASCII name to the lengths of RFC 1035. text is what it
// came from, for the place.
func checkLabels(text, name string) error {
	for label := range strings.SplitSeq(name, ".") {
		at := max(strings.Index(ascii.ToLower(text), label), 0)
		switch {
		case label == "":
			return &Error{at, "the name has an empty label"}
		case len(label) > maxLabel:
			return &Error{at, fmt.Sprintf("the label has %d bytes; %d are allowed (RFC 1035 section 2.3.4)", len(label), maxLabel)}
		}
		for i := range len(label) {
			if !ldh(label[i]) {
				return &Error{at, fmt.Sprintf("character %q is not allowed in a domain name", label[i])}
			}
		}
	}
	if len(name) > Max {
		return &Error{0, fmt.Sprintf("the name has %d bytes; %d are allowed (RFC 1035 section 2.3.4)", len(name), Max)}
	}
	return nil
}

// checkPermitted refuses the code points that UTS 46 lets through but
// IDNA2008 disallows (RFC 5892 section 2): symbols, punctuation, unassigned.
func checkPermitted(text, name string) error {
	if !strings.Contains(name, "xn--") {
		return nil
	}
	ulabels, err := idnaProfile.ToUnicode(name)
	if err != nil {
		return idnaError(text, err)
	}
	for _, r := range ulabels {
		if r < 0x80 || unicode.In(r, unicode.L, unicode.M, unicode.Nd) || strings.ContainsRune(contextual, r) {
			continue
		}
		return &Error{max(strings.IndexRune(text, r), 0),
			fmt.Sprintf("character %q (%U) is not allowed in an internationalised domain name (RFC 5892)", r, r)}
	}
	return nil
}

// contextual are the code points outside of letters, marks and digits that
// RFC 5892 section 2.6 and appendix A allow, the joiners among them, whose
// context the IDNA profile has checked.
const contextual = "\u00b7\u0375\u05f3\u05f4\u06fd\u06fe\u0f0b\u3007\u30fb\u200c\u200d"

// idnaError words a fault that the IDNA library found.
func idnaError(text string, err error) error {
	for label := range strings.SplitSeq(text, ".") {
		if _, lerr := idnaProfile.ToASCII(label); lerr != nil {
			return &Error{max(strings.Index(text, label), 0),
				fmt.Sprintf("the label %q is not a valid internationalised label (IDNA2008: %s)", label, strings.TrimPrefix(lerr.Error(), "idna: "))}
		}
	}
	return &Error{0, "the name is not a valid internationalised name (IDNA2008: " + strings.TrimPrefix(err.Error(), "idna: ") + ")"}
}
