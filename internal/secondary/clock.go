package secondary

import (
	"math"
	"time"
)

// Clock tells the time in two ways. The zero Clock is that of the process.
type Clock struct {
	// Elapsed is the time since any moment. Nobody sets it: zones are refreshed
	// and expire by it.
	Elapsed func() time.Duration
	// Now is the time of day, which stands in files and in what people read. It
	// may be set, and then jumps.
	Now func() time.Time
	// Boot names the boot of the machine, "" for unknown, and tells the time since
	// then, which nobody sets and which goes on while the machine sleeps; nil is
	// unknown. See [MachineBoot].
	Boot func() (id string, age time.Duration)
}

// instant is a moment, in nanoseconds: since 1970 by the time of day at which
// the clock was started, and by the elapsed time from then on. 0 is unknown.
type instant int64

// never is a moment that does not come.
const never instant = math.MaxInt64

func (i instant) add(d time.Duration) instant { return i + instant(d) }

func (i instant) sub(j instant) time.Duration { return time.Duration(i - j) }

// clock is a [Clock] that was started.
type clock struct {
	Clock
	// start is when no time had elapsed.
	start instant
	// ahead is how far the time of day was ahead of the instants when jump was
	// last called.
	ahead time.Duration
}

func startClock(c Clock) clock {
	if c.Elapsed == nil {
		began := time.Now()
		c.Elapsed = func() time.Duration { return time.Since(began) }
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return clock{Clock: c, start: instant(c.Now().UnixNano()).add(-c.Elapsed())}
}

func (c *clock) now() instant { return c.start.add(c.Elapsed()) }

// day returns the time of day of an instant, by the clock as it is set now; the
// zero Time for unknown and never.
func (c *clock) day(i instant) time.Time {
	if i == 0 || i == never {
		return time.Time{}
	}
	return c.Now().Round(0).Add(i.sub(c.now()))
}

// farthest bounds times of day that stand in files.
const farthest = 100 * 365 * 24 * time.Hour

// instant is the reverse of day.
func (c *clock) instant(t time.Time) instant {
	away := t.Sub(c.Now().Round(0))
	return c.now().add(min(max(away, -farthest), farthest))
}

// leastJump is how far the time of day is off for the clock to count as set. It
// is more than what corrects a clock little by little makes of it between two
// looks.
const leastJump = 10 * time.Second

// jump returns how far the time of day was set ahead since the last call,
// negative when it was set back, 0 when it was not set. It is for one
// goroutine.
func (c *clock) jump() time.Duration {
	ahead := instant(c.Now().UnixNano()).sub(c.now())
	jump := ahead - c.ahead
	c.ahead = ahead
	if jump.Abs() < leastJump {
		return 0
	}
	return jump
}
