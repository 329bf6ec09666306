package secondary

import (
	"github.com/miekg/dns"

	"nullspf/internal/zonestore"
)

// publicPart returns what is answered from a catalog zone: that which a
// secondary asks before it transfers it. The list of all zones is not for
// everybody (RFC 9432 section 7).
func publicPart(z *zonestore.Zone) *zonestore.Zone {
	b := zonestore.NewBuilder(z.Name())
	for r := range z.Records {
		if r.Name == z.Name() && (r.Type == dns.TypeSOA || r.Type == dns.TypeNS) {
			if b.Add(*r) != nil {
				return nil
			}
		}
	}
	public, err := b.Build()
	if err != nil {
		return nil
	}
	return public
}
