package corefile

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/coredns/caddy"

	"nullspf/internal/nameserver"
	"nullspf/internal/value"
	"nullspf/spftrack"
)

// spftrack { ... }
func (r *reader) setupTrack(c *caddy.Controller) error {
	b := r.block(c)
	return once(c, func(args []string) error {
		if len(args) > 0 {
			return c.Errf("spftrack: unexpected %q; its settings stand in a block", args[0])
		}
		b.Track.Position = position(c)
		return options(c, func(key string, args []string) error { return setTrack(&b.Track, key, args) })
	})
}

func setTrack(t *nameserver.Track, key string, args []string) (err error) {
	if len(args) == 0 {
		switch key {
		case "nameservers", "layouts", "explain", "ttl", "apex_ttl", "txt", "address":
			return fmt.Errorf("%s needs a value", key)
		}
	}
	switch key {
	case "nameservers":
		t.Nameservers, err = parseNames(args)
	case "layouts":
		t.Layouts = nil
		for _, arg := range args {
			l, err := spftrack.ParseLayout(arg)
			if err != nil {
				return err
			}
			t.Layouts = append(t.Layouts, l)
		}
	case "explain":
		t.Explain, err = parseExplain(args)
	case "ttl":
		t.TTL, err = parseTTL(key, args)
	case "apex_ttl":
		t.ApexTTL, err = parseTTL(key, args)
	case "txt":
		size := 0
		for _, arg := range args {
			size += len(arg)
		}
		if size > nameserver.MaxApexTXT {
			return fmt.Errorf("txt: %d octets of text; %d are allowed", size, nameserver.MaxApexTXT)
		}
		t.TXT = args
	case "address":
		return addAddresses(t, args)
	default:
		return fmt.Errorf("unknown setting %q of spftrack; there are nameservers, layouts, explain, ttl, apex_ttl, txt and address", key)
	}
	return err
}

func parseNames(args []string) (names []string, err error) {
	if len(args) > nameserver.MaxNameservers {
		return nil, fmt.Errorf("nameservers: %d hosts; %d are allowed", len(args), nameserver.MaxNameservers)
	}
	for _, arg := range args {
		name, err := parseName(arg)
		if err != nil {
			return nil, fmt.Errorf("nameservers: %w", err)
		}
		if slices.Contains(names, name) {
			return nil, fmt.Errorf("nameservers: %s is given twice", name)
		}
		names = append(names, name)
	}
	return names, nil
}

func parseExplain(args []string) (string, error) {
	if len(args) != 1 {
		return "", fmt.Errorf("explain needs one text, in quotes")
	}
	if len(args[0]) > nameserver.MaxExplain {
		return "", fmt.Errorf("explain: %d octets; %d are allowed", len(args[0]), nameserver.MaxExplain)
	}
	if _, err := spftrack.CompileExplanation(args[0]); err != nil {
		return "", fmt.Errorf("explain: %w", err)
	}
	return args[0], nil
}

// address HOST IP...
func addAddresses(t *nameserver.Track, args []string) error {
	if len(args) < 2 {
		return fmt.Errorf("address needs a nameserver and its IP addresses")
	}
	host, err := parseName(args[0])
	if err != nil {
		return fmt.Errorf("address: %w", err)
	}
	if t.Addresses == nil {
		t.Addresses = make(map[string][]netip.Addr)
	}
	for _, arg := range args[1:] {
		a, err := value.ParseAddr(arg)
		if err != nil {
			return fmt.Errorf("address: %w", err)
		}
		t.Addresses[host] = append(t.Addresses[host], a)
	}
	return nil
}

func parseTTL(key string, args []string) (time.Duration, error) {
	if len(args) != 1 {
		return 0, fmt.Errorf("%s needs one time", key)
	}
	d, err := value.ParseDuration(args[0])
	if err != nil {
		return 0, fmt.Errorf("%s: %w", key, err)
	}
	if d > nameserver.MaxTTL {
		return 0, fmt.Errorf("%s: %s is more than a week", key, args[0])
	}
	return d, nil
}
