package secondary

import (
	"errors"
	"fmt"
	"reflect"

	"nullspf/internal/wire"
	"nullspf/internal/xfr"
)

// Group are zones of the same primaries.
type Group struct {
	// Zones are listed one by one, Catalogs are zones that list others
	// (RFC 9432).
	Zones, Catalogs []wire.Name
	// Allow are members of the catalog zones that are served although they are
	// public suffixes, or lie above or below zones that are served otherwise.
	Allow []wire.Name
	// Primaries are tried in turn, the one that last answered first.
	Primaries []xfr.Primary
	// Store is the directory in which zones are kept; no two groups have the
	// same.
	Store  string
	Limits xfr.Limits
	// Transfers is the number of zones that are refreshed at a time.
	Transfers int
}

// DefaultTransfers is the number of transfers at a time of a configuration that
// says nothing. BIND's transfers-out allows 10.
const DefaultTransfers = 8

// GroupError says which of several groups is at fault.
type GroupError struct {
	// Index is that of the group in the list.
	Index int
	Err   error
}

// Error implements error.
func (e *GroupError) Error() string { return "secondary: " + e.Err.Error() }

// Unwrap returns the cause.
func (e *GroupError) Unwrap() error { return e.Err }

// CheckGroups returns why groups cannot be served together: nil or a
// [*GroupError].
func CheckGroups(groups []Group) error {
	zones := make(map[wire.Name]bool)
	stores := make(map[string]bool)
	for i := range groups {
		if err := groups[i].check(zones, stores); err != nil {
			return &GroupError{i, err}
		}
	}
	return nil
}

// check adds the zones and the store of a group to those of the groups before.
func (g *Group) check(zones map[wire.Name]bool, stores map[string]bool) error {
	switch {
	case len(g.Zones)+len(g.Catalogs) == 0:
		return errors.New("no zones; name some in zones or catalog")
	case len(g.Primaries) == 0 || len(g.Primaries) > 255:
		return errors.New("a directive has from 1 to 255 primaries")
	case g.Store == "":
		return errors.New("no store; name the directory in which copies of the zones are kept")
	case stores[g.Store]:
		return fmt.Errorf("two directives have the store %s; give each a directory of its own", g.Store)
	case g.Transfers < 1:
		return errors.New("transfers is to be at least 1")
	}
	stores[g.Store] = true
	for _, list := range [][]wire.Name{g.Zones, g.Catalogs} {
		for _, name := range list {
			if zones[name] {
				return fmt.Errorf("zone %s is named twice", name.Text())
			}
			zones[name] = true
		}
	}
	return nil
}

// Prepared are groups whose directories are there.
type Prepared struct {
	groups []Group
	stores []*store
	beside Beside
}

// Prepare does all of [Engine.Configure] that can fail. beside finds zones that
// the process serves otherwise, to which members of catalog zones must give way;
// nil is none.
func Prepare(groups []Group, beside Beside) (*Prepared, error) {
	if err := CheckGroups(groups); err != nil {
		return nil, err
	}
	p := &Prepared{groups: groups, beside: beside}
	for i := range groups {
		st, err := openStore(groups[i].Store)
		if err != nil {
			return nil, err
		}
		p.stores = append(p.stores, st)
	}
	return p, nil
}

// group is a [Group] that is served. The lock of the schedule guards it.
type group struct {
	Group
	store     *store
	primaries primaries
	queue     queue
	// hinted is when the next zone may be refreshed because of a hint.
	hinted instant
	// running workers.
	running int
	closed  bool
	log     groupLog
}

// same reports whether a group that is configured differs at most in its zones.
func (g *group) same(c *Group) bool {
	return g.Store == c.Store && reflect.DeepEqual(g.Primaries, c.Primaries) && g.Limits == c.Limits && g.Transfers == c.Transfers
}

// ended reports whether the group is closed and its last worker has ended.
func (g *group) ended() bool { return g.closed && g.running == 0 }
