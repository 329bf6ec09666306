package forgerylog

import (
	"fmt"
	"net/netip"
	"strings"

	"nullspf/internal/tally"
	"nullspf/spftrack"
)

// Places tells where addresses are: the autonomous system of one, such as "AS64500
// Example Net", and its country, such as "DE"; "" when it is not known. For the
// zero Addr, an error says why nothing can be known.
type Places interface {
	AS(netip.Addr) (string, error)
	Country(netip.Addr) (string, error)
}

// WithPlaces makes [ByAS] and [ByCountry] fields to count by.
func WithPlaces(p Places) Option { return func(j *Journals) { j.places = p } }

// placed is a query that can tell where clients are, if it has to.
func (f *Journals) placed(q Query) (Query, error) {
	q.places = f.places
	for _, field := range q.needsPlaces() {
		if _, err := placeOf(f.places, field); err != nil {
			return q, err
		}
	}
	return q, nil
}

// needsPlaces are the fields of places by which a query selects.
func (q *Query) needsPlaces() (list []Field) {
	if q.AS != "" {
		list = append(list, ByAS)
	}
	if q.Country != "" {
		list = append(list, ByCountry)
	}
	return list
}

// maxPlaces bounds how many addresses are remembered.
const maxPlaces = 1 << 16

// placeOf returns what makes a function, for one goroutine each, from the text of an
// address to its place, or the error that there is none to know of.
func placeOf(places Places, field Field) (func() func(ip string) string, error) {
	if places == nil {
		return nil, fmt.Errorf("no database tells the %s of an address; name one with the key geoip.%s of the configuration", field, field)
	}
	of := places.AS
	if field == ByCountry {
		of = places.Country
	}
	if _, err := of(netip.Addr{}); err != nil {
		return nil, err
	}
	return func() func(string) string {
		known := make(map[string]string)
		return func(ip string) string {
			if place, ok := known[ip]; ok {
				return place
			}
			place := ""
			network, _, _ := strings.Cut(ip, "/")
			if addr, err := netip.ParseAddr(network); err == nil {
				place, _ = of(addr)
				place = spacedPrintable(place)
			}
			if len(known) >= maxPlaces {
				clear(known)
			}
			known[strings.Clone(ip)] = place
			return place
		}
	}, nil
}

// countPlaces counts the selected events by the place of the client, of which it keeps
// the n greatest counts: the counts of addresses, which summaries have, are added up.
// Places are few.
func (r *run) countPlaces(p *plan, f *Journals, ranking *Ranking, n int) error {
	place, err := placeOf(f.places, ranking.By)
	if err != nil {
		return err
	}
	type part struct {
		of   func(ip string) string
		sums map[string]uint64
	}
	parts := make([]part, workerCount())
	for i := range parts {
		parts[i] = part{place(), make(map[string]uint64)}
	}
	ranking.Total, ranking.Unknown, err = r.countKeys(p, tally.ClientIP, tally.IPs, func(worker int, ip string, n uint64) error {
		parts[worker].sums[parts[worker].of(ip)] += n
		return nil
	})
	sums := make(map[string]uint64)
	for i := range parts {
		for text, n := range parts[i].sums {
			sums[text] += n
		}
	}
	ranking.Unknown += sums[""]
	delete(sums, "")
	ranking.Distinct = uint64(len(sums))
	greatest := tally.Ranks{Most: n}
	for text, n := range sums {
		greatest.Add(text, n)
	}
	ranking.set(&greatest)
	return err
}

// spacedPrintable is the form of spftrack.Printable in which spaces are as they
// are: what a database says is for people.
func spacedPrintable(text string) string {
	words := strings.Fields(text)
	for i := range words {
		words[i] = spftrack.Printable(words[i])
	}
	return strings.Join(words, " ")
}
