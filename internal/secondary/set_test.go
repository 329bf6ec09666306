package secondary

import (
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"nullspf/internal/wire"
)

func TestReconfigure(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		var p fakePrimary
		p.set(smallZone(t, "a.test.", 1), smallZone(t, "b.test.", 1), smallZone(t, "c.test.", 1))
		s, primaries := secondaryOf(t, nil, &p)
		defer stop(t, s)
		a, b, c := mustName(t, "a.test"), mustName(t, "b.test"), mustName(t, "c.test")
		g := Group{Zones: []wire.Name{a, b}, Primaries: primaries, Store: dir}
		configure(t, s, g)
		synctest.Wait()
		slot := s.Table().Slot(a)
		g.Zones = []wire.Name{a, c}
		g.Transfers = 7
		configure(t, s, g)
		synctest.Wait()
		if s.Table().Slot(a) != slot || served(t, s, "a.test") != 1 || served(t, s, "c.test") != 1 || s.Table().Slot(b) != nil {
			t.Error("zones that stay, come and go are not")
		}
		if p.count() != 3 {
			t.Errorf("asked %d times; a zone that stays needs nothing", p.count())
		}
		if _, err := os.Stat(filepath.Join(dir, "b.test.zone")); !os.IsNotExist(err) {
			t.Errorf("the file of a zone that went: %v", err)
		}
		// It is still watched.
		p.set(smallZone(t, "a.test.", 2))
		time.Sleep(time.Hour)
		synctest.Wait()
		if served(t, s, "a.test") != 2 {
			t.Error("not refreshed after a reload")
		}
	})
}
