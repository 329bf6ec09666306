package journal

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"nullspf/spftrack"
)

// SyncMode says when events are synced to disk.
type SyncMode uint8

// The modes.
const (
	// Interval syncs every [Settings.SyncEvery].
	Interval SyncMode = iota
	// Strict syncs whenever a worker calls [Worker.Flush].
	Strict
)

// Zone is a tracking zone whose queries are journalled.
type Zone struct {
	// Name is lower case, no final dot.
	Name string
	// Layouts are those that the zone serves; see [spftrack.NewParser].
	Layouts []spftrack.Layout
	// Known reports whether a domain is listed, so that it and the names
	// below it carry our records; nil knows nothing. It is called by the sealer, at any time until Close, and must
	// be safe for concurrent use.
	Known func(domain string) bool
}

// Settings are the parameters of a journal. Zero values stand for the defaults
// given at each field.
type Settings struct {
	// Dir is the directory. It is made when missing.
	Dir string
	// Server identifies this server in its events, at most 255 bytes.
	Server string
	// Zones are the zones known at the start; [Packet.Zone] is an index into
	// them. [Journal.AddZone] adds further ones.
	Zones []Zone

	Sync SyncMode
	// SyncEvery is the time between two syncs, 1 s by default.
	SyncEvery time.Duration
	// FlushTimeout bounds the wait of [Worker.Flush], 1 s by default.
	FlushTimeout time.Duration

	// MaxSize bounds the bytes of all files together; the oldest events are
	// removed first. 0 means no bound.
	MaxSize int64
	// Retain is the age at which events are removed, RetainRaw that at which
	// addresses, local parts and names that hold them are taken out of events. 0 keeps
	// them.
	Retain, RetainRaw time.Duration

	// SegmentSize is the size in bytes at which a wal file is closed and
	// sealed, 32 MiB by default.
	SegmentSize int64
	// SegmentAge is the time after which an event that was stored is sealed, 5 min
	// by default: half of it until its file is closed, the rest for queries that
	// may belong to it.
	SegmentAge time.Duration

	// Workers is the number of workers, 1 by default.
	Workers int
	// RingBytes is the size of each worker's ring in bytes, rounded up to a
	// power of two; 8 MiB by default, which is some 80,000 events.
	RingBytes int

	// Clock is the wall clock, time.Now by default.
	Clock  func() time.Time
	Logger zerolog.Logger
}

const (
	defaultSyncEvery    = time.Second
	defaultFlushTimeout = time.Second
	defaultSegmentSize  = 32 << 20
	defaultSegmentAge   = 5 * time.Minute
	defaultRingBytes    = 8 << 20
	minRingBytes        = 4 << 10
	maxRingBytes        = 1 << 30
	minSegmentSize      = 64 << 10
	maxSegmentSize      = 1 << 30
	maxWorkers          = 1024
	maxServer           = 255
)

// complete checks the settings and fills in the defaults.
func (s Settings) complete() (Settings, error) {
	set(&s.SyncEvery, defaultSyncEvery)
	set(&s.FlushTimeout, defaultFlushTimeout)
	set(&s.SegmentSize, int64(defaultSegmentSize))
	set(&s.SegmentAge, defaultSegmentAge)
	set(&s.Workers, 1)
	set(&s.RingBytes, defaultRingBytes)
	if s.Clock == nil {
		s.Clock = time.Now
	}
	switch {
	case s.Dir == "":
		return s, errors.New("the journal has no directory")
	case !validServer(s.Server):
		return s, errServer(s.Server)
	case s.Sync > Strict:
		return s, fmt.Errorf("no sync mode %d", s.Sync)
	case s.SyncEvery < 0, s.FlushTimeout < 0, s.SegmentAge < 0, s.Retain < 0, s.RetainRaw < 0, s.MaxSize < 0:
		return s, errors.New("times and sizes must not be negative")
	case s.SegmentSize < minSegmentSize || s.SegmentSize > maxSegmentSize:
		return s, fmt.Errorf("segment size %d: use %d to %d bytes", s.SegmentSize, minSegmentSize, maxSegmentSize)
	case s.Workers < 0 || s.Workers > maxWorkers:
		return s, fmt.Errorf("%d workers: use 1 to %d", s.Workers, maxWorkers)
	case s.RingBytes < minRingBytes || s.RingBytes > maxRingBytes:
		return s, fmt.Errorf("ring of %d bytes: use %d to %d", s.RingBytes, minRingBytes, maxRingBytes)
	case s.MaxSize > 0 && s.MaxSize < 4*s.SegmentSize:
		// What cannot be removed, the files being written and sealed, must
		// fit in several times.
		s.SegmentSize = max(s.MaxSize/4, minSegmentSize)
	}
	for _, z := range s.Zones {
		if err := z.check(); err != nil {
			return s, err
		}
	}
	if len(s.Zones) > math.MaxUint16 {
		return s, fmt.Errorf("%d zones; at most %d are supported", len(s.Zones), math.MaxUint16)
	}
	return s, nil
}

func (z *Zone) check() error {
	if z.Name == "" || len(z.Name) > 253 || strings.ContainsAny(z.Name, "\t\r\n") {
		return fmt.Errorf("zone %q: use a domain name", z.Name)
	}
	for _, l := range z.Layouts {
		if _, err := spftrack.ParseLayout(string(l)); err != nil {
			return fmt.Errorf("zone %s: %w", z.Name, err)
		}
	}
	return nil
}

func set[T comparable](p *T, value T) {
	var zero T
	if *p == zero {
		*p = value
	}
}

func validServer(name string) bool {
	return len(name) <= maxServer && !strings.ContainsAny(name, "\t\r\n")
}

func errServer(name string) error {
	return fmt.Errorf("server name %q: use at most %d bytes without tabs and line ends", name, maxServer)
}
