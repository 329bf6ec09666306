package web

import (
	"hash/maphash"
	"net/netip"
	"sync"
	"time"

	"nullspf/internal/tally"
)

const (
	// burst wrong passwords may come at once from a network, and for a name; then one
	// each tryEvery.
	burst    = 10
	tryEvery = 30 * time.Second
	// maxTries bounds the networks that are remembered, and the places of users.
	maxTries = 10_000
)

// tries bounds how often passwords are tried: from a network, 24 bits of an IPv4 address and
// 48 of an IPv6 address, and for a name from anywhere. From where a user has logged in
// before, only what was tried there for this name counts, so that strangers cannot lock
// users out.
type tries struct {
	now func() time.Time

	mu    sync.Mutex
	nets  map[netip.Prefix]*level
	known map[place]*level
	// names are found by a hash of the name: names of users and others share them, so that
	// nobody can tell which is which.
	names [1024]level
	seed  maphash.Seed
}

// place is a network from which a user has logged in.
type place struct {
	net  netip.Prefix
	name string
}

// level rises with each wrong password, and falls with time.
type level struct {
	height float64
	at     time.Time
}

func newTries(now func() time.Time) *tries {
	return &tries{now: now, nets: make(map[netip.Prefix]*level), known: make(map[place]*level), seed: maphash.MakeSeed()}
}

// begin asks whether a password may be tried, which counts as wrong until won is called.
// Otherwise it says how long to wait. known: the user has logged in from there before.
func (t *tries) begin(from netip.Addr, name string) (won func(), known bool, wait time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	at, now := place{netOf(from), name}, t.now()
	var counted []*level
	if ofPlace := t.known[at]; ofPlace != nil {
		known, counted = true, append(counted, ofPlace)
	} else {
		ofName := &t.names[maphash.String(t.seed, name)%uint64(len(t.names))]
		counted = append(counted, ofName, levelOf(t.nets, at.net, now))
	}
	for _, l := range counted {
		wait = max(wait, l.fall(now))
	}
	if wait > 0 {
		return nil, known, wait
	}
	for _, l := range counted {
		l.height++
	}
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		for _, l := range counted {
			l.height--
		}
		levelOf(t.known, at, now)
	}, known, 0
}

// fall lets a level fall, and says how long it takes until there is room for one more.
func (l *level) fall(now time.Time) time.Duration {
	l.height = max(0, l.height-max(0, float64(now.Sub(l.at))/float64(tryEvery)))
	l.at = now
	return time.Duration(max(0, l.height+1-burst) * float64(tryEvery))
}

// levelOf is the level of a key. When there are too many, those that have fallen are
// forgotten, and if there are none, any other.
func levelOf[K comparable](levels map[K]*level, key K, now time.Time) *level {
	if l := levels[key]; l != nil {
		return l
	}
	if len(levels) >= maxTries {
		for k, l := range levels {
			if l.fall(now); l.height == 0 {
				delete(levels, k)
			}
		}
		for k := range levels {
			if len(levels) < maxTries {
				break
			}
			delete(levels, k)
		}
	}
	l := &level{at: now}
	levels[key] = l
	return l
}

// netOf is the network of an address.
func netOf(addr netip.Addr) netip.Prefix {
	p, _ := addr.Prefix(tally.NetBits(addr))
	return p
}
