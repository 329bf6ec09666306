package secondary

import (
	"math"
	"math/rand/v2"
	"time"

	"nullspf/internal/wire"
	"nullspf/internal/zonestore"
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

// of returns the intervals of a version.
func (b *Bounds) of(z *zonestore.Zone) intervals {
	_, soa := z.SOA()
	return b.intervals(&soa)
}

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

// instant is a time by which a schedule goes, in nanoseconds since 1970 by the
// wall clock.
type instant int64

// never is a time that does not come.
const never instant = math.MaxInt64

func instantOf(t time.Time) instant { return instant(t.UnixNano()) }

// time returns the zero Time for 0 and never.
func (i instant) time() time.Time {
	if i == 0 || i == never {
		return time.Time{}
	}
	return time.Unix(0, int64(i))
}

// times are those of a zone.
type times struct {
	// refreshed is the last time that a primary was asked with success. It
	// outlasts restarts.
	refreshed instant
	// expires is when the version ends, next when a primary is asked again.
	expires, next instant
}

// renew sets the times of a version that was refreshed now.
func (t *times) renew(now time.Time, i intervals) {
	t.refreshed = instantOf(now)
	t.expires = instantOf(now.Add(i.expire))
	t.next = instantOf(now.Add(jitter(i.refresh)))
}

// restore sets the times of a version that was refreshed when its file says,
// which may have been written by another clock.
func (t *times) restore(refreshed, now time.Time, i intervals) {
	if refreshed.After(now) {
		refreshed = now
	}
	t.renew(refreshed, i)
}

// retry sets when a primary is asked again after a failure.
func (t *times) retry(now time.Time, wait time.Duration) { t.next = instantOf(now.Add(jitter(wait))) }

// over reports whether a version is too old to be served.
func (t *times) over(now time.Time) bool { return t.expires <= instantOf(now) }
