package named

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// Target is a running server to be told about a change.
type Target struct {
	Server Server
	// Role is RolePrimary or RoleSecondary.
	Role string
	// Command is the server's control program with its options, to which
	// arguments are appended, for a PowerDNS secondary the client of its database;
	// for nullspfd, YADIFA and CoreDNS it is the whole command. Nil means the one of
	// a server in its usual place.
	Command []string
	// Catalog is set for a secondary that consumes the catalog zone and therefore
	// needs no command when zones are added or removed.
	Catalog bool
}

// Change is what has changed in the output directory since the server last read
// it.
type Change struct {
	// Added, Removed and Changed are names of published zones.
	Added, Removed, Changed []string
	// HandKept are names of zones with files of their own, which a primary is to
	// read again; a nullspfd has none.
	HandKept []string
	// Config is set when anything but the list of zones has changed in the
	// server's configuration.
	Config bool
	// All is set when it is not known what the server has read: everything is
	// reloaded.
	All bool
}

// Step is a command to run.
type Step struct {
	Argv []string
	// Why says what the step is for.
	Why string
	// Env is added to the environment, KEY=VALUE.
	Env []string
	// journals is set for a command by which BIND reads zone files.
	journals *journals
}

// maxSingle is the greatest number of changed zones that are named to a primary.
// Beyond it, one command for everything that has changed is faster: see
// internal/bench/apply.
const maxSingle = 30

// maxRefresh is the greatest number of zones that a BIND secondary, which has no
// command for several, is told to refresh one by one.
const maxRefresh = 1000

// Steps returns the commands that make a server apply a change, in order. There
// are none when it has nothing to do, such as a secondary whose zones have
// changed: its primary notifies it.
//
// The steps of the primary are to run before those of its secondaries. Servers
// load new zones after the command has ended: a BIND secondary that asks for
// one too early asks again after a minute.
func Steps(t Target, c Change, s Settings) []Step {
	p := &stepper{command: t.Command, dir: path.Join(s.Output, "zones"), view: s.View, signed: s.DNSSEC}
	if p.command == nil {
		p.command = defaultCommands[t.Server]
	}
	if t.Server == PowerDNS && t.Role == RoleSecondary {
		if t.Command == nil {
			p.command = powerdnsClient
		}
		p.sql = readSQL(&s, powerdnsFile(t.Catalog))
	}
	members := len(c.Added)+len(c.Removed) > 0
	switch {
	case c.All:
		p.all(t.Server)
	case t.Role == RoleSecondary:
		// Their Corefiles name the catalog zone.
		catalog := t.Catalog || t.Server == CoreDNS || t.Server == Nullspfd && s.Catalog != ""
		p.secondary(t.Server, c.Config || members && !catalog, c)
	case members:
		p.primary(t.Server, true, string(s.Catalog), c)
	default:
		p.primary(t.Server, c.Config, "", c)
	}
	if t.Role == RolePrimary && !c.All {
		p.handKept(t.Server, c)
	}
	return p.steps
}

// handKept has a primary read the files of zones that people keep by hand; for
// NSD, nsd does.
func (p *stepper) handKept(server Server, c Change) {
	if len(c.HandKept) == 0 {
		return
	}
	const why = "zones kept by hand include changed records; reload them"
	switch server {
	case BIND:
		for _, zone := range c.HandKept {
			p.add(why, append([]string{"reload"}, inView(zone, p.view)...)...)
		}
	case Knot:
		p.add(why, append([]string{"-b", "zone-reload"}, c.HandKept...)...)
	case PowerDNS:
		p.add(why, append([]string{"bind-reload-now"}, c.HandKept...)...)
	}
}

// all makes a server reload its configuration and all zone files.
func (p *stepper) all(server Server) {
	const why = "the state of the server is not known; reload everything"
	switch server {
	case BIND:
		p.reload(why, "")
	case Knot:
		p.add(why, "reload")
	case NSD:
		p.add(why, "reconfig")
		p.add(why, "reload")
	case Nullspfd, YADIFA, CoreDNS:
		p.add(why)
	case PowerDNS:
		if p.sql != nil {
			p.add(why, p.sql...)
			return
		}
		p.add(why, "rediscover")
		p.add(why, "reload")
	case Unbound:
		p.add(why, "reload")
	}
}

// defaultCommands are the control commands of servers in their usual places.
var defaultCommands = map[Server][]string{
	BIND:     {"rndc"},
	NSD:      {"nsd-control"},
	Knot:     {"knotc"},
	Nullspfd: {"systemctl", "reload", "nullspfd"},
	PowerDNS: {"pdns_control"},
	YADIFA:   {"systemctl", "reload", "yadifa"},
	CoreDNS:  {"systemctl", "reload", "coredns"},
	Unbound:  {"unbound-control"},
}

// stepper collects steps.
type stepper struct {
	command []string
	dir     string // of the zone files
	view    string // of BIND, "" for none
	signed  bool   // the zones, by BIND
	// sql are the arguments by which the database of a PowerDNS secondary reads its
	// files.
	sql   []string
	steps []Step
}

func (p *stepper) add(why string, words ...string) {
	p.steps = append(p.steps, Step{Argv: append(slices.Clone(p.command), words...), Why: why})
}

// reload lets BIND read the file of a zone, or with "" all files.
func (p *stepper) reload(why, zone string) {
	words := []string{"reload"}
	if zone != "" {
		words = append(words, inView(zone, p.view)...)
	}
	p.add(why, words...)
	p.steps[len(p.steps)-1].journals = &journals{command: p.command, dir: p.dir, zone: zone, view: p.view, signed: p.signed}
}

