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

func TestFullDisk(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	synctest.Test(t, func(t *testing.T) {
		var p fakePrimary
		p.set(smallZone(t, "a.test.", 1))
		s, primaries := secondaryOf(t, nil, &p)
		defer stop(t, s)
		configure(t, s, Group{Zones: []wire.Name{mustName(t, "a.test")}, Primaries: primaries, Store: dir})
		synctest.Wait()
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		p.set(smallZone(t, "a.test.", 2))
		s.Notified(mustName(t, "a.test"), primaries[0].Addr, nil, 0, false)
		synctest.Wait()
		if st := s.Status(); served(t, s, "a.test") != 2 || st.Unsaved != 1 || st.StoreErrors == 0 {
			t.Errorf("serial %d, %+v", served(t, s, "a.test"), st)
		}
		if err := os.Mkdir(dir, 0o750); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * upkeep)
		synctest.Wait()
		st, err := openStore(dir)
		if err != nil {
			t.Fatal(err)
		}
		if z, _, err := st.load(mustName(t, "a.test"), xfr.DefaultLimits.Bytes); err != nil || z == nil || z.Serial() != 2 || s.Status().Unsaved != 0 {
			t.Errorf("not written later: %v", err)
		}
	})
}

// TestTornFiles starts with files that are not zones: they are noted, and the
// zones transferred.
func TestTornFiles(t *testing.T) {
	dir := t.TempDir()
	var p fakePrimary
	var g Group
	for i := range 100 {
		name := fmt.Sprintf("z%d.test.", i)
		p.set(smallZone(t, name, 1))
		g.Zones = append(g.Zones, mustName(t, name))
		if err := os.WriteFile(filepath.Join(dir, storedName(g.Zones[i])), []byte("torn"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	left := filepath.Join(dir, storeTemp+"17")
	if err := os.WriteFile(left, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	var log safeBuffer
	s, primaries := secondaryOf(t, &log, &p)
	g.Primaries, g.Store = primaries, dir
	configure(t, s, g)
	deadline := time.Now().Add(10 * time.Second)
	for s.Status().Zones[ZoneServed] < 100 && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
	}
	stop(t, s)
	if n := strings.Count(log.String(), "cannot be used"); n != loadMost+1 {
		t.Errorf("%d lines about files", n)
	}
	if _, err := os.Stat(left); !os.IsNotExist(err) {
		t.Error("what an earlier process has left is there")
	}
	st, err := openStore(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range g.Zones {
		if z, _, err := st.load(name, xfr.DefaultLimits.Bytes); z == nil || err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
}
