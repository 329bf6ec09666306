package secondary

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"nullspf/internal/wire"
	"nullspf/internal/xfr"
)

func TestRefresh(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		var p fakePrimary
		p.set(smallZone(t, "a.test.", 1))
		s, primaries := secondaryOf(t, nil, &p)
		defer stop(t, s)
		configure(t, s, Group{Zones: []wire.Name{mustName(t, "a.test")}, Primaries: primaries, Store: dir})
		synctest.Wait()
		if got := served(t, s, "a.test"); got != 1 {
			t.Fatalf("serial %d, want 1", got)
		}
		p.set(smallZone(t, "a.test.", 2))
		time.Sleep(44 * time.Minute)
		synctest.Wait()
		if got := served(t, s, "a.test"); got != 1 {
			t.Errorf("refreshed before 75 %% of the time")
		}
		time.Sleep(17 * time.Minute)
		synctest.Wait()
		if got := served(t, s, "a.test"); got != 2 {
			t.Errorf("serial %d after the refresh time, want 2", got)
		}
	})
}

func TestPrimaries(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		var one, two fakePrimary
		two.set(smallZone(t, "a.test.", 1))
		s, primaries := secondaryOf(t, nil, &one, &two)
		defer stop(t, s)
		configure(t, s, Group{Zones: []wire.Name{mustName(t, "a.test")}, Primaries: primaries, Store: dir})
		synctest.Wait()
		if served(t, s, "a.test") != 1 || one.count() != 1 {
			t.Fatalf("the second primary was not asked")
		}
		time.Sleep(time.Hour)
		if one.count() != 2 || two.count() != 2 {
			t.Errorf("asked %d and %d times; each is asked once a refresh", one.count(), two.count())
		}
		if z, _ := s.ZoneStatus(mustName(t, "a.test")); z.State != ZoneServed || z.Primary != primaries[1].Addr {
			t.Errorf("%+v", z)
		}
	})
}

func TestUnreachable(t *testing.T) {
	const zones = 5000
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		var log safeBuffer
		p := fakePrimary{down: true}
		s, primaries := secondaryOf(t, &log, &p)
		defer stop(t, s)
		g := Group{Primaries: primaries, Store: dir}
		for i := range zones {
			name := fmt.Sprintf("z%d.test.", i)
			p.set(smallZone(t, name, 1))
			g.Zones = append(g.Zones, mustName(t, name))
		}
		configure(t, s, g)
		time.Sleep(10 * time.Minute)
		if p.count() > 200 {
			t.Errorf("a primary that is down was asked %d times in 10 minutes", p.count())
		}
		if lines := strings.Count(log.String(), "\n"); lines > 60 {
			t.Errorf("%d lines in the log", lines)
		}
		p.setDown(false)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if got := s.Status().Zones[ZoneServed]; got < zones-200 {
			t.Errorf("%d zones are served two minutes after the primary's return", got)
		}
		time.Sleep(time.Hour)
		if got := s.Status().Zones[ZoneServed]; got != zones {
			t.Errorf("%d zones are served an hour after the primary's return", got)
		}
		if p.most > 4 {
			t.Errorf("%d transfers at a time", p.most)
		}
	})
}

