package secondary

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"nullspf/internal/wire"
	"nullspf/internal/zonestore"
)

// catalogTest is a secondary with a catalog zone.
type catalogTest struct {
	*Engine
	primary *fakePrimary
	log     safeBuffer
	serial  uint32
	group   Group
}

func newCatalogTest(t *testing.T, dir string, more ...string) *catalogTest {
	c := &catalogTest{primary: new(fakePrimary)}
	s, primaries := secondaryOf(t, &c.log, c.primary)
	c.Engine = s
	c.group = Group{Catalogs: []wire.Name{mustName(t, "catalog.test")}, Primaries: primaries, Store: dir}
	for _, name := range more {
		c.group.Zones = append(c.group.Zones, mustName(t, name))
	}
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		c.primary.set(smallZone(t, name+".test.", 1))
	}
	return c
}

// publish has the secondary fetch a new version of the catalog zone.
func (c *catalogTest) publish(t *testing.T, version string, members ...string) {
	t.Helper()
	c.serial++
	c.primary.set(catalogZone(t, c.serial, version, members...))
	c.Notified(mustName(t, "catalog.test"), testPrimary, nil, c.serial, true)
	synctest.Wait()
}

// zonesAre checks which zones are served.
func (c *catalogTest) zonesAre(t *testing.T, want string) {
	t.Helper()
	var got []string
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		if served(t, c.Engine, name+".test") != 0 {
			got = append(got, name)
		}
	}
	if s := strings.Join(got, " "); s != want {
		t.Errorf("served: %s, want %s\n%s", s, want, c.log.String())
	}
}

func TestCatalog(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		c := newCatalogTest(t, dir, "e.test")
		defer stop(t, c.Engine)
		configureBeside(t, c.Engine, c.group, func(name wire.Name) wire.Name {
			if d := mustName(t, "d.test"); name == d {
				return d
			}
			return ""
		})
		c.publish(t, "2", "1=a.test", "2=b.test")
		c.zonesAre(t, "a b e")
		c.publish(t, "2", "1=a.test", "3=c.test", "4=d.test", "5=e.test", "6=catalog.test")
		c.zonesAre(t, "a c e")
		if _, err := os.Stat(filepath.Join(dir, "b.test.zone")); !os.IsNotExist(err) {
			t.Error("the file of a removed member is there")
		}
		for _, why := range []string{"d.test of catalog.test: it is served already", "e.test of catalog.test: the configuration names it", "catalog.test of catalog.test: it is a catalog zone"} {
			if !strings.Contains(c.log.String(), why) {
				t.Errorf("not logged: %s", why)
			}
		}
		// A broken catalog zone changes nothing.
		for _, broken := range [][]string{{"1", "1=a.test"}, {"2", "1=a.test", "1=b.test"}, {"2", "1=a.test", "2=a.test"}} {
			c.publish(t, broken[0], broken[1:]...)
			c.zonesAre(t, "a c e")
		}
		if c.Status().CatalogErrors == 0 {
			t.Error("not counted")
		}
		// Another label is another zone.
		before := len(c.primary.wholes())
		c.publish(t, "2", "other=a.test", "3=c.test")
		c.zonesAre(t, "a c e")
		if whole := c.primary.wholes()[before:]; len(whole) != 1 || whole[0] != mustName(t, "a.test") {
			t.Errorf("transferred whole: %v", whole)
		}
		st, _ := c.ZoneStatus(mustName(t, "a.test"))
		if st.Catalog != mustName(t, "catalog.test") || st.State != ZoneServed {
			t.Errorf("%+v", st)
		}
		// Queries see no members.
		public := c.Table().Slot(mustName(t, "catalog.test")).Zone()
		if public.Count() != 2 || public.Serial() != c.serial || c.Version(mustName(t, "catalog.test")).(*zonestore.Zone).Count() != 5 {
			t.Errorf("%d records are public", public.Count())
		}
	})
}

func TestCatalogRestart(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		c := newCatalogTest(t, dir)
		configure(t, c.Engine, c.group)
		c.publish(t, "2", "1=a.test", "2=b.test")
		stop(t, c.Engine)

		c = newCatalogTest(t, dir)
		defer stop(t, c.Engine)
		c.primary.down = true
		configure(t, c.Engine, c.group)
		c.zonesAre(t, "a b")
		// A catalog zone that is gone from the disk removes nothing by itself.
		time.Sleep(time.Hour)
		c.zonesAre(t, "a b")
	})
}

