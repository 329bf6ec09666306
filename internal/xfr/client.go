package xfr

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/miekg/dns"

	"nullspf/internal/serial"
	"nullspf/internal/wire"
	"nullspf/internal/zonestore"
)

// Primary is a server from which zones are transferred.
type Primary struct {
	Addr netip.AddrPort
	// Local is the address to ask from; the zero Addr leaves it to the kernel.
	Local netip.Addr
	// Key signs all messages in both directions; nil is none.
	Key *Key
}

// Limits bound what one zone of a primary may cost.
type Limits struct {
	// Records and Octets are those of a zone.
	Records int
	Octets  int64
	// Time is that of a transfer, Idle that between two messages.
	Time, Idle time.Duration
}

// DefaultLimits are those of a configuration that says nothing.
var DefaultLimits = Limits{Records: 4_000_000, Octets: 256 << 20, Time: 30 * time.Minute, Idle: 30 * time.Second}

// Client brings zones of one primary up to date, over a bounded number of TCP
// connections that it uses again (RFC 7766 section 6.2.1). Many goroutines may
// use it.
type Client struct {
	primary Primary
	limits  Limits
	slots   chan struct{}
	// now is the clock of signatures.
	now func() time.Time

	mu     sync.Mutex
	idle   []*clientConn
	closed bool
}

// NewClient returns a client with at most so many connections.
func NewClient(p Primary, l Limits, connections int) *Client {
	return &Client{primary: p, limits: l, slots: make(chan struct{}, connections), now: time.Now}
}

// Refresh brings a zone up to date. With have nil it is transferred whole.
// Otherwise the SOA record is asked for first: have itself comes back when the
// primary has no newer version. The error is a [*TransferError]; have stays
// what it is.
func (c *Client) Refresh(ctx context.Context, zone wire.Name, have *zonestore.Zone) (*zonestore.Zone, error) {
	ctx, cancel := context.WithTimeout(ctx, c.limits.Time)
	defer cancel()
	z, err := c.refresh(ctx, zone, have)
	if err == nil {
		return z, nil
	}
	var known *TransferError
	if !errors.As(err, &known) {
		known = &TransferError{Reason: ReasonOther, Err: err}
	}
	known.Zone, known.Primary = zone, c.primary.Addr
	return nil, known
}

func (c *Client) refresh(ctx context.Context, zone wire.Name, have *zonestore.Zone) (*zonestore.Zone, error) {
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		return nil, fault(ReasonTimeout, "no connection was free: %v", context.Cause(ctx))
	}
	if have == nil {
		return c.transfer(ctx, zone, nil)
	}
	theirs, err := c.serial(ctx, zone)
	switch {
	case err != nil:
		return nil, err
	case theirs == have.Serial():
		return have, nil
	case !serial.Greater(theirs, have.Serial()):
		return nil, fault(ReasonBackwards, "the primary has serial number %d, which is before ours, %d", theirs, have.Serial())
	}
	z, err := c.transfer(ctx, zone, have)
	if err == nil || !retryWhole(err) {
		return z, err
	}
	z, whole := c.transfer(ctx, zone, nil)
	if whole != nil {
		var now, before *TransferError
		if errors.As(whole, &now) && errors.As(err, &before) {
			now.Err = fmt.Errorf("%w; before that, IXFR failed: %s: %v", now.Err, before.Reason, before.Err)
		}
		return nil, whole
	}
	if !serial.Greater(z.Serial(), have.Serial()) {
		return nil, fault(ReasonBackwards, "the zone came with serial number %d, ours is %d", z.Serial(), have.Serial())
	}
	return z, nil
}

// retryWhole reports whether AXFR may succeed where IXFR has failed.
func retryWhole(err error) bool {
	var e *TransferError
	if !errors.As(err, &e) {
		return false
	}
	// ReasonLimit: differences can be longer than the zone.
	return e.Reason == ReasonIXFR || e.Reason == ReasonRefused || e.Reason == ReasonZone || e.Reason == ReasonLimit
}

// serial asks for the SOA record of a zone.
func (c *Client) serial(ctx context.Context, zone wire.Name) (serial uint32, err error) {
	err = c.exchange(ctx, zone, dns.TypeSOA, nil, func(m *message) (bool, error) {
		if m.flags&0x0400 == 0 {
			return false, fault(ReasonRefused, "the primary has no authority for the zone")
		}
		for r, err := range m.records {
			if err != nil {
				return false, err
			}
			if r.Type != dns.TypeSOA || r.Name != zone {
				continue
			}
			soa, err := wire.ParseSOA(r.Data)
			if err != nil {
				return false, fault(ReasonFormat, "SOA record: %w", err)
			}
			serial = soa.Serial
			return true, nil
		}
		return false, fault(ReasonRefused, "the primary has no SOA record of the zone")
	})
	return serial, err
}

// transfer transfers a zone, or what has changed since have.
func (c *Client) transfer(ctx context.Context, zone wire.Name, have *zonestore.Zone) (*zonestore.Zone, error) {
	s := newStream(zone, have, c.limits)
	qtype := dns.TypeAXFR
	if have != nil {
		qtype = dns.TypeIXFR
	}
	if err := c.exchange(ctx, zone, qtype, have, s.message); err != nil {
		return nil, err
	}
	return s.zone()
}
