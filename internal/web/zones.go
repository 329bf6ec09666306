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
	of := p.verified(w.Output)
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

// verified reads the last result of nullspf verify, and returns the number of deviations of
// each zone.
func (p *zonesPage) verified(output string) map[string]int {
	of := make(map[string]int)
	if output == "" {
		return of
	}
	last, err := verify.ReadLast(output)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		p.Unverified = "nobody has asked the nameservers yet; run nullspf verify"
		return of
	case err != nil:
		p.Unverified = visible(err.Error())
		return of
	}
	p.Verified = last
	for _, f := range last.Findings {
		of[f.Zone]++
		if len(p.Deviations) == deviationsShown || p.Search != "" && !strings.HasPrefix(f.Zone, p.Search) {
			continue
		}
		d := deviationView{visible(f.Zone), "", visible(f.Server), visible(f.Check), visible(f.Name), visible(f.Want), visible(f.Have), visible(f.Reason)}
		if f.Zone != "" {
			d.Link = "/zones?" + url.Values{paramSearch: {f.Zone}}.Encode()
		}
		p.Deviations = append(p.Deviations, d)
	}
	p.Other = last.Deviations - len(p.Deviations)
	return of
}

type serversPage struct {
	layout
	Servers []serverView
}

type serverView struct {
	Socket string
	*control.Status
	// Error says why it could not be asked.
	Error string
}

func (w *Server) servers(rw http.ResponseWriter, r *http.Request) error {
	p := serversPage{layout: w.layout(r, "Servers", "/servers", nil)}
	p.Servers = w.status(r.Context(), statusPatience)
	return w.show(rw, "servers.html", p)
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
