package xfr

import (
	"errors"
	"fmt"

	"github.com/miekg/dns"

	"nullspf/internal/wire"
	"nullspf/internal/zonestore"
)

// Member is a zone that a catalog zone lists.
type Member struct {
	Zone wire.Name
	// Label is the unique label of its node. When it changes, what is known of
	// the zone is to be reset (RFC 9432 section 5.4).
	Label string
}

// ErrCatalog is wrapped with what is wrong with a catalog zone.
var ErrCatalog = errors.New("invalid catalog zone")

const (
	catalogVersionLabel = "\x07version"
	catalogZonesLabel   = "\x05zones"
	// catalogVersion is the data of the TXT record that says which schema a
	// catalog zone follows (RFC 9432 section 4.2.1).
	catalogVersion = "\x012"
)

// ReadCatalog returns the members that a catalog zone of at most so many lists,
// in its order. Properties, also coo and group, and extensions are ignored. The
// error wraps ErrCatalog: such a version must not be processed at all (RFC 9432
// section 5.1).
func ReadCatalog(z *zonestore.Zone, most int) ([]Member, error) {
	var (
		versionName = wire.Name(catalogVersionLabel) + z.Name()
		zonesName   = wire.Name(catalogZonesLabel) + z.Name()
		members     []Member
		versions    int
		fault       error
		node        wire.Name
		seen        = make(map[wire.Name]bool)
	)
	for r := range z.Records {
		switch {
		case r.Type == dns.TypeTXT && r.Name == versionName:
			if versions++; string(r.Data) != catalogVersion {
				fault = errors.New(`its version is not "2"`)
			}
		case r.Type == dns.TypePTR && r.Name.Parent() == zonesName:
			name, _, err := wire.ReadName(r.Data, 0)
			switch {
			case err != nil:
				fault = fmt.Errorf("the PTR record at %s has no name", r.Name.Text())
			case r.Name == node:
				fault = fmt.Errorf("there are several PTR records at %s", r.Name.Text())
			case seen[name]:
				fault = fmt.Errorf("%s is listed twice", name.Text())
			case len(members) == most:
				fault = fmt.Errorf("it lists more than %d zones", most)
			}
			node = r.Name
			seen[name] = true
			members = append(members, Member{name, string(node[1 : 1+node[0]])})
		}
		if fault != nil {
			return nil, fmt.Errorf("%w: %w", ErrCatalog, fault)
		}
	}
	if versions != 1 {
		return nil, fmt.Errorf("%w: there are %d TXT records with its version at %s, not 1", ErrCatalog, versions, versionName.Text())
	}
	return members, nil
}
