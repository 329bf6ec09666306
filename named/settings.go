package named

import (
	"net/netip"
	"path"
	"slices"
	"time"

	"nullspf/internal/dnsname"
)

// Server is a nameserver software.
type Server string

// The servers for which configurations are written.
const (
	BIND     Server = "bind"
	NSD      Server = "nsd"
	Knot     Server = "knot"
	Nullspfd Server = "nullspfd"
)

// Servers lists the servers in the order in which messages name them.
var Servers = []Server{BIND, NSD, Knot, Nullspfd}

// WithPrimary lists the servers for which configurations of a primary are written.
var WithPrimary = append(slices.Clip(Servers), PowerDNS, CoreDNS, YADIFA)

// The roles: the server that reads the zone files, and one that transfers the
// zones from it.
const (
	RolePrimary   = "primary"
	RoleSecondary = "secondary"
)

// Terms are the keywords of BIND configurations.
type Terms string

// The terms. The old ones are understood by every BIND 9, the new ones since
// 9.16.
const (
	OldTerms Terms = "old" // type master, type slave, masters
	NewTerms Terms = "new" // type primary, type secondary, primaries
)

// Settings say which configurations to write. Unless its
// comment says otherwise, the zero value of a field switches off what it
// describes.
type Settings struct {
	// Output is the absolute path of the output directory.
	Output string
	// Relative writes file names relative to Output instead of absolute ones,
	// for a directory that is copied to other machines. The servers must then work
	// in that directory: BIND by its directory, NSD by its zonesdir, Knot DNS and
	// nullspfd by being started in it.
	Relative bool
	Servers  []Server
	Primary  Primary
	// TSIG signs all transfers and notifications; nil for none.
	TSIG *TSIG
	// DNSSEC lets the primary sign the zones.
	DNSSEC bool
	// Terms is OldTerms when empty.
	Terms Terms
	// View is the view of named.conf that has the zones; "" without views. What may
	// not be inside a view is then written to files of its own.
	View string
	// Catalog is the name of the catalog zone; "" for none.
	Catalog dnsname.Name
	// Store is the directory in which a secondary keeps its copies; it must be
	// able to write to it. Relative to Output when it is not absolute;
	// "secondary" when empty. Secondaries on one machine must not share it:
	// BIND writes its copies in a binary format, which others cannot read.
	Store string
	// Keys is the directory of BIND's DNSSEC keys; it must be able to write to
	// it. Relative to Output when it is not absolute; "keys" when empty.
	Keys string
	// Track is the tracking zone for nullspfd; nil for none.
	Track *Track
	// Nullspfd is how nullspfd serves the published zones.
	Nullspfd NullspfdSettings
}

// NullspfdSettings are what only nullspfd has.
type NullspfdSettings struct {
	// Listen are the addresses at which it answers for the published zones, all
	// with the same port; none means port 53 of all addresses.
	Listen []netip.AddrPort
	// Control is the path of the socket for "nullspf server". Relative to
	// Output when it is not absolute; "" for none.
	Control string
	// Metrics and Health are where it serves them over HTTP; the zero value is
	// none.
	Metrics, Health netip.AddrPort
	// Retain is how long events of the journal are kept, MaxSize how many bytes
	// it may have; 0 means no limit. Both are in whole seconds and bytes.
	// RetainRaw is how long they keep addresses and local parts; 0 means as long.
	Retain, RetainRaw time.Duration
	MaxSize           int64
	// Rate is the number of answers a second to a network; 0 means the default
	// of nullspfd, a negative number no limit.
	Rate int
	// Proxies are the networks of proxies, whose messages and connections, also to
	// SMTP, begin with a header of the PROXY protocol.
	Proxies []netip.Prefix
	// SMTP is the listener that never accepts mail; nil is none.
	SMTP *SMTP
	// DNSBL is a DNS block list; nil is none.
	DNSBL *DNSBL
}

// DNSBL is a DNS block list that nullspfd serves.
type DNSBL struct {
	Zone dnsname.Name
	// File is the list, which "nullspf log export --format json" writes.
	File string
	// Nameservers are the hosts of its NS RRset, none in the zone.
	Nameservers []dnsname.Name
}

// SMTP is nullspfd's SMTP listener. Zero values are left to it.
type SMTP struct {
	Listen []netip.AddrPort
	// Mode and At are words of the Corefile.
	Mode, At string
	// Tarpit is in whole seconds.
	Tarpit time.Duration
	// Certificate and Key are paths of files.
	Certificate, Key string
	Connections      int
}

// Primary is the server that reads the zone files, as its secondaries see it.
type Primary struct {
	// Addresses are where secondaries fetch the zones, with port. Without any,
	// no configuration of a secondary is written.
	Addresses []netip.AddrPort
	// AllowTransfer are the addresses that may fetch the zones.
	AllowTransfer []netip.Prefix
	// AlsoNotify are the addresses, with port, to which NOTIFY (RFC 1996) is
	// sent when a zone changes. It is sent to no others.
	AlsoNotify []netip.AddrPort
	// Secondaries are those of the above of which more is known.
	Secondaries []Secondary
}

