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
	// Records is their number in a zone, Bytes their size in bytes.
	Records int
	Bytes   int64
	// Time is that of a transfer, Idle that between two messages.
	Time, Idle time.Duration
}

// DefaultLimits are those of a configuration that says nothing.
var DefaultLimits = Limits{Records: 4_000_000, Bytes: 256 << 20, Time: 30 * time.Minute, Idle: 30 * time.Second}

// Client refreshes zones of one primary, over a bounded number of TCP
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
	// wholeUntil is until when zones are asked for by AXFR alone, because the
	// primary has shown that it cannot do IXFR. single counts its answers of a
	// single SOA record in a row.
	wholeUntil time.Time
	single     int
}

const (
	// ixfrPause is how long a primary that cannot do IXFR is not asked for it.
	ixfrPause = time.Hour
	// mostSingle: after so many single SOA records in a row, which say that there
	// are no differences of one version, there are none of others either.
	mostSingle = 3
	// singlePatience is how long the rest may take after a SOA record in a message
	// of its own, which is either a beginning or all there is.
	singlePatience = time.Second
)

// errSingleSOA: a newer SOA record is all that has come. NSD answers so when it
// has no differences.
var errSingleSOA = errors.New("the primary has no differences (IXFR)")

// Want says what is wanted of a primary.
type Want struct {
	Zone wire.Name
	// Have is the version that there is; nil asks for the whole zone.
	Have *zonestore.Zone
	// Any: another version than Have is taken also when its serial number is
	// smaller.
	Any bool
}

// Got is what a primary has sent.
type Got struct {
	// Zone is the version that the primary has: that of [Want] when it has none
	// that is newer.
	Zone *zonestore.Zone
	// Outside is the number of records that were left out because their names
	// are not in the zone, Example one of them.
	Outside int
	Example string
}

// NewClient returns a client with at most so many connections.
func NewClient(p Primary, l Limits, connections int) *Client {
	return &Client{primary: p, limits: l, slots: make(chan struct{}, connections), now: time.Now}
}

// Refresh gets the newest version of a zone. Without a version at hand it is transferred
// whole. Otherwise the SOA record is asked for first, and then for differences
// (IXFR), or for the whole zone (AXFR) where that fails. The error is a
// [*TransferError]; then the version at hand stays what it is.
func (c *Client) Refresh(ctx context.Context, w Want) (Got, error) {
	ctx, cancel := context.WithTimeout(ctx, c.limits.Time)
	defer cancel()
	got, err := c.refresh(ctx, w)
	if err == nil {
		return got, nil
	}
	var known *TransferError
	if !errors.As(err, &known) {
		known = &TransferError{Reason: ReasonOther, Err: err}
	}
	known.Zone, known.Primary = w.Zone, c.primary.Addr
	return Got{}, known
}

func (c *Client) refresh(ctx context.Context, w Want) (Got, error) {
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		return Got{}, fault(ReasonTimeout, "no connection was free: %v", context.Cause(ctx))
	}
	have := w.Have
	if have == nil {
		return c.transfer(ctx, w.Zone, nil)
	}
	theirs, err := c.serial(ctx, w.Zone)
	switch newer := serial.Greater(theirs, have.Serial()); {
	case err != nil:
		return Got{}, err
	case theirs == have.Serial():
		return Got{Zone: have}, nil
	case !newer && !w.Any:
		return Got{}, fault(ReasonBackwards, "the primary has serial number %d, older than ours, %d", theirs, have.Serial())
	case newer && !c.wholeOnly():
		got, err := c.transfer(ctx, w.Zone, have)
		if err == nil {
			c.noteIXFR(nil)
			return got, nil
		}
		return c.retryWhole(ctx, w, err)
	}
	return c.whole(ctx, w)
}

// whole transfers a zone by AXFR.
func (c *Client) whole(ctx context.Context, w Want) (Got, error) {
	got, err := c.transfer(ctx, w.Zone, nil)
	if err == nil && !w.Any && !serial.Greater(got.Zone.Serial(), w.Have.Serial()) {
		return Got{}, fault(ReasonBackwards, "the zone came with serial number %d, ours is %d", got.Zone.Serial(), w.Have.Serial())
	}
	return got, err
}

// retryWhole transfers a zone by AXFR after IXFR has failed.
func (c *Client) retryWhole(ctx context.Context, w Want, ixfr error) (Got, error) {
	if ctx.Err() != nil {
		c.noteIXFR(ixfr) // no time is left: the next try is AXFR
		return Got{}, ixfr
	}
	got, err := c.whole(ctx, w)
	if err == nil {
		c.noteIXFR(ixfr)
		return got, nil
	}
	var now, before *TransferError
	if errors.As(err, &now) && errors.As(ixfr, &before) {
		now.Err = fmt.Errorf("%w; before that, IXFR failed: %s: %v", now.Err, before.Reason, before.Err)
	}
	return Got{}, err
}

// noteIXFR notes whether IXFR has failed in a way that is the primary's and not
// that of one zone or version.
func (c *Client) noteIXFR(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var e *TransferError
	switch {
	case err == nil:
		c.single = 0
		return
	case errors.Is(err, errSingleSOA):
		if c.single++; c.single < mostSingle {
			return
		}
	case errors.As(err, &e):
		switch e.Reason {
		case ReasonConnect, ReasonTimeout, ReasonIdle, ReasonRefused, ReasonTSIG, ReasonFormat, ReasonQuestion, ReasonIncomplete:
		default:
			return
		}
	}
	c.wholeUntil, c.single = time.Now().Add(ixfrPause), 0
}

// wholeOnly reports whether the primary is not to be asked for IXFR.
func (c *Client) wholeOnly() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Before(c.wholeUntil)
}

// serial asks for the SOA record of a zone.
func (c *Client) serial(ctx context.Context, zone wire.Name) (serial uint32, err error) {
	err = c.exchange(ctx, zone, dns.TypeSOA, nil, func(m *message) (bool, error) {
		if m.flags&0x0400 == 0 {
			return false, fault(ReasonRefused, "the primary is not authoritative for the zone")
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
		return false, fault(ReasonRefused, "the primary has no SOA record for the zone")
	}, func() time.Duration { return c.limits.Idle })
	return serial, err
}

// transfer transfers a zone, or what has changed since have.
func (c *Client) transfer(ctx context.Context, zone wire.Name, have *zonestore.Zone) (Got, error) {
	s := newStream(zone, have, c.limits)
	qtype := dns.TypeAXFR
	if have != nil {
		qtype = dns.TypeIXFR
	}
	patience := func() time.Duration {
		if s.single() {
			return min(c.limits.Idle, singlePatience)
		}
		return c.limits.Idle
	}
	if err := c.exchange(ctx, zone, qtype, have, s.message, patience); err != nil {
		var e *TransferError
		if errors.As(err, &e) && e.Reason == ReasonIdle && s.single() {
			err = &TransferError{Reason: ReasonIXFR, Err: errSingleSOA}
		}
		return Got{}, err
	}
	z, err := s.zone()
	if err != nil {
		return Got{}, err
	}
	return Got{Zone: z, Outside: s.outside, Example: s.example}, nil
}
