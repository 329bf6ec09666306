package config

import (
	"slices"
	"strings"

	"nullspf/internal/dnsname"
	"nullspf/zones"
)

// buildHandKept adds the zones that people keep by hand, whose files are not read
// here.
func (l *loader) buildHandKept(dir string, c *Config, raw []rawHandKept) {
	for i, r := range raw {
		key := item("handkept", i)
		z := zones.HandKept{Name: readName(l, key+".zone", r.Zone, parseRegistered), Group: l.groupOf(key+".group", c.Groups, r.Group)}
		if r.File == "" {
			l.fail(key+".file", "name the zone file, which is read and never written")
		} else {
			z.File = path(dir, r.File)
		}
		if r.Directory != "" {
			z.Directory = path(dir, r.Directory)
		}
		if slices.ContainsFunc(c.HandKept, func(other zones.HandKept) bool { return other.Name == z.Name }) && z.Name != "" {
			l.fail(key+".zone", "%s is listed twice", z.Name)
		}
		c.HandKept = append(c.HandKept, z)
	}
}

// parseRegistered reads a name that may have been registered under IDNA2003.
func parseRegistered(text string) (dnsname.Name, error) {
	name, _, err := dnsname.ParseIDNA2003(text)
	return name, err
}

// groupOf finds a group; without a name it is the only one.
func (l *loader) groupOf(key string, groups []*zones.Group, name string) *zones.Group {
	if name == "" && len(groups) == 1 {
		return groups[0]
	}
	i := slices.IndexFunc(groups, func(g *zones.Group) bool { return g.Name == strings.ToLower(name) })
	switch {
	case i >= 0:
		return groups[i]
	case name == "":
		l.fail(key, "name the group whose records the zone should hold")
	default:
		l.fail(key, "%q is not a group", name)
	}
	return nil
}
