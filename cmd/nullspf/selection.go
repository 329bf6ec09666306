package main

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"nullspf/internal/config"
	"nullspf/internal/dnsname"
	"nullspf/zones"
)

// selection is what arguments that name domains and groups choose; nil is
// everything.
type selection struct{ names, groups map[string]bool }

// newSelection reads arguments. published reports whether a name that is on no
// list is published; nil for none.
func newSelection(set *zones.Set, groups []*zones.Group, published func(name string) bool, args []string) (*selection, error) {
	if len(args) == 0 {
		return nil, nil
	}
	s := &selection{make(map[string]bool), make(map[string]bool)}
	for _, arg := range args {
		if slices.ContainsFunc(groups, func(g *zones.Group) bool { return g.Name == arg }) {
			s.groups[arg] = true
			continue
		}
		name, _, err := dnsname.ParseIDNA2003(arg)
		if err != nil || set.Find(string(name)) == nil && (published == nil || !published(string(name))) {
			return nil, fmt.Errorf("%q is neither a group nor a domain on a list", arg)
		}
		s.names[string(name)] = true
	}
	return s, nil
}

// has reports whether a zone is selected.
func (s *selection) has(name, group string) bool {
	return s == nil || s.names[name] || s.groups[group]
}

// of returns the part of a set that is selected.
func (s *selection) of(set *zones.Set) *zones.Set {
	if s == nil {
		return set
	}
	part := *set
	part.Entries = nil
	for i := range set.Entries {
		if e := &set.Entries[i]; s.has(e.Name, set.Group(e).Name) {
			part.Entries = append(part.Entries, *e)
		}
	}
	return &part
}

// selectable completes groups and published names.
func (a *app) selectable(c *cobra.Command, args []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective) {
	groups, _ := a.configured(func(c *config.Config) []string { return groupsOf(c) })(c, args, toComplete)
	names, directive := a.publishedNames(c, args, toComplete)
	return append(groups, names...), directive
}
