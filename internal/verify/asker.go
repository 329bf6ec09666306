package verify

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/miekg/dns"
)

// asker queries many servers at a common pace. It is safe for concurrent use.
type asker struct {
	timeout time.Duration
	retries int
	// interval is the least time between two queries.
	interval time.Duration
	sent     atomic.Uint64

	mu      sync.Mutex
	next    time.Time
	servers map[netip.AddrPort]*respondent
}

// respondent is what is known of a server.
type respondent struct {
	silent int // queries without an answer, one after the other
	err    error
}

// maxSilent is how many queries in a row may be without an answer before a server is
// not queried any more.
const maxSilent = 5

var errUnreachable = errors.New("there is no route to the address from here")

// ask sends a query to one server. The error says why there is no answer; that of a
// server that was given up is its last one.
func (a *asker) ask(ctx context.Context, server netip.AddrPort, name string, rrtype uint16) (*dns.Msg, error) {
	a.mu.Lock()
	s := a.servers[server]
	if s == nil {
		if a.servers == nil {
			a.servers = make(map[netip.AddrPort]*respondent)
		}
		s = &respondent{}
		a.servers[server] = s
	}
	silent, last := s.silent, s.err
	a.mu.Unlock()
	if silent >= maxSilent {
		return nil, last
	}
	if err := a.wait(ctx); err != nil {
		return nil, err
	}
	msg, err := a.query(ctx, server, name, rrtype)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if s.err = err; err == nil {
		s.silent = 0
	} else {
		s.silent++
	}
	return msg, err
}

func (a *asker) query(ctx context.Context, server netip.AddrPort, name string, rrtype uint16) (*dns.Msg, error) {
	c := &client{server: server, timeout: a.timeout, retries: a.retries, window: 1, sent: &a.sent}
	if err := c.dial(ctx); err != nil {
		return nil, unreachable(err)
	}
	defer c.close()
	q := make([]query, 1)
	if err := q[0].prepare(name, rrtype, nil); err != nil {
		return nil, err
	}
	c.exchange(ctx, q)
	if q[0].msg == nil {
		return nil, unreachable(q[0].err)
	}
	return q[0].msg, nil
}

// unreachable tells an address of a family that this machine does not have.
func unreachable(err error) error {
	if errors.Is(err, syscall.ENETUNREACH) || errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EHOSTUNREACH) {
		return errUnreachable
	}
	return err
}

// wait waits for the turn of a query.
func (a *asker) wait(ctx context.Context) error {
	a.mu.Lock()
	now := time.Now()
	if a.next.Before(now) {
		a.next = now
	}
	delay := a.next.Sub(now)
	a.next = a.next.Add(a.interval)
	a.mu.Unlock()
	if delay <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// errand is what is done about one zone: it bounds the queries that answers cause,
// such as those about nameservers whose names lie in zones with other nameservers,
// and so on.
type errand struct {
	left   int // queries
	nested int // nameservers of nameservers
}

// The bounds of an errand.
const (
	maxQueries = 100
	maxNested  = 4
)

func newErrand() *errand { return &errand{left: maxQueries} }

var errTooMuch = fmt.Errorf("the answers lead to more than %d queries", maxQueries)

// askAny sends a query to servers in a random order, a few of them at most, until one
// has an answer of use.
func (a *asker) askAny(ctx context.Context, e *errand, servers []netip.AddrPort, name string, rrtype uint16, useful func(*dns.Msg) bool) (*dns.Msg, error) {
	const most = 4
	err := errors.New("no server has an address")
	tries := 0
	for _, i := range rand.Perm(len(servers)) {
		if e.left--; e.left < 0 {
			return nil, errTooMuch
		}
		msg, askErr := a.ask(ctx, servers[i], name, rrtype)
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case askErr == nil && useful(msg):
			return msg, nil
		case askErr == nil:
			askErr = errors.New(servers[i].String() + " does not refer to it: " + describe(msg))
		case errors.Is(askErr, errUnreachable):
			if tries == 0 {
				err = askErr
			}
			continue
		}
		if err, tries = askErr, tries+1; tries == most {
			break
		}
	}
	return nil, err
}

// describe says what a message without use is.
func describe(m *dns.Msg) string {
	if m.Rcode != dns.RcodeSuccess {
		if name, ok := dns.RcodeToString[m.Rcode]; ok {
			return name
		}
		return "an unknown RCODE"
	}
	return "an answer without authority"
}
