package secondary

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"nullspf/internal/wire"
	"nullspf/internal/xfr"
	"nullspf/internal/zonestore"
)

// Refresher brings zones of one primary up to date; [Client] is one. It is used
// by many goroutines at once.
type Refresher interface {
	// Refresh returns the version that the primary has: have itself when it has
	// none that is newer. With nil it transfers the zone whole. Errors are a
	// [*xfr.TransferError].
	Refresh(ctx context.Context, zone wire.Name, have *zonestore.Zone) (*zonestore.Zone, error)
	Close()
}

// Group are zones of the same primaries.
type Group struct {
	// Zones are listed one by one, Catalogs are zones that list others
	// (RFC 9432).
	Zones, Catalogs []wire.Name
	// Primaries are tried in turn, the one that last answered first.
	Primaries []xfr.Primary
	// Store is the folder in which zones are kept; no two groups have the same.
	Store  string
	Limits xfr.Limits
	// Transfers is the number of zones that are brought up to date at a time.
	Transfers int
}

// DefaultTransfers is the number of transfers at a time of a configuration that
// says nothing. BIND's transfers-out allows 10.
const DefaultTransfers = 8

// Options are what a secondary needs.
type Options struct {
	Logger zerolog.Logger
	// Connect returns what speaks with a primary over at most so many
	// connections; nil is [xfr.NewClient].
	Connect func(p xfr.Primary, l xfr.Limits, connections int) Refresher
	// Changed is told of a zone that has a new version; nil is nobody.
	Changed func(zones []wire.Name)
	// Taken reports whether a name is a zone that the process serves otherwise;
	// members of catalog zones with such names are left out. nil is none.
	Taken func(zone wire.Name) bool
	// Bounds are [DefaultBounds] when zero.
	Bounds Bounds
	// MaxMembers is the number of zones that a catalog zone may list; 0 is
	// [DefaultMaxMembers].
	MaxMembers int
}

// DefaultMaxMembers is the number of zones that a catalog zone may list.
const DefaultMaxMembers = 2_000_000

// Engine serves zones of primaries (RFC 1034 section 4.3.5). One goroutine
// watches the times of all zones; a bounded number of others brings those up to
// date whose time has come:
//
//	timers --> queue of the group: asked, first, timed --> workers --> table
//	   ^                                                      |
//	   +------------------------------------------------------+
//
// A zone costs about 200 octets besides its records.
type Engine struct {
	options Options
	log     zerolog.Logger
	table   zonestore.Table
	counts  counts

	ctx     context.Context
	cancel  context.CancelFunc
	workers sync.WaitGroup
	ended   chan struct{}
	// wake is filled when the next event is nearer than it was.
	wake chan struct{}

	// setting is held while the set of zones changes; it is taken before mu.
	setting sync.Mutex

	// mu is never held for long: NOTIFYs wait for it.
	mu     sync.Mutex
	groups []*group
	zones  map[wire.Name]*zone
	timers timers
	// unsaved are zones whose files could not be written.
	unsaved map[*zone]bool
	closed  bool
}

var _ xfr.Source = (*Engine)(nil)

// New returns a secondary without zones.
func New(o Options) *Engine {
	if o.Bounds == (Bounds{}) {
		o.Bounds = DefaultBounds
	}
	if o.MaxMembers == 0 {
		o.MaxMembers = DefaultMaxMembers
	}
	if o.Connect == nil {
		o.Connect = func(p xfr.Primary, l xfr.Limits, connections int) Refresher { return xfr.NewClient(p, l, connections) }
	}
	s := &Engine{
		options: o, log: o.Logger,
		ended:   make(chan struct{}),
		wake:    make(chan struct{}, 1),
		zones:   make(map[wire.Name]*zone),
		unsaved: make(map[*zone]bool),
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.table.Set(nil)
	go s.run()
	return s
}

// Close ends transfers under way and writes what is not on disk. The table
// stays as it is.
func (s *Engine) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	<-s.ended
	s.workers.Wait()
	s.setting.Lock()
	defer s.setting.Unlock()
	s.save()
	var err error
	for _, g := range s.groups {
		g.close()
		err = errors.Join(err, g.store.sync())
	}
	return err
}

// Table returns the zones as they are served.
func (s *Engine) Table() *zonestore.Table { return &s.table }

// Version implements [xfr.Source].
func (s *Engine) Version(zone wire.Name) xfr.Version {
	s.mu.Lock()
	defer s.mu.Unlock()
	if z := s.zones[zone]; z != nil && z.have != nil && !z.expired {
		return z.have
	}
	return nil
}

// Earlier implements [xfr.Source]: earlier versions are not kept.
func (s *Engine) Earlier(wire.Name, uint32) xfr.Version { return nil }

// zone is what is known of a zone besides its records. Times are
// nanoseconds since 1970 by the clock on the wall, since they outlast restarts.
type zone struct {
	name wire.Name
	slot *zonestore.Slot
	// have is the last version, served unless expired; nil before the first.
	have  *zonestore.Zone
	group *group
	// catalog is the zone that lists this one, nil for none, and label a hash of
	// its label there.
	catalog *zone
	label   uint64
	// refreshed is the last time that the primary was asked with success,
	// expires when have ends, next when the primary is asked again.
	refreshed, expires, next int64
	// problem is why the last try failed, nil when it did not.
	problem error

	// at and place belong to the timers; place is 0 outside.
	at    int64
	place int32
	// urgency, before and after belong to the queue.
	urgency       urgency
	before, after *zone

	// primary is the one that answered last.
	primary uint8
	// failures in a row, at most 255.
	failures uint8

	// isCatalog: the zone lists others.
	isCatalog bool
	expired   bool
	// running: a worker has the zone; again: it is to be asked once more then.
	running, again bool
	// whole: the next transfer is one of all records.
	whole bool
	// removed: the zone is no longer ours.
	removed bool
}

// group is a [Group] that is served.
type group struct {
	Group
	store   *store
	clients []Refresher
	queue   queue
	// running workers.
	running int
	// reach is, for each primary, whether it can be reached.
	reach  []reach
	closed bool
	log    failureLog
}

// reach says whether a primary can be reached.
type reach struct {
	// failures in a row, and until when it is left alone because of them.
	failures int
	until    int64
}

const (
	// unreachable: after so many connections in a row have failed, a primary is
	// left alone for a while, longer each time.
	unreachable = 3
	firstPause  = 2 * time.Second
	lastPause   = time.Minute
)

// failed notes that a primary was not reached.
func (r *reach) failed(now int64) {
	r.failures++
	if r.failures < unreachable {
		return
	}
	d := firstPause
	for i := unreachable; i < r.failures && d < lastPause; i++ {
		d *= 2
	}
	r.until = now + int64(min(d, lastPause))
}

// pausedUntil returns until when none of the primaries is asked, 0 when one can
// be.
func (g *group) pausedUntil(now int64) (until int64) {
	for i := range g.reach {
		switch r := &g.reach[i]; {
		case r.until <= now:
			return 0
		case until == 0 || r.until < until:
			until = r.until
		}
	}
	return until
}

// primaryAt returns the number of the primary with an address that signs with a
// key, nil for none; -1 when there is none.
func (g *group) primaryAt(client netip.Addr, key *xfr.Key) int {
	return slices.IndexFunc(g.Primaries, func(p xfr.Primary) bool {
		return p.Addr.Addr() == client.Unmap() &&
			(p.Key == nil || key != nil && key.Name == p.Key.Name && key.Algorithm == p.Key.Algorithm)
	})
}

func (g *group) close() {
	g.closed = true
	for _, c := range g.clients {
		c.Close()
	}
}
