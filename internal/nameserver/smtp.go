package nameserver

import (
	"fmt"
	"math"
	"net/netip"
	"os"
	"slices"
	"time"

	"github.com/rs/zerolog"

	"nullspf/internal/journal"
	"nullspf/internal/keypair"
	"nullspf/nolisting"
	"nullspf/spftrack"
)

// SMTP is the listener that never accepts mail. Its sessions are events.
type SMTP struct {
	// Position is FILE:LINE of the directive, for messages.
	Position string
	// Listen are the addresses, none of them twice.
	Listen []netip.AddrPort
	Mode   nolisting.Mode
	At     nolisting.Stage
	Tarpit time.Duration
	// Cert and Key are files; "" is no STARTTLS.
	Cert, Key   string
	Connections int
}

// DefaultSMTP returns the settings of a listener for which nothing is said.
func DefaultSMTP() *SMTP {
	return &SMTP{Mode: nolisting.Defer, At: nolisting.AtRecipient, Connections: nolisting.DefaultConnections}
}

// settings reads what the listener needs; nil is none.
func (c *Config) smtp() (*nolisting.ListenerSettings, error) {
	m := c.SMTP
	if m == nil {
		return nil, nil
	}
	s := &nolisting.ListenerSettings{
		Addresses: m.Listen, Mode: m.Mode, At: m.At, Tarpit: m.Tarpit, Connections: m.Connections, Proxies: c.Proxies,
	}
	taken := []netip.AddrPort{c.Metrics, c.Health}
	for _, b := range c.Blocks {
		taken = append(taken, b.Listen...)
	}
	for _, at := range m.Listen {
		if at.Port() != 0 && slices.Contains(taken, at) {
			return nil, fmt.Errorf("%s: smtp: %s is used for something else; mail comes to port 25", m.Position, at)
		}
	}
	if m.Cert != "" {
		var err error
		if s.Certificate, err = keypair.Load(m.Cert, m.Key); err != nil {
			return nil, fmt.Errorf("%s: smtp: tls: %w", m.Position, err)
		}
	}
	return s, nil
}

// newSMTP returns the listener of a server, which listens nowhere yet.
func newSMTP(events eventWriter, log zerolog.Logger) *nolisting.Listener {
	hostname, err := os.Hostname()
	if err != nil {
		hostname = "localhost"
	}
	return nolisting.NewListener(nolisting.ListenerOptions{Hostname: hostname, Logger: log, Record: func(s *nolisting.Session) {
		stored := journal.Session{
			Time: s.Start.UnixNano(), Client: s.Client, HELO: s.HELO, SenderLocal: s.SenderLocal, SenderDomain: s.SenderDomain,
			Session: spftrack.Session{
				Recipients: uint16(min(s.Recipients, math.MaxUint16)), RecipientDomain: s.RecipientDomain, TLS: s.TLS, Duration: s.Duration,
			},
		}
		events.Put(stored.Packet(new(journal.SessionBuffer)))
		events.Commit()
	}})
}
