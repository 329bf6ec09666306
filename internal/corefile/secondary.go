package corefile

import (
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/coredns/caddy"

	"nullspf/internal/nameserver"
	"nullspf/internal/secondary"
	"nullspf/internal/value"
	"nullspf/internal/wire"
	"nullspf/internal/xfr"
)

// secondary { ... }, as often as there are groups of primaries
func (r *reader) setupSecondary(c *caddy.Controller) error {
	b := r.block(c)
	for c.Next() {
		if args := c.RemainingArgs(); len(args) > 0 {
			return c.Errf("secondary: unexpected %q; its settings stand in a block", args[0])
		}
		s := nameserver.Secondary{Position: position(c)}
		s.Limits, s.Transfers = xfr.DefaultLimits, secondary.DefaultTransfers
		seen := make(map[string]bool)
		for c.NextBlock() {
			setting := c.Val()
			if seen[setting] && setting != "zones" && setting != "catalog" {
				return c.Errf("secondary: %s is set twice", setting)
			}
			seen[setting] = true
			if err := setSecondary(&s, r.config.Keys, setting, c.RemainingArgs()); err != nil {
				return c.Errf("secondary: %v", err)
			}
		}
		switch {
		case len(s.Zones)+len(s.Catalogs) == 0:
			return c.Errf("secondary: which zones? Write a line with zones, or catalog, and names")
		case len(s.Primaries) == 0:
			return c.Errf("secondary: write a line such as: primaries 192.0.2.1 key xfr.example.net")
		case s.Store == "":
			return c.Errf("secondary: write a line with store and the folder in which the zones are kept")
		}
		b.Secondary = true
		b.stored = append(b.stored, "secondary")
		// A block that is imported twice says the same twice.
		same := func(o nameserver.Secondary) bool { return o.Position == s.Position }
		if !slices.ContainsFunc(r.config.Secondary, same) {
			r.config.Secondary = append(r.config.Secondary, s)
		}
	}
	return nil
}

func setSecondary(s *nameserver.Secondary, keys xfr.Keys, setting string, args []string) (err error) {
	if len(args) == 0 {
		return fmt.Errorf("%s needs a value", setting)
	}
	switch setting {
	case "zones":
		s.Zones, err = appendNames(s.Zones, args)
		return err
	case "catalog":
		s.Catalogs, err = appendNames(s.Catalogs, args)
		return err
	case "primaries":
		return setPrimaries(s, keys, args)
	}
	if len(args) > 1 {
		return fmt.Errorf("%s: unexpected %q", setting, args[1])
	}
	arg := args[0]
	switch setting {
	case "store":
		s.Store = filepath.Clean(arg)
	case "max_records":
		s.Limits.Records, err = value.ParseCount(arg, 1<<31-1)
	case "transfers":
		s.Transfers, err = value.ParseCount(arg, maxTransfers)
	case "max_size":
		s.Limits.Octets, err = value.ParseSize(arg)
	case "max_time":
		s.Limits.Time, err = parseSomeTime(arg)
	case "idle_time":
		s.Limits.Idle, err = parseSomeTime(arg)
	default:
		return fmt.Errorf("unknown setting %q; there are zones, catalog, primaries, store, max_records, max_size, max_time, idle_time and transfers", setting)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", setting, err)
	}
	return nil
}

// maxTransfers is the greatest number of transfers at a time.
const maxTransfers = 1000

func setPrimaries(s *nameserver.Secondary, keys xfr.Keys, args []string) error {
	args, key, err := cutKey(keys, args)
	if err != nil {
		return fmt.Errorf("primaries: %w", err)
	}
	for _, arg := range args {
		a, err := parseServer(arg)
		if err != nil {
			return fmt.Errorf("primaries: %w", err)
		}
		p := xfr.Primary{Addr: a}
		if key != "" {
			p.Key = keys[key]
		}
		s.Primaries = append(s.Primaries, p)
	}
	return nil
}

func appendNames(list []wire.Name, args []string) ([]wire.Name, error) {
	for _, arg := range args {
		name, err := wire.ParseName(arg)
		if err != nil {
			return nil, fmt.Errorf("%q is no domain name", arg)
		}
		list = append(list, name)
	}
	return list, nil
}

// parseSomeTime reads a duration of at least a second.
func parseSomeTime(text string) (time.Duration, error) {
	d, err := value.ParseDuration(text)
	if err == nil && d < time.Second {
		err = fmt.Errorf("%q is less than a second", text)
	}
	return d, err
}
