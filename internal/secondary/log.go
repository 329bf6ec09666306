package secondary

import (
	"net/netip"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"nullspf/internal/wire"
	"nullspf/internal/xfr"
	"nullspf/internal/zonestore"
)

// Of each kind of line, logMost are written in logWindow; the others are
// counted and summed up in one.
const (
	logMost   = 10
	logWindow = 10 * time.Second
)

// logKind is a kind of line.
type logKind uint8

const (
	logFailed logKind = iota
	logExpired
	logNotSaved
	logTransferred
	logOutside
	logRefused
	logRecovered

	numLogKinds
)

var logSummaries = [numLogKinds]string{
	"further refreshes failed",
	"further zones have expired",
	"further zones are served, but not stored",
	"further zones transferred",
	"further transfers had records that are not in their zone",
	"further NOTIFY messages were refused",
	"further zones are refreshed again",
}

// groupLog writes what happens to the zones of a group, one line each, but no
// more than an operator can read.
type groupLog struct {
	log   zerolog.Logger
	clock *clock

	mu      sync.Mutex
	since   instant
	written [numLogKinds]int
	last    [numLogKinds]error
}

// allow counts a line and reports whether it is to be written.
func (l *groupLog) allow(k logKind, err error, now instant) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.since == 0 {
		l.since = now
	}
	l.written[k]++
	l.last[k] = err
	return l.written[k] <= logMost
}

// flush writes how many lines were left out, when the window is over.
func (l *groupLog) flush(now instant) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.since == 0 || now.sub(l.since) < logWindow {
		return
	}
	for k, n := range l.written {
		if n <= logMost {
			continue
		}
		line := l.log.Info()
		if logKind(k) != logTransferred && logKind(k) != logRecovered {
			line = l.log.Warn()
			if l.last[k] != nil {
				line = line.AnErr("last", l.last[k])
			}
		}
		line.Int("zones", n-logMost).Msg(logSummaries[k])
	}
	l.since = 0
	clear(l.written[:])
	clear(l.last[:])
}

// failed: no primary has sent the zone, again for the same reason or for the first
// time. The lock of the schedule is held.
func (l *groupLog) failed(z *zone, err error, again bool, now instant) {
	level := zerolog.WarnLevel
	if again {
		level = zerolog.DebugLevel
	} else if !l.allow(logFailed, err, now) {
		return
	}
	line := l.log.WithLevel(level).Err(err).Str("zone", z.name.Text()).Stringer("retry", z.next.sub(now).Round(time.Second))
	if z.have != nil && !z.expired {
		line = line.Time("expires", l.clock.day(z.expires))
	}
	line.Msg("refresh failed")
}

// recovered: a primary has sent the zone, or confirmed it, after failures.
func (l *groupLog) recovered(name wire.Name, from netip.AddrPort, now instant) {
	if l.allow(logRecovered, nil, now) {
		l.log.Info().Str("zone", name.Text()).Stringer("primary", from).Msg("refreshes succeed again")
	}
}

// expired: the zone is no longer served. The lock of the schedule is held.
func (l *groupLog) expired(z *zone, now instant) {
	if l.allow(logExpired, z.problem, now) {
		l.log.Error().AnErr("last", z.problem).Str("zone", z.name.Text()).
			Stringer("unrefreshed", now.sub(z.refreshed).Round(time.Second)).Msg("the zone has expired: queries are answered with SERVFAIL until a primary answers")
	}
}

func (l *groupLog) notSaved(name wire.Name, err error, now instant) {
	if l.allow(logNotSaved, err, now) {
		l.log.Error().Err(err).Str("zone", name.Text()).Msg("the zone is served, but its copy could not be written; it is tried again")
	}
}

func (l *groupLog) transferred(name wire.Name, old, z *zonestore.Zone, from netip.AddrPort, now instant) {
	if !l.allow(logTransferred, nil, now) {
		return
	}
	line := l.log.Info().Str("zone", name.Text()).Stringer("primary", from).Uint32("serial", z.Serial()).Int("records", z.Count())
	if old != nil {
		line = line.Uint32("from", old.Serial())
	}
	line.Msg("zone transferred")
}

func (l *groupLog) outside(name wire.Name, got *xfr.Got, from netip.AddrPort, now instant) {
	if l.allow(logOutside, nil, now) {
		l.log.Warn().Str("zone", name.Text()).Stringer("primary", from).Int("records", got.Outside).Str("first", got.Example).
			Msg("the primary sent records that are not in the zone; they are left out")
	}
}

// refused: a NOTIFY is not believed.
func (l *groupLog) refused(zone wire.Name, from netip.AddrPort, why string, now instant) {
	if l.allow(logRefused, nil, now) {
		l.log.Warn().Str("zone", zone.Text()).Stringer("client", from).Str("reason", why).Msg("NOTIFY refused")
	}
}

func (l *groupLog) unreachable(primary netip.AddrPort, waiting int, err error) {
	l.log.Warn().Err(err).Stringer("primary", primary).Int("waiting", waiting).
		Msg("the primary does not answer; it is asked again from time to time")
}
