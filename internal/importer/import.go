package importer

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"nullspf/internal/dnsname"
	"nullspf/zones"
)

// DefaultGroups is how many groups are made at most.
const DefaultGroups = 50

// Settings say what is imported.
type Settings struct {
	// Changes accepts zones that nullspf publishes with another record or one more.
	Changes bool
	// Groups is how many groups are made at most; 0 means DefaultGroups.
	Groups int
	// Progress is called now and then with how many of the zones were read; nil for
	// none. It may be called from several goroutines.
	Progress func(done, total int)
}

// LeftOut is a zone that was not imported, and one reason why.
type LeftOut struct {
	// Zone is "" when the name is not known.
	Zone string
	// Place is a file, with a line if there is one, or "".
	Place  string
	Reason string
}

// Group is a group of domains that are published alike.
type Group struct {
	Name     string
	settings settings
	zones    []*fitted // sorted
	// addresses are those of most of its domains.
	addresses []netip.Addr
}

// Domains is the number of domains.
func (g *Group) Domains() int { return len(g.zones) }

// MX are the hosts that accept its mail, with their preferences; "" for a null MX.
func (g *Group) MX() string { return strings.ReplaceAll(g.settings.mx, ",", ", ") }

// SPF is the layout of its SPF record.
func (g *Group) SPF() string { return string(g.settings.layout) }

// List is the name of the file with its domains.
func (g *Group) List() string {
	if g.overrides() {
		return g.Name + ".csv"
	}
	return g.Name + ".txt"
}

// overrides reports whether domains have other addresses than the group.
func (g *Group) overrides() bool {
	return slices.ContainsFunc(g.zones, func(z *fitted) bool { return !slices.Equal(z.addresses, g.addresses) })
}

// Result is what an import makes of a source.
type Result struct {
	Source *Source
	// Groups are in order of their size, the largest first.
	Groups []*Group
	// LeftOut are in the order of their names, then of their places.
	LeftOut []LeftOut
}

// Import reads the zone files of a source and puts the zones into groups. The error
// is that of ctx.
func Import(ctx context.Context, source *Source, s Settings) (*Result, error) {
	r := &Result{Source: source}
	candidates := r.candidates()
	all, err := r.fitAll(ctx, candidates, s.Progress)
	if err != nil {
		return nil, err
	}
	var zs []*fitted
	for _, z := range all {
		switch {
		case z == nil:
		case z.refused() || len(z.differences) > 0 && !s.Changes:
			for _, d := range z.differences {
				if !d.change || !z.refused() {
					r.leaveOut(z.name, d.at.String(), d.text)
				}
			}
		default:
			zs = append(zs, z)
		}
	}
	zs = r.withoutInfrastructure(zs)
	zs = r.withOneTrackingZone(zs)
	r.group(zs, cmp.Or(s.Groups, DefaultGroups))
	slices.SortStableFunc(r.LeftOut, func(a, b LeftOut) int {
		return cmp.Or(strings.Compare(a.Zone, b.Zone), strings.Compare(a.Place, b.Place))
	})
	return r, nil
}

func (r *Result) leaveOut(zone, place, reason string) {
	r.LeftOut = append(r.LeftOut, LeftOut{zone, place, reason})
}

// Domains is the number of domains in all groups.
func (r *Result) Domains() int {
	n := 0
	for _, g := range r.Groups {
		n += g.Domains()
	}
	return n
}

// ZonesLeftOut is the number of zones that were left out.
func (r *Result) ZonesLeftOut() int { return len(r.Source.Zones) - r.Domains() }

// candidates are the zones whose files are to be read: those with a good name, once.
func (r *Result) candidates() []Zone {
	// Which names a group takes depends on flags that no imported group has.
	g := &zones.Group{}
	places := make(map[string][]int)
	list := make([]Zone, 0, len(r.Source.Zones))
	for _, z := range r.Source.Zones {
		place := z.place(r.Source.Path)
		if z.Name == "" {
			r.leaveOut("", place, z.Refused)
			continue
		}
		name, _, err := g.ParseName(z.Name)
		if err != nil {
			r.leaveOut(z.Name, place, cmp.Or(z.Refused, withoutHint(err)))
			continue
		}
		z.Name = string(name)
		places[z.Name] = append(places[z.Name], len(list))
		list = append(list, z)
	}
	var good []Zone
	for i, z := range list {
		same := places[z.Name]
		switch {
		case z.Refused != "":
			r.leaveOut(z.Name, z.place(r.Source.Path), z.Refused)
		case len(same) > 1:
			other := list[same[0]].File
			if same[0] == i {
				other = list[same[1]].File
			}
			r.leaveOut(z.Name, z.File, "the zone is there twice; its other file is "+other)
		default:
			good = append(good, z)
		}
	}
	return good
}