// what says how many zones have changed.
func (c *Change) what() string {
	var parts []string
	for _, part := range []struct {
		names []string
		word  string
	}{{c.Added, "added"}, {c.Removed, "removed"}, {c.Changed, "changed"}} {
		if len(part.names) > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", len(part.names), part.word))
		}
	}
	if len(parts) == 0 {
		return "the configuration has changed"
	}
	return "zones: " + strings.Join(parts, ", ")
}

// primary: config tells whether its configuration has changed, catalog which
// catalog zone has. CoreDNS looks every few seconds for zone files that have come,
// gone or changed.
func (p *stepper) primary(server Server, config bool, catalog string, c Change) {
	switch server {
	case BIND:
		p.bind(config, catalog, c)
	case NSD:
		p.nsd(config, catalog, c)
	case Knot:
		p.knot(config, c)
	case PowerDNS:
		p.powerdns(config, catalog, c)
	case CoreDNS:
		if c.Config {
			p.add("the configuration has changed; reload it")
		}
	case Nullspfd, YADIFA:
		if config || len(c.Changed) > 0 {
			p.add(c.what() + "; reload the configuration and the zones")
		}
	}
}

// powerdns: "rediscover" reads the list of zones. Zones that have changed are notified
// to secondaries within a minute.
func (p *stepper) powerdns(config bool, catalog string, c Change) {
	changed := c.Changed
	if config {
		c.Changed = nil
		p.add(c.what()+"; reload the list of zones", "rediscover")
	}
	switch {
	case len(changed) > maxSingle:
		p.add(fmt.Sprintf("zones: %d changed; reload the zone files that have changed", len(changed)), "reload")
	case len(changed) > 0 && catalog != "":
		p.add("reload the changed zones and the catalog zone", append(append([]string{"bind-reload-now"}, changed...), catalog)...)
	case len(changed) > 0:
		p.add("reload the changed zones", append([]string{"bind-reload-now"}, changed...)...)
	case catalog != "":
		p.add("reload the catalog zone", "bind-reload-now", catalog)
	}
}

// bind: "reconfig" reads the configuration and new zones without reading the files
// of the others, "reload" does all at once.
func (p *stepper) bind(config bool, catalog string, c Change) {
	if len(c.Changed) > maxSingle {
		p.reload(c.what()+"; reload what has changed", "")
		return
	}
	if config {
		c := c
		c.Changed = nil
		p.add(c.what()+"; reload the configuration", "reconfig")
	}
	for _, zone := range c.Changed {
		p.reload("reload the changed zone", zone)
	}
	if catalog != "" {
		p.add("reload the catalog zone", append([]string{"reload"}, inView(catalog, p.view)...)...)
	}
}

// inView names a zone to rndc.
func inView(zone, view string) []string {
	if view == "" {
		return []string{zone}
	}
	return []string{zone, "IN", view}
}

// nsd: "reconfig" reads the configuration and new zones, "reload" the zone
// files that have changed. Each of these starts new processes and aborts the
// transfers of the old ones, which secondaries repeat only after the SOA's retry
// time: hence one "reload" for all zones.
func (p *stepper) nsd(config bool, catalog string, c Change) {
	changed := append(slices.Clip(c.Changed), c.HandKept...)
	if config {
		c.Changed = nil
		p.add(c.what()+"; reload the configuration", "reconfig")
	}
	switch {
	case len(changed) == 1 && catalog == "":
		p.add("reload the changed zone", "reload", changed[0])
	case len(changed) == 0 && catalog != "":
		p.add("reload the catalog zone", "reload", catalog)
	case len(changed) > 0:
		p.add(fmt.Sprintf("zones: %d changed; reload the zone files that have changed", len(changed)), "reload")
	}
}

// secondary: only the configuration matters. When BIND reads it, it aborts the
// SOA queries in progress, and would repeat them only after the SOA's retry time:
// hence "refresh".
func (p *stepper) secondary(server Server, config bool, c Change) {
	if !config {
		return
	}
	changed := c.Changed
	c.Changed = nil
	switch server {
	case BIND, NSD:
		p.add(c.what()+"; reload the configuration", "reconfig")
	case Knot:
		p.add(c.what()+"; reload the configuration", "reload")
	case Nullspfd, YADIFA, CoreDNS:
		p.add(c.what() + "; reload the configuration")
	case PowerDNS:
		p.add(c.what()+"; read it into the database", p.sql...)
	case Unbound:
		p.add(c.what()+"; reload the configuration", "reload")
	}
	if server != BIND || len(changed) > maxRefresh {
		return
	}
	for _, zone := range changed {
		p.add("refresh the changed zone", append([]string{"refresh"}, inView(zone, p.view)...)...)
	}
}

// knot: "reload" reads the configuration and all zone files that have changed.
func (p *stepper) knot(config bool, c Change) {
	if config || len(c.Changed) > maxSingle {
		p.add(c.what()+"; reload the configuration and the zone files that have changed", "reload")
		return
	}
	if len(c.Changed) > 0 {
		p.add("reload the changed zones", append([]string{"-b", "zone-reload"}, c.Changed...)...)
	}
}

// String returns the command in a form that a shell reads back.
func (s Step) String() string {
	words := make([]string, len(s.Argv))
	for i, w := range s.Argv {
		words[i] = shellQuote(w)
	}
	return strings.Join(words, " ")
}

// shellQuote quotes a word for a POSIX shell when it needs it.
func shellQuote(w string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-+=@,:%", r)
	}
	if w != "" && strings.IndexFunc(w, func(r rune) bool { return !plain(r) }) < 0 {
		return w
	}
	return "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
}
