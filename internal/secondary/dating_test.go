package secondary

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"nullspf/internal/wire"
	"nullspf/internal/xfr"
)

// bootClock is a machine whose time of day the test sets, and which it boots.
type bootClock struct {
	setClock
	boot  int
	began time.Time
}

func newBootClock() *bootClock { return &bootClock{boot: 1, began: time.Now()} }

func (c *bootClock) clock() Clock {
	return Clock{Now: c.now, Boot: func() (string, time.Duration) {
		return fmt.Sprintf("boot-%d", c.boot), time.Since(c.began)
	}}
}

func (c *bootClock) reboot() { c.boot, c.began = c.boot+1, time.Now() }

// TestRefreshedByWrongClock: a zone that was refreshed while the clock was behind
// or ahead keeps its time when nullspfd ends before the clock is right again, in
// the same boot of the machine and after another, and is no longer served than
// that time in the same boot.
func TestRefreshedByWrongClock(t *testing.T) {
	const year = 365 * 24 * time.Hour
	for _, wrong := range []time.Duration{-year, year} {
		for _, reboot := range []bool{false, true} {
			t.Run(fmt.Sprint(wrong, ", reboot: ", reboot), func(t *testing.T) {
				dir := t.TempDir()
				synctest.Test(t, func(t *testing.T) {
					clock := newBootClock()
					var p fakePrimary
					p.set(smallZone(t, "a.test.", 1))
					start := func() *Engine {
						s := New(Options{Clock: clock.clock(), Connect: func(xfr.Primary, xfr.Limits, int) Refresher { return &p }})
						configure(t, s, Group{Zones: []wire.Name{mustName(t, "a.test")}, Primaries: []xfr.Primary{{Addr: testPrimary}}, Store: dir})
						synctest.Wait()
						return s
					}
					look := func(s *Engine, when string, least, most time.Duration) {
						t.Helper()
						z, _ := s.ZoneStatus(mustName(t, "a.test"))
						if expires := z.Expires.Sub(clock.now()); served(t, s, "a.test") != 1 || expires < least || expires > most {
							t.Errorf("%s: serial %d, %v, expires after %v", when, served(t, s, "a.test"), z.State, expires)
						}
					}
					const day = 24 * time.Hour
					// The right time of day was seen once.
					stop(t, start())

					clock.set(wrong)
					s := start()
					look(s, "with the wrong clock", day, day)
					time.Sleep(time.Hour + time.Minute)
					stop(t, s)
					p.setDown(true)
					time.Sleep(time.Hour)

					clock.set(0)
					least, most := 22*time.Hour+30*time.Minute, 23*time.Hour+time.Minute
					if reboot {
						clock.reboot()
						most = day
					} else if wrong > 0 {
						most = day // a time in the future counts as now
					}
					s = start()
					look(s, "with the right clock", least, most)
					time.Sleep(time.Minute)
					stop(t, s)

					// What is dated again stays so, in this boot and the next.
					s = start()
					look(s, "once more", least-time.Minute, most)
					stop(t, s)
					if wrong < 0 {
						clock.reboot()
						s = start()
						look(s, "after another boot", least-time.Minute, most)
						time.Sleep(day)
						synctest.Wait()
						if z, _ := s.ZoneStatus(mustName(t, "a.test")); z.State != ZoneExpired {
							t.Errorf("a day later: %v", z.State)
						}
						stop(t, s)
					}
				})
			})
		}
	}
}

// TestDatingFile: what is not whole is not believed, and costs nothing.
func TestDatingFile(t *testing.T) {
	dir := t.TempDir()
	st, err := openStore(dir)
	if err != nil {
		t.Fatal(err)
	}
	if d, err := st.readDating(); d != nil || err != nil {
		t.Errorf("without a file: %v, %v", d, err)
	}
	want := dating{boot: "b", ahead: -time.Hour, latest: time.Unix(1_800_000_000, 5), behind: true}
	if err := st.writeDating(&want); err != nil {
		t.Fatal(err)
	}
	got, err := st.readDating()
	if err != nil || !got.latest.Equal(want.latest) || got.boot != want.boot || got.ahead != want.ahead || !got.behind {
		t.Fatalf("%+v, %v", got, err)
	}
	path := filepath.Join(dir, datingFile)
	line, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range line {
		for bit := range 8 {
			damaged := append([]byte(nil), line...)
			damaged[i] ^= 1 << bit
			if err := os.WriteFile(path, damaged, 0o600); err != nil {
				t.Fatal(err)
			}
			if d, err := st.readDating(); d != nil || err == nil {
				t.Fatalf("bit %d of byte %d: %+v, %v", bit, i, d, err)
			}
		}
	}
	if err := os.WriteFile(path, []byte(strings.Repeat("x", 1<<20)), 0o600); err != nil {
		t.Fatal(err)
	}
	if d, err := st.readDating(); d != nil || err == nil {
		t.Errorf("a long file: %+v, %v", d, err)
	}
	if names, err := st.zones(); len(names) > 0 || err != nil {
		t.Errorf("zones %v, %v", names, err)
	}
}

// TestMachineBoot: the kernel says which boot this is, and how old.
func TestMachineBoot(t *testing.T) {
	id, age := MachineBoot()
	again, later := MachineBoot()
	if len(id) != 36 || age <= 0 || again != id || later < age || later-age > time.Minute {
		t.Errorf("boot %q for %v, then %q for %v", id, age, again, later)
	}
}
