package secondary

import (
	"time"

	"github.com/miekg/dns"

	"nullspf/internal/wire"
	"nullspf/internal/zonestore"
)

// zone is what is known of a zone besides its records. The lock of the schedule
// guards it.
type zone struct {
	name wire.Name
	slot *zonestore.Slot
	// have is the last version, served unless expired; nil before the first.
	have  *zonestore.Zone
	group *group
	// catalog is the zone that lists this one, nil for none, and label a hash of
	// its label there, 0 when it is not known.
	catalog *zone
	label   uint64
	times
	// problem is why the last try failed, nil when it did not.
	problem error

	// at and place belong to the timers; place is 0 outside.
	at    instant
	place int32
	// waits, before and after belong to the queue.
	waits         urgency
	before, after *zone

	// primary is the one that answered last.
	primary uint8
	// failures in a row, at most 255.
	failures uint8

	// isCatalog: the zone lists others.
	isCatalog bool
	// lost: what the zone lists is not known, because its file is damaged and no
	// primary has sent it yet.
	lost    bool
	expired bool
	// running: a worker has the zone; again: it is to be asked once more then.
	running, again bool
	// hinted: the same, when hints allow it.
	hinted bool
	// whole: the next transfer is one of all records.
	whole bool
	// removed: the zone is no longer ours.
	removed bool
}

// base returns the version from which a primary is asked for changes; nil is
// the whole zone.
func (z *zone) base() *zonestore.Zone {
	if z.whole {
		return nil
	}
	return z.have
}

// restore makes a version from the disk the one that there is.
func (z *zone) restore(have *zonestore.Zone, refreshed, now instant, b *Bounds) {
	z.have = have
	z.times.restore(refreshed, now, b.of(have))
}

// renew makes the version of a primary the one that is served, and reports
// whether it was not served until now.
func (z *zone) renew(got *zonestore.Zone, primary int, now instant, b *Bounds) (changed bool) {
	changed = got != z.have || z.expired
	z.have, z.expired, z.whole, z.lost = got, false, false, false
	z.primary, z.failures, z.problem = uint8(primary), 0, nil
	z.times.renew(now, b.of(got))
	if changed {
		z.serve()
	}
	return changed
}

// fail notes why no primary has sent a version.
func (z *zone) fail(problem error, now instant, b *Bounds) {
	z.problem = problem
	z.failures = min(z.failures, 254) + 1
	wait := b.firstRetry(z.failures)
	if z.have != nil {
		wait = b.of(z.have).retry
	}
	z.retry(now, wait)
}

// expire ends a version that is too old, and reports whether it was served
// until now.
func (z *zone) expire(now instant) bool {
	if z.have == nil || z.expired || !z.over(now) {
		return false
	}
	z.expired = true
	z.serve()
	return true
}

// clockSet: the time of day was set ahead by a time, back by a negative one. It
// reports whether the version is served again, which had only expired by the
// wrong time of day.
func (z *zone) clockSet(ahead time.Duration, now instant, b *Bounds) (back bool) {
	if z.have == nil {
		return false
	}
	i := b.of(z.have)
	z.times.clockSet(ahead, now, i, b.MinRefresh)
	if ahead > 0 && z.filed && !z.over(now) {
		// From now on the file may seem too old. Its date is to be such that the
		// version ends when it does now.
		z.refreshed, z.filed = z.expires.add(-i.expire), false
	}
	if !z.expired || z.over(now) {
		return false
	}
	z.expired = false
	z.serve()
	return true
}

// reset forgets all that is known of the zone.
func (z *zone) reset(now instant) {
	z.have, z.expired, z.problem, z.failures = nil, false, nil, 0
	z.next = now
	z.serve()
}

// serve has queries answered from what there is.
func (z *zone) serve() {
	switch {
	case z.have == nil || z.expired:
		z.slot.Serve(nil)
	case z.isCatalog:
		z.slot.Serve(publicPart(z.have))
	default:
		z.slot.Serve(z.have)
	}
}

// publicPart returns what is answered from a catalog zone: that which a
// secondary asks before it transfers it. The list of all zones is not for
// everybody (RFC 9432 section 7).
func publicPart(z *zonestore.Zone) *zonestore.Zone {
	b := zonestore.NewBuilder(z.Name())
	for r := range z.Records {
		if r.Name != z.Name() {
			break // the records of the apex are the first
		}
		if r.Type == dns.TypeSOA || r.Type == dns.TypeNS {
			if b.Add(*r) != nil {
				return nil
			}
		}
	}
	public, err := b.Build()
	if err != nil {
		return nil
	}
	return public
}

// due returns the time of the next event: the version ends, or a primary is
// asked.
func (z *zone) due() instant {
	at := never
	if z.have != nil && !z.expired {
		at = z.expires
	}
	if !z.running && z.waits == urgencyNone {
		at = min(at, z.next)
	}
	return at
}

// usual returns how urgent the zone is when its time has come.
func (z *zone) usual() urgency {
	switch {
	case z.isCatalog:
		return urgencyAsked
	case z.have == nil:
		return urgencyFirst
	}
	return urgencyTimed
}
