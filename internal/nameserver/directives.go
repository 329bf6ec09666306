package nameserver

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/coredns/caddy"

	"nullspf/spftrack"
)

// options reads the lines of a directive's block, each a key with arguments.
func options(c *caddy.Controller, set func(key string, args []string) error) error {
	seen := make(map[string]bool)
	for c.NextBlock() {
		key := c.Val()
		args := c.RemainingArgs()
		if c.NextArg() {
			return c.Errf("%s: unexpected %q", key, c.Val())
		}
		if seen[key] && key != "address" {
			return c.Errf("%s is given twice", key)
		}
		seen[key] = true
		if err := set(key, args); err != nil {
			return c.Err(err.Error())
		}
	}
	return nil
}

// once reads the arguments of a directive that stands once in a block.
func once(c *caddy.Controller, read func(args []string) error) error {
	for given := false; c.Next(); given = true {
		name := c.Val()
		if given {
			return c.Errf("%s is given twice in one block", name)
		}
		if err := read(c.RemainingArgs()); err != nil {
			return err
		}
		if c.NextArg() {
			return c.Errf("%s: unexpected %q", name, c.Val())
		}
	}
	return nil
}

// bind ADDRESS...
func (f *corefile) setupBind(c *caddy.Controller) error {
	b := f.block(c)
	return once(c, func(args []string) error {
		if len(args) == 0 {
			return c.Errf("bind needs IP addresses")
		}
		for _, arg := range args {
			a, err := netip.ParseAddr(arg)
			if err != nil || a.Zone() != "" {
				return c.Errf("bind: %q is no IP address", arg)
			}
			a = a.Unmap()
			if slices.Contains(b.bind, a) {
				return c.Errf("bind: %s is given twice", a)
			}
			b.bind = append(b.bind, a)
		}
		return nil
	})
}

// spftrack { ... }
func (f *corefile) setupTrack(c *caddy.Controller) error {
	b := f.block(c)
	return once(c, func(args []string) error {
		if len(args) > 0 {
			return c.Errf("spftrack: unexpected %q; its settings stand in a block", args[0])
		}
		b.track = fmt.Sprintf("%s:%d", c.File(), c.Line())
		return options(c, b.setTrack)
	})
}

func (b *blockState) setTrack(key string, args []string) (err error) {
	t := &b.Track
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
		if size > maxApexTXT {
			return fmt.Errorf("txt: %d octets of text; %d are allowed", size, maxApexTXT)
		}
		t.TXT = args
	case "address":
		return t.addAddresses(args)
	default:
		return fmt.Errorf("unknown setting %q of spftrack; there are nameservers, layouts, explain, ttl, apex_ttl, txt and address", key)
	}
	return err
}

func parseNames(args []string) (names []string, err error) {
	if len(args) > maxNameservers {
		return nil, fmt.Errorf("nameservers: %d hosts; %d are allowed", len(args), maxNameservers)
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
	if len(args[0]) > maxExplain {
		return "", fmt.Errorf("explain: %d octets; %d are allowed", len(args[0]), maxExplain)
	}
	if _, err := spftrack.CompileExplanation(args[0]); err != nil {
		return "", fmt.Errorf("explain: %w", err)
	}
	return args[0], nil
}

// address HOST IP...
func (t *Track) addAddresses(args []string) error {
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
		a, err := netip.ParseAddr(arg)
		if err != nil || a.Zone() != "" || a.Is4In6() {
			return fmt.Errorf("address: %q is no IP address", arg)
		}
		t.Addresses[host] = append(t.Addresses[host], a)
	}
	return nil
}

// checkAddresses refuses addresses that no zone of the block would have.
func (b *blockState) checkAddresses() error {
	for host := range b.Track.Addresses {
		if !slices.Contains(b.Track.Nameservers, host) {
			return fmt.Errorf("address: %s is no nameserver; a tracking zone has no other addresses", host)
		}
		if !slices.ContainsFunc(b.Zones, func(zone string) bool { return inZone(host, zone) }) {
			return fmt.Errorf("address: %s is not in a zone of this block; its address belongs to another zone", host)
		}
	}
	return nil
}

// rrl off, or rrl { ... }
func (f *corefile) setupLimit(c *caddy.Controller) error {
	l := &f.block(c).Limit
	return once(c, func(args []string) error {
		if len(args) == 1 && args[0] == "off" {
			l.Rate = 0
			return nil
		}
		if len(args) > 0 {
			return c.Errf(`rrl: unexpected %q; write "rrl off", or its settings in a block`, args[0])
		}
		return options(c, l.set)
	})
}