// withoutHint cuts what is about a configuration off the reason why a name is refused.
func withoutHint(err error) string {
	reason, _, _ := strings.Cut(err.Error(), "; set allow_")
	return reason
}

// fitAll reads the zone files on every processor. A zone whose file cannot be read is
// nil.
func (r *Result) fitAll(ctx context.Context, list []Zone, progress func(done, total int)) ([]*fitted, error) {
	fits := make([]*fitted, len(list))
	var next, done atomic.Int64
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(list) {
					return
				}
				z := list[i]
				records, err := readZone(z.Name, z.File, r.Source.Base)
				if err == nil {
					fits[i] = fit(z.Name, z.File, records)
				} else {
					place, reason := z.File, err.Error()
					if e, ok := asZoneError(err); ok {
						place, reason = e.at.String(), e.reason
					}
					mu.Lock()
					r.leaveOut(z.Name, place, reason)
					mu.Unlock()
				}
				if n := int(done.Add(1)); progress != nil && n%64 == 0 {
					progress(n, len(list))
				}
			}
		})
	}
	wg.Wait()
	return fits, ctx.Err()
}

// withoutInfrastructure leaves out the zones that hold a name on which the zones
// depend.
func (r *Result) withoutInfrastructure(zs []*fitted) []*fitted {
	needed := make(map[dnsname.Name]string)
	add := func(name dnsname.Name, what string) {
		for n := name; n != ""; {
			if _, known := needed[n]; !known {
				needed[n] = what + " " + string(name)
			}
			_, rest, _ := strings.Cut(string(n), ".")
			n = dnsname.Name(rest)
		}
	}
	for _, z := range zs {
		for ns := range strings.FieldsSeq(z.settings.nameservers) {
			add(dnsname.Name(ns), "nameserver")
		}
		for _, host := range z.settings.mxHosts() {
			add(host.Host, "mail host")
		}
		if z.settings.track != "" {
			add(z.settings.track, "tracking zone")
		}
	}
	return slices.DeleteFunc(zs, func(z *fitted) bool {
		what, holds := needed[dnsname.Name(z.name)]
		if holds {
			r.leaveOut(z.name, z.file, "holds the "+what+", so it is kept by hand")
		}
		return holds
	})
}

// withOneTrackingZone leaves out the zones with another tracking zone than most: a
// configuration has one.
func (r *Result) withOneTrackingZone(zs []*fitted) []*fitted {
	count := make(map[dnsname.Name]int)
	most := dnsname.Name("")
	for _, z := range zs {
		if track := z.settings.track; track != "" {
			count[track]++
			if most == "" || count[track] > count[most] || count[track] == count[most] && track < most {
				most = track
			}
		}
	}
	return slices.DeleteFunc(zs, func(z *fitted) bool {
		other := z.settings.track != "" && z.settings.track != most
		if other {
			r.leaveOut(z.name, z.file, fmt.Sprintf("the SPF record has the tracking zone %s, those of most zones %s; a configuration has one", z.settings.track, most))
		}
		return other
	})
}

// group puts zones with equal settings together.
func (r *Result) group(zs []*fitted, most int) {
	slices.SortFunc(zs, func(a, b *fitted) int { return strings.Compare(a.name, b.name) })
	bySettings := make(map[settings]*Group)
	for _, z := range zs {
		g := bySettings[z.settings]
		if g == nil {
			g = &Group{settings: z.settings}
			bySettings[z.settings] = g
			r.Groups = append(r.Groups, g)
		}
		g.zones = append(g.zones, z)
	}
	slices.SortStableFunc(r.Groups, func(a, b *Group) int { return len(b.zones) - len(a.zones) })
	if len(r.Groups) > most {
		for _, g := range r.Groups[most:] {
			for _, z := range g.zones {
				r.leaveOut(z.name, z.file, fmt.Sprintf("%s other domains have the same settings; there are %d kinds of zones, and groups are made of the %d largest", number(len(g.zones)-1), len(r.Groups), most))
			}
		}
		r.Groups = r.Groups[:most]
	}
	for i, g := range r.Groups {
		g.Name = "generic"
		if i > 0 {
			g.Name = fmt.Sprintf("group-%d", i+1)
		}
		g.addresses = mostAddresses(g.zones)
	}
}

func number(n int) string {
	if n == 0 {
		return "no"
	}
	return fmt.Sprint(n)
}

func mostAddresses(zs []*fitted) []netip.Addr {
	count := make(map[string]int)
	var most []netip.Addr
	for _, z := range zs {
		key := fmt.Sprint(z.addresses)
		if count[key]++; count[key] > count[fmt.Sprint(most)] {
			most = z.addresses
		}
	}
	return most
}
