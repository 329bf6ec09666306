package corefile

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"nullspf/internal/dnsname"
	"nullspf/internal/nameserver"
	"nullspf/internal/value"
	"nullspf/spftrack"
)

// spftrack { ... }
func readTrack(s *statements) error {
	t := &s.block.Track
	return s.once(func(args []string) error {
		t.Position = s.position()
		if err := noArguments(args); err != nil {
			return err
		}
		return trackSettings.read(s, t)
	})
}

var trackSettings = settings[*nameserver.Track]{
	{name: "nameservers", set: setNameservers},
	{name: "layouts", set: setLayouts},
	{name: "explain", set: one(setExplain)},
	{name: "ttl", set: parsed(parseTTL, func(t *nameserver.Track) *time.Duration { return &t.TTL })},
	{name: "apex_ttl", set: parsed(parseTTL, func(t *nameserver.Track) *time.Duration { return &t.ApexTTL })},
	{name: "txt", set: setTXT},
	{name: "address", set: addAddresses, repeated: true},
}

func setNameservers(t *nameserver.Track, hosts []string) error {
	return appendHosts(&t.Nameservers, hosts)
}

// appendHosts appends the hosts of a NS RRset.
func appendHosts(list *[]dnsname.Name, hosts []string) error {
	if len(hosts) > nameserver.MaxNameservers {
		return fmt.Errorf("%d hosts; %d are allowed", len(hosts), nameserver.MaxNameservers)
	}
	for _, host := range hosts {
		name, err := dnsname.Parse(host)
		if err != nil {
			return fmt.Errorf("%q: %w", host, err)
		}
		if slices.Contains(*list, name) {
			return fmt.Errorf("%s is given twice", name)
		}
		*list = append(*list, name)
	}
	return nil
}

func setLayouts(t *nameserver.Track, names []string) error {
	t.Layouts = nil
	for _, name := range names {
		l, err := spftrack.ParseLayout(name)
		if err != nil {
			return err
		}
		t.Layouts = append(t.Layouts, l)
	}
	return nil
}

func setExplain(t *nameserver.Track, text string) error {
	if len(text) > nameserver.MaxExplain {
		return fmt.Errorf("%d bytes; %d are allowed", len(text), nameserver.MaxExplain)
	}
	_, err := spftrack.CompileExplanation(text)
	t.Explain = text
	return err
}

func setTXT(t *nameserver.Track, texts []string) error {
	size := 0
	for _, text := range texts {
		size += len(text)
	}
	if size > nameserver.MaxApexTXT {
		return fmt.Errorf("%d bytes of text; %d are allowed", size, nameserver.MaxApexTXT)
	}
	t.TXT = texts
	return nil
}

// address HOST IP...
func addAddresses(t *nameserver.Track, args []string) error {
	if len(args) < 2 {
		return errors.New("write a nameserver and its IP addresses")
	}
	host, err := dnsname.Parse(args[0])
	if err != nil {
		return fmt.Errorf("%q: %w", args[0], err)
	}
	if t.Addresses == nil {
		t.Addresses = make(map[dnsname.Name][]netip.Addr)
	}
	for _, arg := range args[1:] {
		a, err := value.ParseAddr(arg)
		if err != nil {
			return err
		}
		t.Addresses[host] = append(t.Addresses[host], a)
	}
	return nil
}

func parseTTL(text string) (time.Duration, error) {
	d, err := value.ParseDuration(text)
	if err == nil && d > nameserver.MaxTTL {
		err = fmt.Errorf("%s is more than a week", text)
	}
	return d, err
}
