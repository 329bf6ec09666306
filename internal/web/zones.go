package web

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"nullspf/internal/control"
	"nullspf/internal/verify"
	"nullspf/zones"
)

const (
	paramSearch = "q"
	// zonesShown is how many zones a page lists, statusPatience how long a server may take to
	// tell of itself.
	zonesShown     = 500
	statusPatience = 5 * time.Second
)

type zonesPage struct {
	layout
	Search string
	Zones  []zoneView
	// More: others match too. None: nothing was written, and why.
	More bool
	None string
	// ByName and BySerial lead to other orders.
	ByName, BySerial sorting
	// Verified is the last result of nullspf verify, nil for none; Unverified says why. Other
	// is the number of deviations that are not shown.
	Verified   *verify.Last
	Unverified string
	Deviations []deviationView
	Other      int
	// Whole: all zones were checked, so that those without a deviation have none.
	Whole bool
}

// deviationView is a deviation that nullspf verify found.
type deviationView struct{ Zone, Link, Server, Check, Name, Want, Have, Reason string }

type zoneView struct {
	Name   string
	Serial uint32
	Link   string
	// Deviations is how many of those that are kept are about the zone.
	Deviations int
}

func (w *Server) zones(rw http.ResponseWriter, r *http.Request) error {
	f, err := w.asked(r, paramSearch, paramSort)
	if err != nil {
		return err
	}
	p := zonesPage{layout: w.layout(r, "Zones", "/zones", nil), Search: strings.ToLower(f.get(paramSearch))}
	var published []zones.Published
	if w.Output != "" {
		published, err = zones.PublishedZones(w.Output, p.Search, zonesShown+1)
	}
	switch {
	case w.Output == "":
		p.None = "no configuration names an output directory; start nullspf web with -c FILE"
	case errors.Is(err, fs.ErrNotExist):
		p.None = "nothing was written to " + visible(w.Output) + " yet; run nullspf zones"
	case err != nil:
		p.None = visible(err.Error())
	}
	if p.More = len(published) > zonesShown; p.More {
		published = published[:zonesShown]
	}
	order := cmp.Or(f.get(paramSort), zoneOrders[0])
	if !slices.Contains(zoneOrders, order) {
		return badRequest{fmt.Errorf("%s: use %s", paramSort, strings.Join(zoneOrders, " or "))}
	}
	if w.Output != "" {
		p.Verified, p.Unverified = w.lastVerified()
	}
	of := p.deviations()
	p.Whole = p.Verified != nil && p.Verified.Checked >= p.Verified.Zones
	for _, z := range published {
		p.Zones = append(p.Zones, zoneView{z.Name, z.Serial, "/?domain=%3D" + z.Name, of[z.Name]})
	}
	if order == "serial" {
		slices.SortStableFunc(p.Zones, func(a, b zoneView) int { return cmp.Compare(b.Serial, a.Serial) })
	}
	link := func(order string) string {
		v := make(url.Values)
		for name, value := range map[string]string{paramSearch: p.Search, paramSort: order} {
			if value != "" {
				v.Set(name, value)
			}
		}
		return "/zones?" + v.Encode()
	}
	p.ByName, p.BySerial = sorting{link("name"), order == "name"}, sorting{link("serial"), order == "serial"}
	return w.show(rw, "zones.html", p)
}

// zoneOrders are the orders of zones.
var zoneOrders = []string{"name", "serial"}

// deviationsShown is how many deviations a page shows.
const deviationsShown = 100

// lastVerified is the last result of nullspf verify; without one, nil and why.
func (w *Server) lastVerified() (last *verify.Last, why string) {
	last, err := verify.ReadLast(w.Output)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, "nobody has asked the nameservers yet; run nullspf verify"
	case err != nil:
		return nil, visible(err.Error())
	}
	return last, ""
}

func deviationOf(f verify.Finding) deviationView {
	d := deviationView{visible(f.Zone), "", visible(f.Server), visible(f.Check), visible(f.Name), visible(f.Want), visible(f.Have), visible(f.Reason)}
	if f.Zone != "" {
		d.Link = "/zones?" + url.Values{paramSearch: {f.Zone}}.Encode()
	}
	return d
}

// deviations lists those of the last result, and returns the number of each zone.
func (p *zonesPage) deviations() map[string]int {
	of := make(map[string]int)
	if p.Verified == nil {
		return of
	}
	for _, f := range p.Verified.Findings {
		of[f.Zone]++
		if len(p.Deviations) < deviationsShown && strings.HasPrefix(f.Zone, p.Search) {
			p.Deviations = append(p.Deviations, deviationOf(f))
		}
	}
	p.Other = p.Verified.Deviations - len(p.Deviations)
	return of
}

// zoneSection is the zone on the page of a domain.
type zoneSection struct {
	// Zone is nil for a domain without zone. Below: the domain is a name in it.
	Zone  *zoneView
	Group string
	Below bool
	// Verified and Unverified are as on the page of zones, Deviations those about the zone.
	// Some: not all that were found are kept.
	Verified   *verify.Last
	Unverified string
	Deviations []deviationView
	Some       bool
}

// zone shows what was written about a domain, and what verify has found there.
func (s *sections) zone() error {
	domain := strings.ToLower(s.f.Domain.Value)
	var v zoneSection
	// The zone has the name of the domain, or ends it.
	for name := domain; v.Zone == nil && name != "" && len(name) < 255; _, name, _ = strings.Cut(name, ".") {
		z, err := zones.FindPublished(s.w.Output, name)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // nothing was written at all
		}
		if err != nil {
			s.problems = append(s.problems, visible(err.Error()))
			return nil
		}
		if z != nil {
			v.Zone = &zoneView{Name: z.Name, Serial: z.Serial, Link: "/zones?" + url.Values{paramSearch: {z.Name}}.Encode()}
			v.Group, v.Below = z.Group, z.Name != domain
		}
	}
	if v.Zone != nil {
		v.Verified, v.Unverified = s.w.lastVerified()
	}
	if v.Verified != nil {
		for _, f := range v.Verified.Findings {
			if f.Zone == v.Zone.Name {
				v.Deviations = append(v.Deviations, deviationOf(f))
			}
		}
		v.Some = v.Verified.Deviations > len(v.Verified.Findings)
	}
	s.show("zone", v)
	return nil
}

type serversPage struct {
	layout
	Servers []serverView
}

type serverView struct {
	// At is a control socket or, with Remote, an address of metrics.
	At     string
	Remote bool
	*control.Status
	// Error says why it could not be asked.
	Error string
}

func (w *Server) servers(rw http.ResponseWriter, r *http.Request) error {
	p := serversPage{layout: w.layout(r, "Servers", "/servers", nil)}
	p.Servers = w.status(r.Context(), statusPatience)
	return w.show(rw, "servers.html", p)
}

// Remedy says what to do when a server cannot be asked.
func (v serverView) Remedy() string {
	if v.Remote {
		return "See whether nullspfd runs there (systemctl status nullspfd), has the line metrics with this address and port in its Corefile, and can be reached from here."
	}
	return "See whether nullspfd runs: systemctl status nullspfd."
}

// Counts are the zones of a server for people.
func (v serverView) Counts() string {
	var parts []string
	for _, z := range v.Zones {
		text := fmt.Sprintf("%s: %d serving", z.Kind, z.Serving)
		if z.Waiting > 0 {
			text += fmt.Sprintf(", %d waiting", z.Waiting)
		}
		if z.Expired > 0 {
			text += fmt.Sprintf(", %d expired", z.Expired)
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, "; ")
}
