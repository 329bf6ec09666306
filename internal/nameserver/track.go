package nameserver

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"nullspf/internal/dnsname"
	"nullspf/spftrack"
)

// Track describes tracking zones.
type Track struct {
	// Position is FILE:LINE of the settings, for messages.
	Position string
	// Nameservers are the hosts of the NS RRset at the apex.
	Nameservers []dnsname.Name
	// Addresses are those of the nameservers inside of the zone, which must
	// have some; other names have none.
	Addresses map[dnsname.Name][]netip.Addr
	// Layouts are those of the published records. Only some have exp= names.
	Layouts []spftrack.Layout
	// Explain is the explain-string (RFC 7208 section 6.2) at exp= names; ""
	// is none.
	Explain string
	// TTL of NODATA answers and explanations, ApexTTL of all other records;
	// whole seconds.
	TTL, ApexTTL time.Duration
	// TXT are the texts at the apex.
	TXT []string
}

// Limits on what a configuration can make an answer hold.
const (
	MaxNameservers = 13
	// MaxExplain and MaxApexTXT are in bytes.
	MaxExplain = spftrack.MaxExplanation
	MaxApexTXT = 1024
	MaxTTL     = 7 * 24 * time.Hour
)

// DefaultTrack returns the settings of a zone for which nothing is said.
func DefaultTrack() Track {
	return Track{
		Layouts: []spftrack.Layout{spftrack.Track},
		Explain: spftrack.DefaultExplanation,
		TTL:     time.Minute,
		ApexTTL: time.Hour,
	}
}

// check refuses what the zone called name cannot have.
func (t *Track) check(name dnsname.Name) error {
	if len(t.Nameservers) == 0 {
		return fmt.Errorf("no nameservers; name the two or more hosts that serve it")
	}
	for _, host := range t.Nameservers {
		if !host.Within(name) {
			continue
		}
		if len(t.Addresses[host]) == 0 {
			return fmt.Errorf("nameserver %s is inside of the zone and needs an address", host)
		}
		labels := strings.Split(strings.TrimSuffix(strings.TrimSuffix(string(host), string(name)), "."), ".")
		if last := labels[len(labels)-1]; last == "1" || last == "2" {
			return fmt.Errorf("nameserver %s has the form of the names that SPF checks ask for; rename it", host)
		}
	}
	return nil
}

// checkAddresses refuses addresses that no zone of the block would have.
func (b *Block) checkAddresses() error {
	for host := range b.Track.Addresses {
		if !slices.Contains(b.Track.Nameservers, host) {
			return fmt.Errorf("address: %s is not a nameserver; a tracking zone has no other addresses", host)
		}
		if !slices.ContainsFunc(b.Zones, host.Within) {
			return fmt.Errorf("address: %s is not in a zone of this block; its address belongs to another zone", host)
		}
	}
	return nil
}
