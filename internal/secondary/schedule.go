package secondary

import (
	"math"
	"math/rand/v2"
	"time"

	"nullspf/internal/wire"
)

// Bounds are those of the times that SOA records ask for, which a primary
// chooses.
type Bounds struct {
	MinRefresh, MaxRefresh time.Duration
	MinRetry, MaxRetry     time.Duration
	// MaxExpire is the longest time that a zone is served without its primary.
	// The shortest is refresh and retry time together (RFC 1912 section 2.2).
	MaxExpire time.Duration
	// FirstRetry is the time after which the first transfer of a zone is tried
	// again; it doubles up to LastRetry.
	FirstRetry, LastRetry time.Duration
}

// DefaultBounds are those of [Options] that say nothing.
var DefaultBounds = Bounds{
	MinRefresh: 30 * time.Second, MaxRefresh: 24 * time.Hour,
	MinRetry: 5 * time.Second, MaxRetry: 24 * time.Hour,
	MaxExpire:  24 * 7 * 24 * time.Hour,
	FirstRetry: 5 * time.Second, LastRetry: time.Hour,
}

// intervals are the times of a SOA record, bounded.
type intervals struct{ refresh, retry, expire time.Duration }

func (b *Bounds) intervals(soa *wire.SOA) (i intervals) {
	seconds := func(n uint32) time.Duration { return time.Duration(n) * time.Second }
	i.refresh = min(max(seconds(soa.Refresh), b.MinRefresh), b.MaxRefresh)
	i.retry = min(max(seconds(soa.Retry), b.MinRetry), b.MaxRetry)
	i.expire = min(max(seconds(soa.Expire), i.refresh+i.retry), b.MaxExpire)
	return i
}

// firstRetry returns how long to wait for the next try of a first transfer that
// has failed so many times.
func (b *Bounds) firstRetry(failures uint8) time.Duration {
	d := b.FirstRetry
	for i := uint8(1); i < failures && d < b.LastRetry; i++ {
		d *= 2
	}
	return min(d, b.LastRetry)
}

// jitter returns between 75 and 100 percent of an interval, so that zones that
// are loaded at once are not refreshed at once.
func jitter(d time.Duration) time.Duration { return d - rand.N(d/4+1) }

// never is a time that does not come.
const never = math.MaxInt64

// timers are the zones by the time of their next event: a heap whose first has
// the earliest.
type timers []*zone

// set puts a zone in or moves it; with never it is taken out.
func (t *timers) set(z *zone, at int64) {
	in := z.place > 0
	z.at = at
	switch {
	case at == never && in:
		t.remove(z)
	case at == never:
	case in:
		t.fix(int(z.place - 1))
	default:
		*t = append(*t, z)
		t.up(len(*t) - 1)
	}
}

// remove takes a zone out that is in.
func (t *timers) remove(z *zone) {
	i, last := int(z.place-1), len(*t)-1
	moved := (*t)[last]
	(*t)[last] = nil
	*t = (*t)[:last]
	z.place = 0
	if i < last {
		(*t)[i] = moved
		t.fix(i)
	}
}

func (t *timers) fix(i int) {
	if !t.down(i) {
		t.up(i)
	}
}

func (t *timers) up(i int) {
	z := (*t)[i]
	for i > 0 {
		above := (i - 1) / 2
		if (*t)[above].at <= z.at {
			break
		}
		t.put(i, (*t)[above])
		i = above
	}
	t.put(i, z)
}

// down reports whether the zone has moved.
func (t *timers) down(i int) bool {
	z, from := (*t)[i], i
	for {
		below := 2*i + 1
		if below >= len(*t) {
			break
		}
		if right := below + 1; right < len(*t) && (*t)[right].at < (*t)[below].at {
			below = right
		}
		if z.at <= (*t)[below].at {
			break
		}
		t.put(i, (*t)[below])
		i = below
	}
	t.put(i, z)
	return i > from
}

func (t *timers) put(i int, z *zone) {
	(*t)[i] = z
	z.place = int32(i + 1)
}
