package nolisting

import (
	"strconv"
	"strings"
)

// hostNameFault returns what keeps name from being the lower-case host name of
// an MX record (RFC 1123 section 2.1, RFC 2181 section 10.3), or "".
func hostNameFault(name string) string {
	if len(name) > 253 {
		return "is longer than 253 octets"
	}
	if strings.HasSuffix(name, ".") {
		return "has a final dot"
	}
	labels := strings.Split(name, ".")
	for _, label := range labels {
		if fault := labelFault(label); fault != "" {
			return fault
		}
	}
	last := labels[len(labels)-1]
	switch {
	case strings.Trim(last, "0123456789") == "":
		return "ends in a label of digits, as an address does"
	case len(labels) < 2:
		return "is not fully qualified"
	}
	return ""
}

// labelFault returns what keeps label from being a lower-case LDH label, or "".
func labelFault(label string) string {
	switch {
	case label == "":
		return "has an empty label"
	case len(label) > 63:
		return "has a label longer than 63 octets"
	case label[0] == '-' || label[len(label)-1] == '-':
		return "has a label that begins or ends with a hyphen"
	}
	for _, c := range []byte(label) {
		switch {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-':
		case 'A' <= c && c <= 'Z':
			return "has upper-case letters"
		default:
			return "has a character other than letters, digits and hyphens"
		}
	}
	return ""
}

// shown returns name for a message: as it is when it is a host name, else
// quoted and cut to a bounded length.
func shown(name string) string {
	const most = 80
	if hostNameFault(name) == "" {
		return name
	}
	if len(name) > most {
		return strconv.QuoteToASCII(name[:most]) + "..."
	}
	return strconv.QuoteToASCII(name)
}
