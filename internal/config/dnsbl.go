package config

import (
	"nullspf/internal/dnsname"
	"nullspf/named"
)

// buildDNSBL reads the block list of nullspfd, whose nameservers are those of the
// published zones; nil is none. The file is written later, by log export.
func (l *loader) buildDNSBL(dir string, c *Config, all *raw) *named.DNSBL {
	const key = "nullspfd.dnsbl"
	r := all.Nullspfd.DNSBL
	if r.Zone == "" {
		if r.File != "" {
			l.fail(key+".zone", "the name of the block list is missing: bl.example.net")
		}
		return nil
	}
	d := &named.DNSBL{Zone: l.zoneName(key+".zone", r.Zone)}
	if r.File == "" {
		l.fail(key+".file", "name the list that nullspf log export --format json --output FILE writes")
	} else {
		d.File = path(dir, r.File)
	}
	if d.Zone != "" && d.Zone == c.Track.Zone {
		l.fail(key+".zone", "%s is the tracking zone", d.Zone)
	}
	for _, text := range all.Nameservers {
		host, err := dnsname.ParseHost(text)
		if err != nil {
			continue // a fault at another key
		}
		d.Nameservers = append(d.Nameservers, host)
		if d.Zone != "" && host.Within(d.Zone) {
			l.fail(key+".zone", "the nameserver %s is inside of the zone, which has no addresses of hosts; name another zone", host)
		}
	}
	return d
}
