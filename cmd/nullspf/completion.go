package main

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"nullspf/internal/config"
	"nullspf/internal/control"
	"nullspf/internal/forgerylog"
	"nullspf/spftrack"
	"nullspf/zones"
)

// Completions of arguments and values of flags, which the shells ask for with
// "nullspf __complete". Without one, a value is not completed: not even by the
// names of files.

// values completes by fixed values.
func values[T any](list []T) cobra.CompletionFunc {
	var texts []cobra.Completion
	for _, v := range list {
		texts = append(texts, fmt.Sprint(v))
	}
	return cobra.FixedCompletions(texts, cobra.ShellCompDirectiveNoFileComp)
}

// fileNames completes by the names of files.
func fileNames(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveDefault
}

// directories completes by the names of directories.
func directories(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveFilterDirs
}

// argument completes the n-th argument, from 0.
func argument(n int, complete cobra.CompletionFunc) cobra.CompletionFunc {
	return func(c *cobra.Command, args []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) != n {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return complete(c, args, toComplete)
	}
}

// completeFlag completes the value of a flag.
func completeFlag(c *cobra.Command, flag string, complete cobra.CompletionFunc) {
	if err := c.RegisterFlagCompletionFunc(flag, complete); err != nil {
		panic(err) // there is no such flag, or it has a completion already
	}
}

// configured completes by what the configuration holds. One that cannot be
// read completes nothing.
func (a *app) configured(list func(c *config.Config) []string) cobra.CompletionFunc {
	return func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
		c, err := config.Load(a.configPath)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return list(c), cobra.ShellCompDirectiveNoFileComp
	}
}

// mostNames is how many domains are offered.
const mostNames = 100

// publishedNames completes by the domains of the manifest.
func (a *app) publishedNames(_ *cobra.Command, _ []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective) {
	c, err := a.load()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	prefix := ""
	if rest, whole := strings.CutPrefix(toComplete, "="); whole {
		prefix, toComplete = "=", rest
	}
	list, err := zones.PublishedZones(c.Output, strings.ToLower(toComplete), mostNames)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	names := make([]string, len(list))
	for i := range list {
		names[i] = prefix + list[i].Name
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

func groupsOf(c *config.Config) []string {
	var names []string
	for _, g := range c.Groups {
		names = append(names, g.Name)
	}
	return names
}

// serversOf are the addresses of the nameservers, without port 53.
func serversOf(c *config.Config) []string {
	var texts []string
	for _, at := range slices.Concat(c.Named.Primary.Addresses, c.Secondaries) {
		texts = append(texts, endpointText(at))
	}
	return texts
}

func endpointText(at netip.AddrPort) string {
	if at.Port() == 53 {
		return at.Addr().String()
	}
	return at.String()
}

func trackingZoneOf(c *config.Config) []string {
	if c.Track.Zone == "" {
		return nil
	}
	return []string{string(c.Track.Zone)}
}

// since are times that are often asked for.
var since = []string{"today", "yesterday", "1h", "24h", "7d", "30d"}

// rankings are the arguments of log top.
var rankings = func() []cobra.Completion {
	var list []cobra.Completion
	for _, f := range forgerylog.Fields {
		list = append(list, cobra.CompletionWithDesc(string(f), map[forgerylog.Field]string{
			forgerylog.ByIP: "client", forgerylog.ByNet: "network of the client", forgerylog.BySender: "envelope sender",
			forgerylog.ByHELO: "HELO name", forgerylog.ByDomain: "forged domain", forgerylog.ByResolver: "resolver that asked",
			forgerylog.ByAS: "autonomous system of the client", forgerylog.ByCountry: "country of the client",
			forgerylog.ByReporter: "who sent DMARC reports", forgerylog.ByDisposition: "what was done, by DMARC reports",
			forgerylog.ByCause: "why mail was refused, by mail logs",
		}[f]))
	}
	return list
}()

var (
	formatValues    = values(forgerylog.Formats)
	unitValues      = values(forgerylog.Units)
	sourceValues    = values(forgerylog.Sources)
	kindValues      = values(spftrack.Kinds)
	layoutValues    = values(spftrack.Layouts)
	zoneKindValues  = values(control.Kinds)
	zoneStateValues = values(control.States)
)
