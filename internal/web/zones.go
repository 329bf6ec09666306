package web

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strings"
	"time"

	"nullspf/internal/control"
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
}

type zoneView struct {
	Name   string
	Serial uint32
	Link   string
}

func (w *Server) zones(rw http.ResponseWriter, r *http.Request) error {
	f, err := w.asked(r, paramSearch)
	if err != nil {
		return err
	}
	p := zonesPage{layout: w.layout(r, "Zones", "/zones", nil), Search: strings.ToLower(f.get(paramSearch))}
	names, serials, err := w.published(p.Search)
	switch {
	case w.Output == "":
		p.None = "no configuration names an output directory; start nullspf web with -c FILE"
	case errors.Is(err, fs.ErrNotExist):
		p.None = "nothing was written to " + visible(w.Output) + " yet; run nullspf zones"
	case err != nil:
		p.None = visible(err.Error())
	}
	if p.More = len(names) > zonesShown; p.More {
		names = names[:zonesShown]
	}
	for _, name := range names {
		serial, _ := serials(name)
		p.Zones = append(p.Zones, zoneView{name, serial, "/?domain=%3D" + name})
	}
	return w.show(rw, "zones.html", p)
}

// published are the zones of the manifest that begin with a text, and their serial numbers.
func (w *Server) published(begin string) ([]string, func(string) (uint32, bool), error) {
	if w.Output == "" {
		return nil, nil, nil
	}
	names, err := zones.PublishedNames(w.Output, begin, zonesShown+1)
	if err != nil {
		return nil, nil, err
	}
	serials, err := zones.ReadSerials(w.Output)
	return names, serials, err
}

type serversPage struct {
	layout
	Servers []serverView
}

type serverView struct {
	Socket, Name string
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
