package corefile

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"nullspf/internal/dnsname"
	"nullspf/internal/nameserver"
)

// dnsbl ZONE { ... }, as often as there are lists
func readDNSBL(s *statements) error {
	for s.Next() {
		args := s.RemainingArgs()
		if len(args) != 1 {
			return errors.New("write one zone, such as bl.example.net, and its settings in a block")
		}
		zone, err := dnsname.Parse(args[0])
		if err != nil {
			return fmt.Errorf("%q: %w", args[0], err)
		}
		d := nameserver.DNSBL{Position: s.position(), Zone: zone, TTL: nameserver.DefaultDNSBLTTL}
		if err := dnsblSettings.read(s, &d); err != nil {
			return err
		}
		if d.File == "" {
			return errors.New(`no file; write a line with file and the list that "nullspf log export --format json" writes`)
		}
		s.block.DNSBL = append(s.block.DNSBL, d)
		s.block.stored = append(s.block.stored, s.name)
	}
	return nil
}

var dnsblSettings = settings[*nameserver.DNSBL]{
	{name: "file", set: one(func(d *nameserver.DNSBL, path string) error { d.File = filepath.Clean(path); return nil })},
	{name: "nameservers", set: func(d *nameserver.DNSBL, hosts []string) error { return appendHosts(&d.Nameservers, hosts) }},
	{name: "ttl", set: parsed(parseTTL, func(d *nameserver.DNSBL) *time.Duration { return &d.TTL })},
}
