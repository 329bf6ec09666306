package secondary

import (
	"context"
	"errors"
	"sync"

	"github.com/rs/zerolog"

	"nullspf/internal/wire"
	"nullspf/internal/xfr"
	"nullspf/internal/zonestore"
)

// Options are what a secondary needs.
type Options struct {
	Logger zerolog.Logger
	// Clock is that of the process when zero.
	Clock Clock
	// Connect returns what speaks with a primary over at most so many
	// connections; nil is [xfr.NewClient].
	Connect func(p xfr.Primary, l xfr.Limits, connections int) Refresher
	// Changed is told of a zone that has a new version; nil is nobody.
	Changed func(zones []wire.Name)
	// Bounds are [defaultBounds] when zero.
	Bounds Bounds
	// MaxMembers is the number of zones that a catalog zone may list; 0 is
	// [defaultMaxMembers].
	MaxMembers int
}

// defaultMaxMembers is the number of zones that a catalog zone may list.
const defaultMaxMembers = 2_000_000

// Engine serves secondary zones.
type Engine struct {
	options Options
	log     zerolog.Logger
	clock   clock
	table   zonestore.Table
	counts  counts

	// setting is held while the set of zones changes; it is taken before the
	// lock of the schedule.
	setting  sync.Mutex
	schedule schedule
	keeper   keeper
	guard    guard
	catalogs consumer
	// refusals are of NOTIFY messages.
	refusals groupLog

	cancel context.CancelFunc
	ended  chan struct{}
}

var _ xfr.Source = (*Engine)(nil)

// New returns an engine without zones.
func New(o Options) *Engine {
	if o.Bounds == (Bounds{}) {
		o.Bounds = defaultBounds
	}
	if o.MaxMembers == 0 {
		o.MaxMembers = defaultMaxMembers
	}
	if o.Connect == nil {
		o.Connect = func(p xfr.Primary, l xfr.Limits, connections int) Refresher { return xfr.NewClient(p, l, connections) }
	}
	e := &Engine{options: o, log: o.Logger, clock: startClock(o.Clock), ended: make(chan struct{})}
	ctx, cancel := context.WithCancel(context.Background())
	e.cancel = cancel
	e.catalogs = consumer{log: o.Logger, counts: &e.counts, most: o.MaxMembers}
	e.refusals = groupLog{log: o.Logger, clock: &e.clock}
	e.guard = guard{log: o.Logger, clock: &e.clock}
	e.keeper = keeper{schedule: &e.schedule, guard: &e.guard, counts: &e.counts, log: o.Logger, clock: &e.clock, dated: e.clock, unsaved: make(map[*zone]bool)}
	r := &refresher{
		schedule: &e.schedule, keeper: &e.keeper, guard: &e.guard, counts: &e.counts, clock: &e.clock, bounds: &e.options.Bounds,
		transferred: func(z *zone) {
			if o.Changed != nil {
				o.Changed([]wire.Name{z.name})
			}
		},
		relist: e.relist,
	}
	e.schedule = schedule{
		work:  func(g *group) { r.work(ctx, g) },
		wake:  make(chan struct{}, 1),
		log:   o.Logger,
		guard: &e.guard,
		zones: make(map[wire.Name]*zone),
	}
	e.table.Set(nil)
	go func() {
		defer close(e.ended)
		e.schedule.run(ctx, &e.clock, &e.options.Bounds, e.tidy)
	}()
	return e
}

// Close ends transfers under way and writes what is not on disk. The table
// stays as it is.
func (e *Engine) Close() error {
	s := &e.schedule
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	e.cancel()
	<-e.ended
	s.workers.Wait()
	e.setting.Lock()
	defer e.setting.Unlock()
	s.locked(func() { s.clockSet(e.clock.jump(), e.clock.now(), &e.options.Bounds) })
	e.keeper.redate()
	e.keeper.retry(e.clock.now())
	e.keeper.date(s.groups)
	var err error
	for _, g := range s.groups {
		g.closed = true
		g.primaries.close()
		err = errors.Join(err, g.store.sync())
	}
	return err
}

// tidy writes files and says what was not logged.
func (e *Engine) tidy() {
	e.schedule.mu.Lock()
	groups := e.schedule.groups
	e.schedule.mu.Unlock()
	now := e.clock.now()
	for _, g := range groups {
		g.log.flush(now)
	}
	e.refusals.flush(now)
	e.keeper.redate()
	e.keeper.retry(now)
	e.keeper.date(groups)
	e.keeper.sync(groups)
}

// Table returns the zones as they are served.
func (e *Engine) Table() *zonestore.Table { return &e.table }

// Version implements [xfr.Source].
func (e *Engine) Version(zone wire.Name) xfr.Version {
	e.schedule.mu.Lock()
	defer e.schedule.mu.Unlock()
	if z := e.schedule.zones[zone]; z != nil && z.have != nil && !z.expired {
		return z.have
	}
	return nil
}

// Earlier implements [xfr.Source]: earlier versions are not kept.
func (e *Engine) Earlier(wire.Name, uint32) xfr.Version { return nil }
