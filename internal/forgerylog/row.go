package forgerylog

import (
	"strings"

	"nullspf/internal/attempt"
	"nullspf/internal/journal"
	"nullspf/spftrack"
)

// rowOf makes the row that an event gets when it is sealed.
func rowOf(e *spftrack.Event) journal.Row {
	r := journal.Row{
		Seq:            int64(e.Seq),
		TS:             e.Time,
		ServerID:       spftrack.Printable(e.Server),
		Zone:           spftrack.Printable(e.Zone),
		Kind:           e.Kind.String(),
		SenderLocal:    spftrack.Printable(e.SenderLocal),
		SenderDomain:   spftrack.Printable(e.SenderDomain),
		ForgedDomain:   spftrack.Printable(e.Forged),
		HELO:           spftrack.Printable(e.HELO),
		ResolverPort:   int32(e.Resolver.Port()),
		Transport:      e.Transport.String(),
		Qtype:          int32(e.QType),
		SourceVerified: e.SourceVerified,
		Flags:          e.Flags.String(),
		Attempt:        attempt.Is(e),
	}
	if e.ClientIP.IsValid() {
		r.ClientIP = e.ClientIP.String()
	}
	if addr := e.Resolver.Addr(); addr.IsValid() {
		r.Resolver = addr.String()
	}
	if e.ClientSubnet.IsValid() {
		r.ClientSubnet = e.ClientSubnet.String()
	}
	if len(e.Name) > 0 {
		r.RawName = spftrack.PrintableName(e.Name)
	}
	return r
}

// clone copies a row with its texts, so that it can be kept.
func clone(r *journal.Row) journal.Row {
	c := *r
	for _, s := range []*string{
		&c.ServerID, &c.Zone, &c.Kind, &c.ClientIP, &c.SenderLocal, &c.SenderDomain, &c.ForgedDomain,
		&c.HELO, &c.Resolver, &c.Transport, &c.ClientSubnet, &c.Flags, &c.RawName,
	} {
		*s = strings.Clone(*s)
	}
	return c
}
