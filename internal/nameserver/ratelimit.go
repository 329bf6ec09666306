package nameserver

import (
	"crypto/rand"
	"encoding/binary"
	"math/bits"
	"net/netip"
	"time"
)

// DefaultRate is the number of answers a second that a source prefix gets.
const DefaultRate = 1000

// RateLimit is the limit on the answers to one source prefix, /24 in IPv4 and
// /56 in IPv6. What exceeds it is answered with TC and no records, which costs
// a resolver a connection and gains a forger of addresses nothing. TCP, valid
// cookies, loopback and Exempt are not limited.
type RateLimit struct {
	// Rate is in answers a second; 0 means no limit.
	Rate   int
	Exempt []netip.Prefix
}

// exempt reports whether a client is never limited.
func (l *RateLimit) exempt(client netip.Addr) bool {
	if client.IsLoopback() {
		return true
	}
	for _, p := range l.Exempt {
		if p.Contains(client) {
			return true
		}
	}
	return false
}

const (
	rateSets = 1 << 14
	rateWays = 4
)

// rateTable counts answers by source prefix: sets of four buckets, of which a
// new prefix takes the one that was idle longest. Its size does not depend on
// the traffic. It is for one goroutine at a time.
type rateTable struct {
	// now is the time, in ns since the process began: it does not follow the time
	// of day, which may jump and stand still.
	now int64
	// weight is what an answer counts, at most [fullWeight]: the limit is shared
	// out among workers, and a worker whose queue has more than one share of the
	// messages counts each for less.
	weight int64
	seed   [2]uint64
	sets   [][rateWays]rateBucket
}

// fullWeight is the weight of an answer by a worker that has one share.
const fullWeight = 1 << 8

// rateBucket is a leaky bucket that holds a second's worth of answers.
type rateBucket struct {
	// prefix is 0 in a bucket that was never used.
	prefix uint64
	// full is the time, in ns, until which the answers given so far use up the
	// rate.
	full int64
}

func newRateTable() *rateTable {
	t := &rateTable{weight: fullWeight, sets: make([][rateWays]rateBucket, rateSets)}
	var seed [16]byte
	_, _ = rand.Read(seed[:]) // never fails
	t.seed[0] = binary.LittleEndian.Uint64(seed[:])
	t.seed[1] = binary.LittleEndian.Uint64(seed[8:]) | 1
	return t
}

// allow counts one answer to the client, and reports whether it stays within an
// answer per interval.
func (t *rateTable) allow(client netip.Addr, interval time.Duration) bool {
	now := t.now
	prefix := ratePrefix(client)
	hi, lo := bits.Mul64(prefix^t.seed[0], t.seed[1])
	set := &t.sets[(hi^lo)%rateSets]
	b := &set[0]
	for i := range set {
		if set[i].prefix == prefix {
			b = &set[i]
			break
		}
		if set[i].full < b.full {
			b = &set[i]
		}
	}
	if b.prefix != prefix {
		*b = rateBucket{prefix: prefix, full: now}
	}
	b.full = max(b.full, now)
	if b.full-now >= int64(time.Second) {
		return false
	}
	b.full += int64(interval) * t.weight / fullWeight
	return true
}

// ratePrefix packs the prefix of an address into a number other than 0.
func ratePrefix(client netip.Addr) uint64 {
	if client.Is4() {
		a := client.As4()
		return uint64(a[0])<<24 | uint64(a[1])<<16 | uint64(a[2])<<8 | 4
	}
	a := client.As16()
	return binary.BigEndian.Uint64(a[:])&^0xff | 6
}