// TestNewestPrimaryWins: of the versions that the primaries have, the newest is
// served, whichever is asked first, from the first transfer on.
func TestNewestPrimaryWins(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		var log safeBuffer
		var stale, newer fakePrimary
		stale.set(smallZone(t, "a.test.", 3))
		newer.set(smallZone(t, "a.test.", 5))
		s, primaries := secondaryOf(t, &log, &stale, &newer)
		defer stop(t, s)
		configure(t, s, Group{Zones: []wire.Name{mustName(t, "a.test")}, Primaries: primaries, Store: dir})
		synctest.Wait()
		if got := served(t, s, "a.test"); got != 5 {
			t.Fatalf("serial %d, want 5", got)
		}
		// Notified by the stale one, and by the clock.
		stale.set(smallZone(t, "a.test.", 6))
		newer.set(smallZone(t, "a.test.", 8))
		s.Notified(mustName(t, "a.test"), primaries[0].Addr, nil, 6, true)
		synctest.Wait()
		if got := served(t, s, "a.test"); got != 8 {
			t.Errorf("serial %d after the NOTIFY of the stale primary, want 8", got)
		}
		stale.set(smallZone(t, "a.test.", 9))
		time.Sleep(time.Hour)
		synctest.Wait()
		if got := served(t, s, "a.test"); got != 9 {
			t.Errorf("serial %d after the refresh time, want 9", got)
		}
		if st := s.Status(); st.Failed != [xfr.NumReasons]uint64{} || strings.Contains(log.String(), "warn") {
			t.Errorf("%+v\n%s", st, log.String())
		}
		// One that is down costs little, and stops nothing.
		stale.setDown(true)
		newer.set(smallZone(t, "a.test.", 10))
		asked := stale.count()
		for range 600 {
			s.Notified(mustName(t, "a.test"), primaries[1].Addr, nil, 0, false)
			time.Sleep(time.Second)
		}
		if n := stale.count() - asked; served(t, s, "a.test") != 10 || n > 20 {
			t.Errorf("serial %d; a primary that is down was asked %d times in 10 minutes", served(t, s, "a.test"), n)
		}
	})
}

// TestSerialWentBack: a version that no primary confirms is served until it
// expires; then that of the primary is, whatever its serial number.
func TestSerialWentBack(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		var p fakePrimary
		p.set(smallZone(t, "a.test.", 7))
		s, primaries := secondaryOf(t, nil, &p)
		defer func() { stop(t, s) }()
		g := Group{Zones: []wire.Name{mustName(t, "a.test")}, Primaries: primaries, Store: dir}
		configure(t, s, g)
		synctest.Wait()
		p.set(smallZone(t, "a.test.", 3))
		time.Sleep(23 * time.Hour)
		if got := served(t, s, "a.test"); got != 7 {
			t.Errorf("serial %d before the end, want 7", got)
		}
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if got := served(t, s, "a.test"); got != 3 {
			t.Errorf("serial %d after the end, want 3", got)
		}
		// The older one is what is on disk now.
		p.setDown(true)
		stop(t, s)
		s, _ = secondaryOf(t, nil, &p)
		configure(t, s, g)
		synctest.Wait()
		if got := served(t, s, "a.test"); got != 3 {
			t.Errorf("serial %d after a restart, want 3", got)
		}
	})
}

// TestOutsideRecords: they are counted, and told in a line for each transfer.
func TestOutsideRecords(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		var log safeBuffer
		p := fakePrimary{outside: 3}
		p.set(smallZone(t, "a.test.", 7))
		s, primaries := secondaryOf(t, &log, &p)
		defer stop(t, s)
		configure(t, s, Group{Zones: []wire.Name{mustName(t, "a.test")}, Primaries: primaries, Store: dir})
		synctest.Wait()
		if n := strings.Count(log.String(), "the primary sent records that are not in the zone; they are left out"); n != 1 || s.Status().Outside != 3 || served(t, s, "a.test") != 7 {
			t.Errorf("%d lines, %+v\n%s", n, s.Status(), log.String())
		}
	})
}

// TestRefusalIsLoggedOnce: a primary that refuses a zone is a warning once, not a
// line for each try, until it is something else.
func TestRefusalIsLoggedOnce(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		var log safeBuffer
		var p fakePrimary
		p.set(smallZone(t, "a.test.", 7))
		s, primaries := secondaryOf(t, &log, &p)
		defer stop(t, s)
		configure(t, s, Group{Zones: []wire.Name{mustName(t, "a.test")}, Primaries: primaries, Store: dir})
		synctest.Wait()
		p.mu.Lock()
		p.zones = nil
		p.mu.Unlock()
		time.Sleep(12 * time.Hour)
		count := func(text string) int { return strings.Count(log.String(), text) }
		if n := count(`"level":"warn"`); n != 1 || count("REFUSED") < 10 || count(`"retry":"`) == 0 {
			t.Errorf("%d warnings\n%s", n, log.String())
		}
		p.set(smallZone(t, "a.test.", 7))
		time.Sleep(time.Hour)
		if n := count("refreshes succeed again"); n != 1 {
			t.Errorf("%d lines about the end\n%s", n, log.String())
		}
	})
}
