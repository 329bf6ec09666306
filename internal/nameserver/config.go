package nameserver

import (
	"net/netip"
	"slices"
	"time"

	"nullspf/internal/dnsname"
	"nullspf/internal/xfr"
)

// Config is a configuration. Package corefile reads one from a Corefile.
type Config struct {
	// Path is the Corefile's, for messages.
	Path   string
	Blocks []Block

	// The rest holds for the whole process.

	// Journal is nil when events are not stored.
	Journal *Journal
	// Keys are those of transfers and of signed messages.
	Keys xfr.Keys
	// Transfer is nil when nobody may transfer zones.
	Transfer *Transfer
	// Parked is nil when there are no parked zones.
	Parked *Parked
	// Secondary are the secondary zones.
	Secondary []Secondary
	Cookies   Cookies
	// Proxies are networks whose messages and connections begin with a header of
	// the PROXY protocol, version 2.
	Proxies []netip.Prefix
	// Metrics and Health are addresses of HTTP servers; the zero AddrPort is
	// none. They may be equal.
	Metrics, Health netip.AddrPort
	// SMTP is nil when there is no SMTP listener.
	SMTP *SMTP
	// Control is the path of the socket for "nullspf server"; "" is none.
	Control string
	Log     LogMode
}

// tracks reports whether there are events: queries for tracking zones, or sessions of
// the SMTP listener.
func (c *Config) tracks() bool {
	return c.SMTP != nil || slices.ContainsFunc(c.Blocks, func(b Block) bool { return len(b.Zones) > 0 })
}

// Block is a server block: zones that are served alike at some addresses. It
// has tracking zones, or else all other zones of the process.
type Block struct {
	// Position is FILE:LINE of the block, for messages.
	Position string
	// Zones are the tracking zones.
	Zones []dnsname.Name
	// Parked: the block serves [Config.Parked].
	Parked bool
	// Secondary: the block serves the zones of all of [Config.Secondary].
	Secondary bool
	// DNSBL are block lists.
	DNSBL []DNSBL
	// Listen are the addresses and ports, none of them twice. Port 0 is a free
	// port, one for all addresses of the block.
	Listen []netip.AddrPort
	Track  Track
	Limit  RateLimit
	// XDP are interfaces at which queries for these addresses are answered beside
	// the kernel.
	XDP []XDP
}

// XDP is an interface whose queries over UDP do not pass through the kernel.
type XDP struct {
	// Position is FILE:LINE of the directive, for messages.
	Position string
	// Interface is the name of an Ethernet interface.
	Interface string
	// VLANs are the IDs of tagged frames that are taken beside untagged ones.
	VLANs []uint16
}

// Parked are the zones that "nullspf zones" publishes.
type Parked struct {
	// Position is FILE:LINE of the directive, for messages.
	Position string
	// Dir is its output directory.
	Dir string
}

// Journal says how events are stored.
type Journal struct {
	// Dir is the directory.
	Dir string
	// Server names this server in its events.
	Server string
	// Strict: an event is on disk before its answer leaves.
	Strict bool
	// MaxSize is in bytes, Retain and RetainRaw are times; 0 means no limit.
	MaxSize int64
	Retain  time.Duration
	// RetainRaw is when addresses and local parts are taken out of events.
	RetainRaw time.Duration
}

// Cookies says which DNS cookies are made and accepted.
type Cookies struct {
	Off bool
	// Secrets: the first makes, all are accepted. Without any, the process
	// makes one up and keeps it until it ends.
	Secrets []Secret
}

// LogMode says which queries are logged.
type LogMode uint8

// The log modes.
const (
	LogNone LogMode = iota
	// LogErrors logs what is answered with an error.
	LogErrors
	// LogAll logs every query.
	LogAll
)
