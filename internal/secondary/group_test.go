package secondary

import (
	"errors"
	"strings"
	"testing"

	"nullspf/internal/wire"
	"nullspf/internal/xfr"
)

// TestCheckGroups: the second of two groups cannot be served.
func TestCheckGroups(t *testing.T) {
	group := func(zone, store string) Group {
		return Group{Zones: []wire.Name{mustName(t, zone)}, Primaries: make([]xfr.Primary, 1), Store: store, Transfers: 1}
	}
	for want, change := range map[string]func(*Group){
		"":                              func(*Group) {},
		"no zones; name":                func(g *Group) { g.Zones = nil },
		"from 1 to 255 primaries":       func(g *Group) { g.Primaries = make([]xfr.Primary, 256) },
		"has from 1 to":                 func(g *Group) { g.Primaries = nil },
		"no store; name":                func(g *Group) { g.Store = "" },
		"the store one":                 func(g *Group) { g.Store = "one" },
		"transfers is to be":            func(g *Group) { g.Transfers = 0 },
		"zone a.test is named twice":    func(g *Group) { g.Catalogs = []wire.Name{mustName(t, "A.test")} },
		"zone a.test is named twice; 2": func(g *Group) { g.Zones = append(g.Zones, mustName(t, "a.test")) },
	} {
		groups := []Group{group("a.test", "one"), group("b.test", "two")}
		change(&groups[1])
		err := CheckGroups(groups)
		text, _, _ := strings.Cut(want, ";")
		var fault *GroupError
		switch {
		case want == "" && err != nil:
			t.Error(err)
		case want != "" && (!errors.As(err, &fault) || fault.Index != 1 || !strings.Contains(err.Error(), text)):
			t.Errorf("%v, want: %s", err, text)
		}
	}
}
