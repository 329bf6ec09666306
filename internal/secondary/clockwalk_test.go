package secondary

import (
	"testing"
	"testing/synctest"
	"time"

	"nullspf/internal/torture"
	"nullspf/internal/wire"
	"nullspf/internal/xfr"
)

// TestClockWalk sets the time of day again and again, by hours and weeks, ahead
// and back, and stops it, while the primary comes and goes and the daemon restarts.
// A zone is served as long as its primary was there within its expire interval, and
// never is its next refresh further away than its refresh interval.
func TestClockWalk(t *testing.T) {
	r := torture.Start(t, 0)
	for r.More(3) {
		dir := t.TempDir()
		random := r.Rand
		synctest.Test(t, func(t *testing.T) {
			clock := newBootClock()
			var p fakePrimary
			name := mustName(t, "a.test")
			p.set(smallZone(t, "a.test.", 1))
			start := func() *Engine {
				s := New(Options{
					Clock:   clock.clock(),
					Connect: func(xfr.Primary, xfr.Limits, int) Refresher { return &p },
				})
				configure(t, s, Group{Zones: []wire.Name{name}, Primaries: []xfr.Primary{{Addr: testPrimary}}, Store: dir})
				synctest.Wait()
				return s
			}
			s := start()
			time.Sleep(time.Second)
			synctest.Wait()
			// there is since when the primary answers, or did last.
			there, down := time.Now(), false
			for i := 0; i < 30 && !t.Failed(); i++ {
				jump := time.Duration(random.ExpFloat64() * float64(time.Hour) * 100)
				if random.IntN(2) == 0 {
					jump = -jump
				}
				switch random.IntN(7) {
				case 0:
					clock.set(0)
				case 1:
					clock.stop()
				case 2, 3:
					clock.set(jump)
				case 4:
					if !down {
						there = time.Now()
					}
					down = !down
					p.setDown(down)
				case 5:
					stop(t, s)
					s = start()
				case 6:
					// With the right clock: what a wrong one says at a boot, nobody can
					// know.
					clock.set(0)
					time.Sleep(upkeep)
					stop(t, s)
					clock.reboot()
					s = start()
				}
				time.Sleep(upkeep + time.Duration(random.Int64N(int64(90*time.Minute))))
				synctest.Wait()
				r.Count("settings of the clock, the primary or the daemon", 1)
				z, _ := s.ZoneStatus(name)
				gone := time.Duration(0)
				if down {
					gone = time.Since(there)
				}
				if serves := served(t, s, "a.test") != 0; gone < 22*time.Hour && !serves {
					t.Errorf("after %s without primary: %v, not served", gone, z.State)
				}
				if next := z.Next.Sub(clock.now()); next > time.Hour+time.Minute {
					t.Errorf("the next refresh is due in %s", next)
				}
			}
			stop(t, s)
		})
	}
}