// Secondary is a server that transfers the zones.
type Secondary struct {
	Address netip.AddrPort
	// Unsigned is set for one that transfers without the TSIG key.
	Unsigned bool
	// Software is "" when it is not known.
	Software Server
}

// Software for which a secondary is written only where one is listed. Unbound is no
// primary.
const (
	PowerDNS Server = "powerdns"
	CoreDNS  Server = "coredns"
	YADIFA   Server = "yadifa"
	Unbound  Server = "unbound"
)

// SecondarySoftware lists what a secondary may be.
var SecondarySoftware = []Server{BIND, NSD, Knot, Nullspfd, PowerDNS, CoreDNS, YADIFA, Unbound}

// Unsigned reports whether a software cannot sign zone transfers.
func (s Server) Unsigned() bool { return s == CoreDNS || s == Unbound }

// TSIG is a shared secret (RFC 8945).
type TSIG struct {
	// Name is the name of the key, the same on all servers.
	Name dnsname.Name
	// Algorithm is hmac-sha256 or another that all servers know.
	Algorithm string
	// Secret is the secret in base64, at least 16 bytes of it.
	Secret string
}

// Track is what nullspfd needs to know of the tracking zone.
type Track struct {
	// Zone is the zone's name.
	Zone dnsname.Name
	// Nameservers are the hosts of the zone's NS RRset.
	Nameservers []dnsname.Name
	// Listen are the addresses at which nullspfd answers for it, all with the
	// same port; none means port 53 of all addresses.
	Listen []netip.AddrPort
	// Layouts are the SPF layouts whose names are recognised; none means those
	// that the domains have.
	Layouts []string
	// Explain is the explanation that receivers fetch (RFC 7208 section 6.2);
	// "" means the default of nullspfd.
	Explain string
	// TTL of the zone's records, whole seconds; 0 means the default of nullspfd.
	TTL time.Duration
	// Journal is the directory of the event journal. Relative to Output when it is
	// not absolute; "var" when empty.
	Journal string
}

func (s *Settings) has(server Server) bool { return slices.Contains(s.Servers, server) }

// keyFor returns the name of the key that protects transfers to an address and
// notifications, "" for none.
func (s *Settings) keyFor(a netip.Addr) string {
	if s.TSIG == nil || slices.ContainsFunc(s.Primary.Secondaries, func(x Secondary) bool { return x.Unsigned && x.Address.Addr() == a }) {
		return ""
	}
	return string(s.TSIG.Name)
}

// keyOf returns the name of the key that secondaries with a software use, "" when
// none of them does.
func (s *Settings) keyOf(software Server) string {
	for _, x := range s.Primary.Secondaries {
		if x.Software == software && s.keyFor(x.Address.Addr()) != "" {
			return s.keyOr("")
		}
	}
	return ""
}

// ownKey is that of a secondary for which a configuration is written.
func (s *Settings) ownKey(netip.Addr) string { return s.keyOr("") }

// keyForAll is keyFor a network.
func (s *Settings) keyForAll(p netip.Prefix) string {
	if p.IsSingleIP() {
		return s.keyFor(p.Addr())
	}
	return s.keyOr("")
}

// signed returns those who may transfer the zones with the key or, with false,
// without one.
func (s *Settings) signed(signed bool) []netip.Prefix {
	var list []netip.Prefix
	for _, p := range s.Primary.AllowTransfer {
		if (s.keyForAll(p) != "") == signed {
			list = append(list, p)
		}
	}
	return list
}

// bindConsumes reports whether a BIND may be among the consumers of the catalog zone.
func (s *Settings) bindConsumes() bool {
	if len(s.Primary.Secondaries) == 0 {
		return s.has(BIND)
	}
	return slices.ContainsFunc(s.Primary.Secondaries, func(x Secondary) bool {
		return x.Software == BIND || x.Software == "" && s.has(BIND)
	})
}

// hasSecondary reports whether a secondary has a software.
func (s *Settings) hasSecondary(software Server) bool {
	return slices.ContainsFunc(s.Primary.Secondaries, func(x Secondary) bool { return x.Software == software })
}

// secondaries reports whether configurations of secondaries are written.
func (s *Settings) secondaries() bool { return len(s.Primary.Addresses) > 0 }

// path gives the name by which a configuration refers to a file. name is
// absolute or relative to the output directory.
func (s *Settings) path(name string) string {
	if path.IsAbs(name) || s.Relative {
		return path.Clean(name)
	}
	return path.Join(s.Output, name)
}

func (s *Settings) store() string { return s.path(or(s.Store, "secondary")) }
func (s *Settings) keys() string  { return s.path(or(s.Keys, "keys")) }

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
