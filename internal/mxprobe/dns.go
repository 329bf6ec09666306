package mxprobe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"nullspf/internal/dnsname"
	"nullspf/nolisting"
	"nullspf/zones"
)

// HostFinding is something about the DNS records of a host, or of a domain when
// Host is "".
type HostFinding struct {
	Domain dnsname.Name `json:"domain,omitempty"`
	Host   dnsname.Name `json:"host,omitempty"`
	Finding
}

// NewResolver asks the resolver at an address over UDP and TCP; an invalid address
// stands for the resolvers of the system.
func NewResolver(at netip.AddrPort) *net.Resolver {
	if !at.IsValid() {
		return net.DefaultResolver
	}
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, at.String())
	}}
}

// Addresses looks up the A and AAAA records of a host and holds them against the
// addresses of the configuration, if it has some. The addresses to probe are both.
func Addresses(ctx context.Context, r *net.Resolver, h nolisting.Host) ([]netip.Addr, []Finding) {
	list := slices.Clone(h.Addresses)
	found, err := r.LookupNetIP(ctx, "ip", string(h.Name)+".")
	var dnsError *net.DNSError
	switch {
	case errors.As(err, &dnsError) && dnsError.IsNotFound:
		return list, []Finding{{Error, "the name has neither A nor AAAA records: senders skip it, or defer the mail"}}
	case err != nil:
		return list, []Finding{{Warning, fmt.Sprintf("its addresses cannot be looked up: %v", err)}}
	}
	var findings []Finding
	for i := range found {
		found[i] = found[i].Unmap()
	}
	slices.SortFunc(found, netip.Addr.Compare)
	for _, a := range found {
		if len(h.Addresses) > 0 && !slices.Contains(h.Addresses, a) {
			findings = append(findings, Finding{Warning, fmt.Sprintf("the DNS gives address %s, which the configuration does not have", a)})
		}
		if !slices.Contains(list, a) {
			list = append(list, a)
		}
	}
	for _, a := range h.Addresses {
		if !slices.Contains(found, a) {
			findings = append(findings, Finding{Warning, fmt.Sprintf("the configuration has address %s, which the DNS does not give", a)})
		}
	}
	return list, findings
}

// MX looks up the MX records of a domain, sorted. A host that is no host name, or
// is "" (null MX, RFC 7505), is left as it is.
func MX(ctx context.Context, r *net.Resolver, domain dnsname.Name) ([]zones.MX, error) {
	found, err := r.LookupMX(ctx, string(domain)+".")
	if err != nil {
		return nil, err
	}
	mx := make([]zones.MX, len(found))
	for i, m := range found {
		mx[i] = zones.MX{Host: dnsname.Name(strings.ToLower(strings.TrimSuffix(m.Host, "."))), Preference: m.Pref}
	}
	sortMX(mx)
	return mx, nil
}

// CompareMX holds the MX records of a domain in the DNS against the planned ones.
func CompareMX(ctx context.Context, r *net.Resolver, domain dnsname.Name, planned []zones.MX) []HostFinding {
	tell := func(level Level, format string, args ...any) []HostFinding {
		return []HostFinding{{Domain: domain, Finding: Finding{level, fmt.Sprintf(format, args...)}}}
	}
	live, err := MX(ctx, r, domain)
	if err != nil {
		return tell(Warning, "its MX records cannot be looked up: %v", err)
	}
	planned = slices.Clone(planned)
	sortMX(planned)
	if !slices.Equal(live, planned) {
		return tell(Error, "the DNS has MX %s, planned is %s", shownMX(live), shownMX(planned))
	}
	return nil
}

func sortMX(mx []zones.MX) {
	slices.SortFunc(mx, func(a, b zones.MX) int {
		if a.Preference != b.Preference {
			return int(a.Preference) - int(b.Preference)
		}
		return strings.Compare(string(a.Host), string(b.Host))
	})
}

func shownMX(mx []zones.MX) string {
	words := make([]string, len(mx))
	for i, m := range mx {
		words[i] = fmt.Sprintf("%d %s.", m.Preference, m.Host)
	}
	return strings.Join(words, ", ")
}
