package evidence

import (
	"net/netip"

	"nullspf/spftrack"
)

// question is a query as a nameserver has recorded it.
type question struct {
	// time is nanoseconds since 1970-01-01 UTC.
	time int64
	// client is the resolver, with port 0 where the format has none.
	client    netip.AddrPort
	transport spftrack.Transport
	// name is uncompressed wire format, case as asked.
	name          []byte
	qtype, qclass uint16
	subnet        netip.Prefix
	// verified: the client's address is not spoofed.
	verified bool
}