func TestCatalogEmptied(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		c := newCatalogTest(t, dir)
		defer stop(t, c.Engine)
		configure(t, c.Engine, c.group)
		var members []string
		for _, l := range "abcdefghijklmnop" {
			members = append(members, string(l)+"="+string(l)+".test")
		}
		c.publish(t, "2", members...)
		c.zonesAre(t, "a b c d e")
		c.publish(t, "2")
		c.zonesAre(t, "a b c d e")
		c.publish(t, "2", "a=a.test")
		c.zonesAre(t, "a")
		c.publish(t, "2")
		c.zonesAre(t, "")
	})
}

func TestTwoCatalogs(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		c := newCatalogTest(t, dir)
		defer stop(t, c.Engine)
		second := func(serial uint32, members string) {
			c.primary.set(textZone(t, "second.test.", fmt.Sprintf("@ 60 SOA . . %d 3600 600 86400 60\n@ 60 NS invalid.\nversion 60 TXT 2\n%s", serial, members)))
			c.Notified(mustName(t, "second.test"), testPrimary, nil, serial, true)
			synctest.Wait()
		}
		c.group.Catalogs = append(c.group.Catalogs, mustName(t, "second.test"))
		configure(t, c.Engine, c.group)
		owner := func() wire.Name {
			st, _ := c.ZoneStatus(mustName(t, "a.test"))
			return st.Catalog
		}
		second(1, "x.zones 60 PTR a.test.\n")
		c.publish(t, "2", "1=a.test", "2=b.test")
		if owner() != mustName(t, "second.test") {
			t.Errorf("the first has lost its member to %s", owner())
		}
		c.zonesAre(t, "a b")
		second(2, "")
		c.zonesAre(t, "a b")
		if owner() != mustName(t, "catalog.test") {
			t.Errorf("owner %s", owner())
		}
	})
}

// TestDamagedCatalogFile: when the stored copy of a catalog zone is damaged and
// no primary answers, its zones are served from their own copies; when it is
// there again, they stay without being transferred, and what it does not list
// goes.
func TestDamagedCatalogFile(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		var members []string
		var p fakePrimary
		for i := range 20 {
			members = append(members, fmt.Sprintf("m%d=z%d.test", i, i))
			p.set(smallZone(t, fmt.Sprintf("z%d.test.", i), 1))
		}
		p.set(catalogZone(t, 1, "2", members...))
		g := Group{Catalogs: []wire.Name{mustName(t, "catalog.test")}, Store: dir}
		start := func() *Engine {
			s, primaries := secondaryOf(t, nil, &p)
			g.Primaries = primaries
			configure(t, s, g)
			synctest.Wait()
			return s
		}
		stop(t, start())
		path := filepath.Join(dir, storedName(g.Catalogs[0]))
		file, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		file[len(file)/2] ^= 1
		if err := os.WriteFile(path, file, 0o600); err != nil {
			t.Fatal(err)
		}
		// A file that does not begin like a stored zone is not taken for one.
		if err := os.WriteFile(filepath.Join(dir, "other.test.zone"), []byte("torn"), 0o600); err != nil {
			t.Fatal(err)
		}
		p.setDown(true)
		s := start()
		defer stop(t, s)
		for i := range 20 {
			if served(t, s, fmt.Sprintf("z%d.test", i)) != 1 {
				t.Errorf("z%d.test is not served", i)
			}
		}
		if st := s.Status(); st.Zones[ZoneServed]+st.Zones[ZoneFailing] != 20 || st.Catalogs[ZonePending] != 1 {
			t.Errorf("%+v", st)
		}
		time.Sleep(time.Hour)
		whole := len(p.wholes())
		p.set(catalogZone(t, 1, "2", members[1:]...))
		p.setDown(false)
		time.Sleep(time.Hour)
		synctest.Wait()
		if served(t, s, "z0.test") != 0 || served(t, s, "z1.test") != 1 || s.Table().Len() != 20 {
			t.Errorf("serials %d and %d, %d zones", served(t, s, "z0.test"), served(t, s, "z1.test"), s.Table().Len())
		}
		if _, err := os.Stat(filepath.Join(dir, storedName(mustName(t, "z0.test")))); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the file of a zone that is not listed any more: %v", err)
		}
		for _, name := range p.wholes()[whole:] {
			if name != g.Catalogs[0] {
				t.Errorf("%s was transferred whole", name)
			}
		}
		// From now on a changed label means what RFC 9432 says.
		p.set(catalogZone(t, 2, "2", append([]string{"changed=z1.test"}, members[2:]...)...))
		whole = len(p.wholes())
		time.Sleep(2 * time.Hour)
		if !slices.Equal(p.wholes()[whole:], []wire.Name{mustName(t, "z1.test")}) {
			t.Errorf("transferred whole: %v", p.wholes()[whole:])
		}
	})
}