func (l *RateLimit) set(key string, args []string) error {
	switch key {
	case "rate":
		if len(args) != 1 {
			return fmt.Errorf("rate needs a number of answers a second")
		}
		n, err := strconv.Atoi(args[0])
		if err != nil || n < 1 || n > 1e9 {
			return fmt.Errorf("rate: %q is no number of answers a second", args[0])
		}
		l.Rate = n
	case "exempt":
		if len(args) == 0 {
			return fmt.Errorf("exempt needs networks, such as 192.0.2.0/24")
		}
		for _, arg := range args {
			p, err := parsePrefix(arg)
			if err != nil {
				return fmt.Errorf("exempt: %w", err)
			}
			l.Exempt = append(l.Exempt, p)
		}
	default:
		return fmt.Errorf("unknown setting %q of rrl; there are rate and exempt", key)
	}
	return nil
}

// journal DIR { ... }
func (f *corefile) setupJournal(c *caddy.Controller) error {
	return once(c, func(args []string) error {
		if len(args) != 1 {
			return c.Errf("journal needs one folder")
		}
		j := &Journal{Dir: args[0]}
		j.Server, _ = os.Hostname() // "" is a name too
		if err := checkFolder(j.Dir); err != nil {
			return c.Errf("journal: %v", err)
		}
		if err := options(c, j.set); err != nil {
			return err
		}
		return setGlobal(f, c, "journal", &f.config.Journal, j)
	})
}

// checkFolder fails when a path can be no folder. A missing folder is made
// later.
func checkFolder(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%s is no folder", path)
	}
	return nil
}

func (j *Journal) set(key string, args []string) (err error) {
	if len(args) != 1 {
		return fmt.Errorf("%s needs one value", key)
	}
	switch key {
	case "sync":
		switch args[0] {
		case "strict":
			j.Strict = true
		case "interval":
		default:
			return fmt.Errorf("sync: %q: use interval or strict", args[0])
		}
	case "server":
		j.Server = args[0]
	case "max_size":
		j.MaxSize, err = parseSize(args[0])
	case "retain":
		j.Retain, err = parseDuration(args[0])
	default:
		return fmt.Errorf("unknown setting %q of journal; there are sync, server, max_size and retain", key)
	}
	return err
}

// cookies off, or cookies FILE...
func (f *corefile) setupCookies(c *caddy.Controller) error {
	return once(c, func(args []string) error {
		var k Cookies
		switch {
		case len(args) == 0:
			return c.Errf(`cookies needs files of secrets, or "off"`)
		case len(args) == 1 && args[0] == "off":
			k.Off = true
		default:
			for _, arg := range args {
				secrets, err := ReadSecrets(arg)
				if err != nil {
					return c.Err(err.Error())
				}
				k.Secrets = append(k.Secrets, secrets...)
			}
			if len(k.Secrets) > maxSecrets {
				return c.Errf("cookies: %d secrets; %d are allowed", len(k.Secrets), maxSecrets)
			}
		}
		return setGlobal(f, c, "cookies", &f.config.Cookies, k)
	})
}

// metrics ADDRESS:PORT
func (f *corefile) setupMetrics(c *caddy.Controller) error {
	return f.setupWeb(c, "metrics", &f.config.Metrics)
}

// health ADDRESS:PORT
func (f *corefile) setupHealth(c *caddy.Controller) error {
	return f.setupWeb(c, "health", &f.config.Health)
}

func (f *corefile) setupWeb(c *caddy.Controller, name string, target *netip.AddrPort) error {
	return once(c, func(args []string) error {
		if len(args) != 1 {
			return c.Errf("%s needs one IP address and port, such as 127.0.0.1:9153", name)
		}
		at, err := netip.ParseAddrPort(args[0])
		if err != nil {
			return c.Errf("%s: %q is no IP address and port, such as 127.0.0.1:9153", name, args[0])
		}
		return setGlobal(f, c, name, target, at)
	})
}

// log: every question.
func (f *corefile) setupLog(c *caddy.Controller) error { return f.setupLogMode(c, "log", LogAll) }

// errors: what is answered with an error.
func (f *corefile) setupErrors(c *caddy.Controller) error {
	return f.setupLogMode(c, "errors", LogErrors)
}

func (f *corefile) setupLogMode(c *caddy.Controller, name string, mode LogMode) error {
	return once(c, func(args []string) error {
		if len(args) > 0 {
			return c.Errf("%s: unexpected %q", name, args[0])
		}
		f.config.Log = max(f.config.Log, mode)
		return nil
	})
}

func parseTTL(key string, args []string) (time.Duration, error) {
	if len(args) != 1 {
		return 0, fmt.Errorf("%s needs one time", key)
	}
	d, err := parseDuration(args[0])
	if err != nil {
		return 0, fmt.Errorf("%s: %w", key, err)
	}
	if d > maxTTL {
		return 0, fmt.Errorf("%s: %s is more than a week", key, args[0])
	}
	return d, nil
}
