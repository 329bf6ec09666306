package journal

import (
	"fmt"
	"math"
	"sync"
	"sync/atomic"

	"nullspf/spftrack"
)

// zoneTable holds the zones by index. It only grows.
type zoneTable struct {
	mu    sync.Mutex
	zones []Zone
	// changes counts what wal files must know of.
	changes atomic.Uint64
}

func (t *zoneTable) append(z Zone) { t.zones = append(t.zones, z) }

// add returns the index of a zone, which keeps its settings if it is there.
func (t *zoneTable) add(z Zone) (uint16, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range t.zones {
		if t.zones[i].Name == z.Name {
			return uint16(i), nil
		}
	}
	if len(t.zones) == math.MaxUint16 {
		return 0, fmt.Errorf("zone %s: more than %d zones since the start; restart to begin anew", z.Name, math.MaxUint16)
	}
	t.zones = append(t.zones, z)
	t.changes.Add(1)
	return uint16(len(t.zones) - 1), nil
}

func (t *zoneTable) setLayouts(name string, layouts []spftrack.Layout) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range t.zones {
		if t.zones[i].Name == name && joinLayouts(t.zones[i].Layouts) != joinLayouts(layouts) {
			t.zones[i].Layouts = layouts
			t.changes.Add(1)
		}
	}
}

func (t *zoneTable) generation() uint64 { return t.changes.Load() }

// table returns the zones as a wal file lists them.
func (t *zoneTable) table() []walZone {
	t.mu.Lock()
	defer t.mu.Unlock()
	table := make([]walZone, len(t.zones))
	for i, z := range t.zones {
		table[i] = walZone{z.Name, z.Layouts}
	}
	return table
}

// known gives the function Known of a zone.
func (t *zoneTable) known(zone string) func(string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range t.zones {
		if t.zones[i].Name == zone {
			return t.zones[i].Known
		}
	}
	return nil
}
