package control

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Kind is where a zone comes from.
type Kind string

// The kinds of zones.
const (
	Parked    Kind = "parked"    // from the output directory of "nullspf zones"
	Secondary Kind = "secondary" // transferred from a primary
	Catalog   Kind = "catalog"   // a list of zones (RFC 9432), transferred or published
	Tracking  Kind = "tracking"  // answered by spftrack
	DNSBL     Kind = "dnsbl"     // a DNS block list
)

// Kinds lists them in the order in which they are shown.
var Kinds = []Kind{Parked, Secondary, Catalog, Tracking, DNSBL}

// State is what becomes of queries about a zone.
type State string

// The states of zones.
const (
	Serving State = "serving" // it is answered
	Waiting State = "waiting" // it was never transferred, or read: SERVFAIL
	Expired State = "expired" // no primary confirmed it in time: SERVFAIL
)

// States lists them.
var States = []State{Serving, Waiting, Expired}

// Zone is what the list of zones says of one.
type Zone struct {
	// Name is in lower case without final dot, "." for the root, with bytes
	// that are not printable ASCII as \DDD.
	Name  string `json:"name"`
	Kind  Kind   `json:"kind"`
	State State  `json:"state"`
	// Serial is 0 while the zone waits.
	Serial uint32 `json:"serial"`

	// The rest is of zones that are transferred.

	// Catalog is the catalog zone that lists the zone.
	Catalog string `json:"catalog,omitempty"`
	// Primary is the address and port that confirmed the zone last.
	Primary string `json:"primary,omitempty"`
	// Refreshed is when it did, Next when it is asked again, Expires when the
	// zone is not served any longer unless it is confirmed.
	Refreshed time.Time `json:"refreshed,omitzero"`
	Next      time.Time `json:"next_refresh,omitzero"`
	Expires   time.Time `json:"expires,omitzero"`
	// Error is why the last attempt failed, of a block list why its file is not read;
	// "" when all is well.
	Error string `json:"last_error,omitempty"`
}

// ZoneDetail is all that there is to say of a zone.
type ZoneDetail struct {
	Zone
	Records int `json:"records"`
	// Bytes of memory; 0 when the zone shares it with others.
	Bytes int `json:"octets,omitempty"`
	// Primaries are all primaries of the zone, in the order in which they are
	// asked.
	Primaries []string `json:"primaries,omitempty"`
	// Secondaries are told of its changes.
	Secondaries []string `json:"secondaries,omitempty"`
}

// Filter selects zones of the list; "" and false select all.
type Filter struct {
	Kind  Kind
	State State
	// Failing selects zones whose last refresh failed.
	Failing bool
}

// validate returns an error that names the known words.
func (f Filter) validate() error {
	if f.Kind != "" && !slices.Contains(Kinds, f.Kind) {
		return fmt.Errorf("no kind of zones is called %q; there are %s", f.Kind, listed(Kinds))
	}
	if f.State != "" && !slices.Contains(States, f.State) {
		return fmt.Errorf("no state of zones is called %q; there are %s", f.State, listed(States))
	}
	return nil
}

func (f Filter) match(z *Zone) bool {
	return (f.Kind == "" || f.Kind == z.Kind) && (f.State == "" || f.State == z.State) && (!f.Failing || z.Error != "")
}

func listed[T ~string](words []T) string {
	list := make([]string, len(words))
	for i, w := range words {
		list[i] = string(w)
	}
	return strings.Join(list, ", ")
}
