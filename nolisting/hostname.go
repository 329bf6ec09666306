package nolisting

import (
	"strconv"
	"strings"

	"nullspf/internal/dnsname"
)

// hostNameFault returns what keeps a name from being the host name of an MX
// record (RFC 1123 section 2.1, RFC 2181 section 10.3), or "".
func hostNameFault(name dnsname.Name) string {
	if !dnsname.IsHost(name) {
		return "the name is not a host name in lower case and A-labels, without final dot"
	}
	switch top := name.Top(); {
	case strings.Trim(top, "0123456789") == "":
		return "the name ends in a label of digits only, like an address"
	case top == string(name):
		return "the name is not fully qualified"
	}
	return ""
}

// shown returns a name for a message: as it is when it is a host name, else
// quoted and cut to a bounded length.
func shown(name dnsname.Name) string {
	const most = 80
	if hostNameFault(name) == "" {
		return string(name)
	}
	if len(name) > most {
		return strconv.QuoteToASCII(string(name[:most])) + "..."
	}
	return strconv.QuoteToASCII(string(name))
}
