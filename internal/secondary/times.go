package secondary

import (
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

// defaultBounds are those of [Options] that say nothing.
var defaultBounds = Bounds{
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

// times are those of a zone.
type times struct {
	// refreshed is the last time that a primary was asked with success. It
	// outlasts restarts.
	refreshed instant
	// expires is when the version ends, next when a primary is asked again.
	expires, next instant
	// filed: refreshed is from a file, where the time of day stands. As long as
	// the clock is wrong it may lie in the future.
	filed bool
}

// renew sets the times of a version that was refreshed now.
func (t *times) renew(now instant, i intervals) {
	*t = times{refreshed: now, expires: now.add(i.expire), next: now.add(jitter(i.refresh))}
}

// restore sets the times of a version that was refreshed when its file says,
// which may have been written by another clock.
func (t *times) restore(refreshed, now instant, i intervals) {
	t.renew(min(refreshed, now), i)
	t.refreshed, t.filed = refreshed, true
}

// clockSet: the time of day was set ahead by a time, back by a negative one.
// Time that nobody noticed may have passed, so a primary is asked, unless that
// was just done. Nothing expires because of it. What was counted from a file
// with the wrong time of day is counted anew, and nothing stays further away
// than its own interval.
func (t *times) clockSet(ahead time.Duration, now instant, i intervals, recent time.Duration) {
	if t.filed {
		t.refreshed = t.refreshed.add(-ahead)
		t.expires = max(t.expires, min(t.refreshed, now).add(i.expire))
	}
	t.expires = min(t.expires, now.add(i.expire))
	if t.refreshed > now || now.sub(t.refreshed) > recent {
		t.next = min(t.next, now)
	}
}

// retry sets when a primary is asked again after a failure.
func (t *times) retry(now instant, wait time.Duration) { t.next = now.add(jitter(wait)) }

// over reports whether a version is too old to be served.
func (t *times) over(now instant) bool { return t.expires <= now }
