package main

import (
	"fmt"
	"io"
	"strings"

	"nullspf/internal/config"
	"nullspf/internal/value"
	"nullspf/zones"
)

// handKeptZone is a zone kept by hand, in JSON.
type handKeptZone struct {
	Zone     string   `json:"zone"`
	File     string   `json:"file"`
	Group    string   `json:"group"`
	Serial   uint32   `json:"serial,omitempty"`
	Includes []string `json:"includes"`
	// Behind: a file that the zone includes has changed, its serial number has not
	// risen since.
	Behind bool   `json:"behind"`
	Error  string `json:"error,omitempty"`
}

// handKeptJSON gives the selected zones in JSON.
func handKeptJSON(states []zones.HandKeptState, only *selection) []handKeptZone {
	list := []handKeptZone{}
	for _, s := range states {
		if !only.has(string(s.Zone.Name), s.Zone.Group.Name) {
			continue
		}
		z := handKeptZone{Zone: string(s.Zone.Name), File: s.Zone.File, Group: s.Zone.Group.Name,
			Serial: s.Serial, Includes: append([]string{}, s.Includes...), Behind: s.Behind}
		if s.Err != nil {
			z.Error = s.Err.Error()
		}
		list = append(list, z)
	}
	return list
}

// printHandKept tells what people have to do for the selected zones that they keep
// by hand.
func printHandKept(w io.Writer, states []zones.HandKeptState, only *selection) {
	for _, s := range states {
		if only.has(string(s.Zone.Name), s.Zone.Group.Name) {
			if text := handKeptFault(s); text != "" {
				fmt.Fprintln(w, "! "+text)
			}
		}
	}
}

// handKeptFault says what keeps secondaries from the records that a zone includes;
// "" for nothing.
func handKeptFault(s zones.HandKeptState) string {
	switch {
	case s.Err != nil:
		return value.Visible(fmt.Sprintf("%s (kept by hand): cannot read the zone: %v", s.Zone.Name, s.Err))
	case s.Behind:
		return value.Visible(fmt.Sprintf("%s (kept by hand) includes %s, with other records now: raise the serial number %d in %s, or no secondary fetches them",
			s.Zone.Name, strings.Join(s.Includes, " and "), s.Serial, s.Zone.File))
	}
	return ""
}

// handKeptOf are the names of the zones kept by hand.
func handKeptOf(c *config.Config) []string {
	names := make([]string, len(c.HandKept))
	for i, z := range c.HandKept {
		names[i] = string(z.Name)
	}
	return names
}
