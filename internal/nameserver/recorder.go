package nameserver

import (
	"sync/atomic"

	"nullspf/internal/journal"
	"nullspf/spftrack"
)

// event is a query for a name of a tracking zone. Its name is valid only
// while the event is put.
type event = journal.Packet

// Recorder stores events. It outlives every configuration.
type Recorder interface {
	// Zone returns the number of a zone, the same for the same name as long as
	// the recorder lives.
	Zone(name string) (uint16, error)
	// SetLayouts says how the names of a zone that has a number are read.
	SetLayouts(zone string, layouts []spftrack.Layout)
	// SetLimits sets the size and the ages at which events are removed or changed; 0
	// is no limit.
	SetLimits(journal.Limits)
	// Worker returns the end for the packet path of worker i, from 0, which
	// one goroutine uses at a time.
	Worker(i int) eventWriter
	// Shared returns the end for all others; many goroutines may use it.
	Shared() eventWriter
	// Stats returns what became of all events so far.
	Stats() recorderStats
	// Health returns what an operator should look at, "" for nothing.
	Health() string
	// Close stores what is left.
	Close() error
}

// eventWriter takes events. It never waits for a disk, except in Commit where
// the journal is strict.
type eventWriter interface {
	// Put takes a copy of e, or counts it as lost and returns false.
	Put(e *event) bool
	// Commit ends a batch, before its answers leave.
	Commit()
}

// recorderStats counts events. All that were put are either stored, lost, or
// not yet written.
type recorderStats struct {
	Stored uint64
	// Lost is by reason; the reasons are few and fixed.
	Lost map[string]uint64
	// DamagedEvents were stored, and could not be read back when they were sealed;
	// DamagedSegments is how many sealed files are damaged. Panics of background
	// work were contained.
	DamagedEvents, Panics uint64
	DamagedSegments       int
}

// discard is the recorder of a configuration without journal.
type discard struct {
	lost atomic.Uint64
}

func (d *discard) Zone(string) (uint16, error)          { return 0, nil }
func (d *discard) SetLayouts(string, []spftrack.Layout) {}
func (d *discard) SetLimits(journal.Limits)             {}

func (d *discard) Worker(int) eventWriter { return d }
func (d *discard) Shared() eventWriter    { return d }
func (d *discard) Put(*event) bool        { d.lost.Add(1); return false }
func (d *discard) Commit()                {}
func (d *discard) Close() error           { return nil }
func (d *discard) Health() string         { return "journal: none is configured; events are not stored" }

func (d *discard) Stats() recorderStats {
	return recorderStats{Lost: map[string]uint64{"unconfigured": d.lost.Load()}}
}
