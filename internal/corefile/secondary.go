package corefile

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"nullspf/internal/nameserver"
	"nullspf/internal/secondary"
	"nullspf/internal/value"
	"nullspf/internal/wire"
	"nullspf/internal/xfr"
)

// secondary { ... }, as often as there are groups of primaries
func readSecondary(s *statements) error {
	for s.Next() {
		if err := noArguments(s.RemainingArgs()); err != nil {
			return err
		}
		g := nameserver.Secondary{Position: s.position()}
		g.Limits, g.Transfers = xfr.DefaultLimits, secondary.DefaultTransfers
		if err := secondarySettings.read(s, &secondaryGroup{&g, s.file.config.Keys}); err != nil {
			return err
		}
		switch {
		case len(g.Zones)+len(g.Catalogs) == 0:
			return errors.New("no zones; write a line with zones or catalog, and names")
		case len(g.Primaries) == 0:
			return errors.New("no primaries; write a line such as: primaries 192.0.2.1 key xfr.example.net")
		case g.Store == "":
			return errors.New("no store; write a line with store and the directory in which the zones are kept")
		}
		s.block.Secondary = true
		s.block.stored = append(s.block.stored, s.name)
		// A block that is imported twice says the same twice.
		same := func(o nameserver.Secondary) bool { return o.Position == g.Position }
		if groups := &s.file.config.Secondary; !slices.ContainsFunc(*groups, same) {
			*groups = append(*groups, g)
		}
	}
	return nil
}

// secondaryGroup is a group that is read, with the keys that are known.
type secondaryGroup struct {
	*nameserver.Secondary
	keys xfr.Keys
}

var secondarySettings = settings[*secondaryGroup]{
	{name: "zones", repeated: true, set: func(g *secondaryGroup, args []string) error { return appendNames(&g.Zones, args) }},
	{name: "catalog", repeated: true, set: func(g *secondaryGroup, args []string) error { return appendNames(&g.Catalogs, args) }},
	{name: "allow", repeated: true, set: func(g *secondaryGroup, args []string) error { return appendNames(&g.Allow, args) }},
	{name: "primaries", set: setPrimaries},
	{name: "source", set: func(g *secondaryGroup, args []string) error { return readSource(&g.Source, args) }},
	{name: "store", set: one(func(g *secondaryGroup, dir string) error { g.Store = filepath.Clean(dir); return nil })},
	{name: "max_records", set: parsed(parseRecords, func(g *secondaryGroup) *int { return &g.Limits.Records })},
	{name: "max_size", set: parsed(value.ParseSize, func(g *secondaryGroup) *int64 { return &g.Limits.Bytes })},
	{name: "max_time", set: parsed(parseSomeTime, func(g *secondaryGroup) *time.Duration { return &g.Limits.Time })},
	{name: "idle_time", set: parsed(parseSomeTime, func(g *secondaryGroup) *time.Duration { return &g.Limits.Idle })},
	{name: "transfers", set: parsed(parseTransfers, func(g *secondaryGroup) *int { return &g.Transfers })},
}

func appendNames(list *[]wire.Name, args []string) error {
	for _, arg := range args {
		name, err := wire.ParseName(arg)
		if err != nil {
			return fmt.Errorf("not a domain name: %q", arg)
		}
		*list = append(*list, name)
	}
	return nil
}

func setPrimaries(g *secondaryGroup, args []string) error {
	args, key, err := cutKey(g.keys, args)
	if err != nil {
		return err
	}
	for _, arg := range args {
		a, err := parseServer(arg)
		if err != nil {
			return err
		}
		p := xfr.Primary{Addr: a}
		if key != "" {
			p.Key = g.keys[key]
		}
		g.Primaries = append(g.Primaries, p)
	}
	return nil
}

func parseRecords(text string) (int, error) { return value.ParseCount(text, 1<<31-1) }

func parseTransfers(text string) (int, error) { return value.ParseCount(text, 1000) }

// parseSomeTime reads a duration of at least a second.
func parseSomeTime(text string) (time.Duration, error) {
	d, err := value.ParseDuration(text)
	if err == nil && d < time.Second {
		err = fmt.Errorf("%q is less than a second", text)
	}
	return d, err
}
