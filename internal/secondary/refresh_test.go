package secondary

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"nullspf/internal/wire"
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
		if one.count() != 1 || two.count() != 2 {
			t.Errorf("asked %d and %d times; the one that answered last goes first", one.count(), two.count())
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
