package secondary

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"

	"nullspf/internal/wire"
)

// Beside returns a zone that the process serves otherwise and whose name is the
// given one, or lies above or below it; "" when there is none.
type Beside func(name wire.Name) wire.Name

// territory says which names members of catalog zones may have: those that take
// nothing away from what the operator has configured or another directive's
// catalog zones list, and nothing that is not the producer's.
type territory struct {
	beside Beside
	// groups are those of the zones.
	groups map[wire.Name]*group
	// above has the names above zones, with one zone of each group.
	above map[wire.Name][]neighbour
}

// neighbour is a zone of a group.
type neighbour struct {
	zone  wire.Name
	group *group
}

// territoryOf returns that beside zones which have their places.
func territoryOf(placed places, beside Beside) *territory {
	t := &territory{beside: beside, groups: make(map[wire.Name]*group, len(placed)), above: make(map[wire.Name][]neighbour)}
	for zone, p := range placed {
		t.add(zone, p)
	}
	return t
}

// add notes a zone that has its place. A member that is there because it is
// allowed takes nothing away from others.
func (t *territory) add(zone wire.Name, p place) {
	if p.catalog != nil && slices.Contains(p.group.Allow, zone) {
		return
	}
	t.groups[zone] = p.group
	for up := zone; up != wire.Root; {
		up = up.Parent()
		if !slices.ContainsFunc(t.above[up], func(n neighbour) bool { return n.group == p.group }) {
			t.above[up] = append(t.above[up], neighbour{zone, p.group})
		}
	}
}

// refuse returns why a name may not be a member of a catalog zone of a group, ""
// when it may.
func (t *territory) refuse(name wire.Name, g *group) (why string) {
	other := wire.Name("")
	if t.beside != nil {
		other = t.beside(name)
	}
	switch {
	case other == name:
		return "it is served already"
	case slices.Contains(g.Allow, name):
		return ""
	case publicSuffix(name):
		return "it is a public suffix, under which others register names"
	}
	if other == "" {
		other = t.other(name, g)
	}
	switch {
	case other == "" || publicSuffix(other):
		return ""
	case name.Within(other):
		return fmt.Sprintf("it is below %s, which another directive serves", other.Text())
	}
	return fmt.Sprintf("it is above %s, which another directive serves", other.Text())
}

// other returns a zone of another group that lies above or below a name, ""
// when there is none.
func (t *territory) other(name wire.Name, g *group) wire.Name {
	for up := name; up != wire.Root; {
		up = up.Parent()
		if of, ok := t.groups[up]; ok && of != g {
			return up
		}
	}
	for _, n := range t.above[name] {
		if n.group != g {
			return n.zone
		}
	}
	return ""
}

// publicSuffix reports whether a name is one under which domains are registered,
// or lies above such names: the root, a top-level domain, or what the part of
// the public suffix list that registries keep has.
func publicSuffix(name wire.Name) bool {
	text := strings.TrimSuffix(name.String(), ".")
	if !strings.Contains(text, ".") {
		return true
	}
	listed := func(text string) bool {
		suffix, registry := publicsuffix.PublicSuffix(text)
		return registry && suffix == text
	}
	return listed(text) || listed("x."+text)
}
