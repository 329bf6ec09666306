// Package logtime reads the times of lines in logs, which leave out zone or year.
package logtime

import (
	"time"
)

// backSlack is how much earlier than the line before a line may be: servers write
// lines of several threads.
const backSlack = 10 * time.Second

// Clock turns the local times of a file's lines into points of time. Local time is
// ambiguous in the hour that is repeated when summer time ends, and syslog writes no
// year. Lines are in order, so these rules decide:
//
//   - Of two readings the first counts, unless it lies before the line before.
//   - The year of the first line is the latest in which the line is not later than the
//     file was changed. When the time falls by more than half a year, a year has begun.
//
// A time that does not exist, in the hour that is left out when summer time begins, is
// read as if summer time had not begun; Odd counts those: the log is of another time zone.
type Clock struct {
	// Zone is that of the times, Changed when the file was changed.
	Zone    *time.Location
	Changed time.Time
	Odd     int

	// last is the line before, in seconds of local time as if it were UTC, and as a
	// point of time; year is that of the line before, 0 for none.
	last, point int64
	year        int

	// cached is an hour of local time, in which offset is what to subtract.
	cached, offset int64
	known          bool
}

// Local returns nanoseconds since 1970-01-01 UTC for a local time.
func (c *Clock) Local(year int, month time.Month, day, hour, minute, second int, nanosecond int64) int64 {
	wall := time.Date(year, month, day, hour, minute, second, 0, time.UTC).Unix()
	if h := wall - wall%3600; !c.known || h != c.cached {
		c.settle(h, wall)
	}
	at := wall - c.offset
	c.last, c.point = wall, at
	return at*int64(time.Second) + nanosecond
}

// settle finds the offset of an hour of local time.
func (c *Clock) settle(hour, wall int64) {
	const day = 24 * 3600
	offsetAt := func(point int64) int64 {
		_, offset := time.Unix(point, 0).In(c.Zone).Zone()
		return int64(offset)
	}
	before, after := offsetAt(wall-day), offsetAt(wall+day)
	fits := func(offset int64) bool { return offsetAt(wall-offset) == offset }
	c.offset, c.cached, c.known = before, hour, true
	switch {
	case before == after:
	case !fits(before) && !fits(after):
		c.Odd++
		c.known = false
	case !fits(before):
		c.offset = after
	case fits(after):
		// Both: the second reading when the first is behind the line before.
		if wall-before < c.point-int64(backSlack/time.Second) {
			c.offset = after
		}
		c.known = false
	}
}

// WithoutYear returns nanoseconds for a local time of syslog.
func (c *Clock) WithoutYear(month time.Month, day, hour, minute, second int) int64 {
	valid := func(year int) bool {
		t := time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
		return t.Month() == month && t.Day() == day
	}
	if c.year == 0 {
		c.year = c.Changed.In(c.Zone).Year()
		for range 8 { // to the leap year before, over a century without one
			at := time.Date(c.year, month, day, hour, minute, second, 0, c.Zone)
			if valid(c.year) && !at.After(c.Changed.Add(time.Minute)) {
				break
			}
			c.year--
		}
	} else if time.Date(c.year, month, day, hour, minute, second, 0, time.UTC).Unix() < c.last-183*24*3600 {
		c.year++
	}
	return c.Local(c.year, month, day, hour, minute, second, 0)
}
