package secondary

import (
	"net/netip"
	"time"

	"nullspf/internal/wire"
	"nullspf/internal/xfr"
	"nullspf/internal/zonestore"
)

// ZoneState says how it stands with a zone of a secondary.
type ZoneState uint8

// The states.
const (
	// ZonePending: there is no version yet; queries are answered with
	// SERVFAIL.
	ZonePending ZoneState = iota
	// ZoneServed: the zone is served.
	ZoneServed
	// ZoneFailing: the zone is served, but the last refresh has failed.
	ZoneFailing
	// ZoneExpired: no primary was reached for too long; queries are answered
	// with SERVFAIL.
	ZoneExpired

	numZoneStates
)

// String returns the label of the state in metrics.
func (s ZoneState) String() string {
	return [numZoneStates]string{"pending", "served", "failing", "expired"}[s]
}

// ZoneStatus is what is known of a zone of a secondary.
type ZoneStatus struct {
	Name  wire.Name
	State ZoneState
	// Zone is the last version, nil before the first.
	Zone *zonestore.Zone
	// Refreshed, Expires and Next are the zero Time when unknown. Next is when
	// the primary is asked again, Expires when the zone ends without.
	Refreshed, Expires, Next time.Time
	// Waiting: the zone waits for a worker; Running: one has it.
	Waiting, Running bool
	// Problem is why the last try failed, nil when it did not.
	Problem error
	// Primary is the one that answered last, or is tried first.
	Primary   netip.AddrPort
	Primaries []xfr.Primary
	// Catalog is the catalog zone that lists the zone, "" for none.
	Catalog   wire.Name
	IsCatalog bool
	Store     string
}

// StateCounts are numbers of zones by [ZoneState].
type StateCounts [numZoneStates]int

// Status sums up the zones of a secondary.
type Status struct {
	// Zones are without the catalog zones, which Catalogs are.
	Zones, Catalogs StateCounts
	// Waiting for a worker, and Running.
	Waiting, Running int
	// Transferred are new versions, Unchanged refreshes without one.
	Transferred, Unchanged uint64
	// Outside are records that primaries sent and that are not in their zone.
	Outside uint64
	// Failed are failures by [xfr.Reason].
	Failed                        [xfr.NumReasons]uint64
	NotifyAccepted, NotifyRefused uint64
	StoreErrors, CatalogErrors    uint64
	// Panics are those of background work that were contained.
	Panics uint64
	// Unsaved are zones whose files could not be written.
	Unsaved int
}

// Status sums up all zones.
func (e *Engine) Status() Status {
	c := &e.counts
	t := Status{
		Transferred: c.transferred.Load(), Unchanged: c.unchanged.Load(), Outside: c.outside.Load(),
		NotifyAccepted: c.notifyAccepted.Load(), NotifyRefused: c.notifyRefused.Load(),
		StoreErrors: c.storeErrors.Load(), CatalogErrors: c.catalogErrors.Load(), Panics: e.guard.count(),
	}
	for r := range t.Failed {
		t.Failed[r] = c.failures[r].Load()
	}
	e.schedule.mu.Lock()
	defer e.schedule.mu.Unlock()
	t.Unsaved = len(e.keeper.unsaved)
	for _, z := range e.schedule.zones {
		if z.isCatalog {
			t.Catalogs[z.state()]++
		} else {
			t.Zones[z.state()]++
		}
		if z.running {
			t.Running++
		}
		if z.waits != urgencyNone {
			t.Waiting++
		}
	}
	return t
}

func (z *zone) state() ZoneState {
	switch {
	case z.have == nil:
		return ZonePending
	case z.expired:
		return ZoneExpired
	case z.problem != nil:
		return ZoneFailing
	}
	return ZoneServed
}

// ZoneStatus returns what is known of a zone; ok is false when it is none of
// ours.
func (e *Engine) ZoneStatus(name wire.Name) (t ZoneStatus, ok bool) {
	e.schedule.mu.Lock()
	defer e.schedule.mu.Unlock()
	z := e.schedule.zones[name]
	if z == nil {
		return t, false
	}
	return z.status(&e.clock), true
}

// status returns what is known of the zone. The lock of the schedule
// is held.
func (z *zone) status(c *clock) ZoneStatus {
	t := ZoneStatus{
		Name: z.name, State: z.state(), Zone: z.have,
		Waiting: z.waits != urgencyNone, Running: z.running,
		Problem: z.problem, Primary: z.group.Primaries[int(z.primary)%len(z.group.Primaries)].Addr,
		Primaries: z.group.Primaries,
		IsCatalog: z.isCatalog, Store: z.group.Store,
	}
	t.Refreshed, t.Expires, t.Next = c.day(z.refreshed), c.day(z.expires), c.day(z.next)
	if z.catalog != nil {
		t.Catalog = z.catalog.name
	}
	return t
}

// Zones yields all zones in no order. No lock is held meanwhile.
func (e *Engine) Zones(yield func(ZoneStatus) bool) {
	e.schedule.mu.Lock()
	names := make([]wire.Name, 0, len(e.schedule.zones))
	for name := range e.schedule.zones {
		names = append(names, name)
	}
	e.schedule.mu.Unlock()
	for _, name := range names {
		if t, ok := e.ZoneStatus(name); ok && !yield(t) {
			return
		}
	}
}
