// Package reverse tells the state of the reverse DNS of addresses, as mail servers
// look at it: a PTR record whose name leads back to the address.
package reverse

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

// State is what was found.
type State string

// The states.
const (
	// OK: a PTR record has a name with the address (forward-confirmed).
	OK State = "OK"
	// NoPTR: there is no PTR record.
	NoPTR State = "NOPTR"
	// BadPTR: no name of the PTR records has the address.
	BadPTR State = "BADPTR"
	// TempFail: no answer, or one that says nothing.
	TempFail State = "TEMPFAIL"
)

// Answer is the state of an address and the name that belongs to it, without final dot:
// the one that leads back, else the first, raw bytes of a stranger; "" for none.
type Answer struct {
	State State
	Name  string
}

// Lookup is how names are asked for; [net.Resolver] is one.
type Lookup interface {
	LookupAddr(ctx context.Context, addr string) ([]string, error)
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

const (
	// parallel is how many addresses are looked up at once, patience how long one
	// may take.
	parallel = 16
	patience = 5 * time.Second
	// maxNames bounds the names of an address that are followed.
	maxNames = 4
	// remembered is how many answers are kept, for lasting if they are certain, else
	// for passing.
	remembered = 10_000
	lasting    = time.Hour
	passing    = time.Minute
)

// Cache looks addresses up and remembers the answers for an hour, a failure for a
// minute. Any goroutine may use it.
type Cache struct {
	lookup Lookup
	mu     sync.Mutex
	known  map[netip.Addr]entry
	turn   chan struct{}
}

type entry struct {
	Answer
	until time.Time
}

// New returns a cache.
func New(l Lookup) *Cache {
	return &Cache{lookup: l, known: make(map[netip.Addr]entry), turn: make(chan struct{}, parallel)}
}

// All looks up addresses side by side, in their order. When ctx ends, those left are
// TempFail.
func (c *Cache) All(ctx context.Context, addrs []netip.Addr) []Answer {
	answers := make([]Answer, len(addrs))
	var running sync.WaitGroup
	for i, addr := range addrs {
		running.Go(func() { answers[i] = c.Of(ctx, addr) })
	}
	running.Wait()
	return answers
}

// Of looks up an address.
func (c *Cache) Of(ctx context.Context, addr netip.Addr) Answer {
	c.mu.Lock()
	e, known := c.known[addr]
	c.mu.Unlock()
	if known && time.Now().Before(e.until) {
		return e.Answer
	}
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return Answer{State: TempFail}
	}
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	a := c.ask(limited, addr)
	if ctx.Err() != nil {
		return a
	}
	keep := lasting
	if a.State == TempFail {
		keep = passing
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.known) >= remembered {
		clear(c.known)
	}
	c.known[addr] = entry{a, time.Now().Add(keep)}
	return a
}

func (c *Cache) ask(ctx context.Context, addr netip.Addr) Answer {
	names, err := c.lookup.LookupAddr(ctx, addr.String())
	if len(names) == 0 {
		if err == nil || absent(err) {
			return Answer{State: NoPTR}
		}
		return Answer{State: TempFail}
	}
	state := BadPTR
	for _, name := range names[:min(len(names), maxNames)] {
		found, err := c.lookup.LookupNetIP(ctx, "ip", name)
		if slices.ContainsFunc(found, func(a netip.Addr) bool { return a.Unmap() == addr }) {
			return Answer{OK, bare(name)}
		}
		if err != nil && !absent(err) {
			state = TempFail
		}
	}
	return Answer{state, bare(names[0])}
}

func bare(name string) string { return strings.TrimSuffix(name, ".") }

// absent reports whether an error says that there is no such name or record.
func absent(err error) bool {
	var d *net.DNSError
	return errors.As(err, &d) && d.IsNotFound
}
