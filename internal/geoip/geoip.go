// Package geoip tells the autonomous system and the country of an address, by
// databases in the MaxMind DB format: those of MaxMind (GeoLite2-ASN,
// GeoLite2-Country, GeoLite2-City and their paid relatives) or of others with the
// same fields, such as DB-IP.
package geoip

import (
	"fmt"
	"net/netip"
	"strconv"
	"sync"

	"github.com/oschwald/maxminddb-golang/v2"
)

// Databases are files, which are opened when they are needed first. One may serve
// both. They are safe for concurrent use once made by [New].
type Databases struct {
	as, country func() (*maxminddb.Reader, error)
}

// New returns databases: the files that tell autonomous systems and countries, ""
// for none.
func New(as, country string) *Databases {
	return &Databases{
		as:      opened(as, func(r *record) bool { return r.Number != 0 }, "autonomous system", "as"),
		country: opened(country, func(r *record) bool { return r.code() != "" }, "country", "country"),
	}
}

// record has the fields that count.
type record struct {
	Number     uint32 `maxminddb:"autonomous_system_number"`
	Name       string `maxminddb:"autonomous_system_organization"`
	Country    state  `maxminddb:"country"`
	Registered state  `maxminddb:"registered_country"`
}

type state struct {
	// Code is of ISO 3166-1 alpha-2.
	Code string `maxminddb:"iso_code"`
}

// code is the country in which an address is, or else that in which it was
// registered.
func (r *record) code() string {
	if r.Country.Code != "" {
		return r.Country.Code
	}
	return r.Registered.Code
}

// sample is how many networks of a database are looked at to see what it tells.
const sample = 1000

// opened returns a function that opens a file once. Of its first networks, one at
// least must tell something.
func opened(file string, tells func(*record) bool, what, key string) func() (*maxminddb.Reader, error) {
	return sync.OnceValues(func() (*maxminddb.Reader, error) {
		if file == "" {
			return nil, fmt.Errorf("no database tells the %s of an address; name one with the key geoip.%s of the configuration", what, key)
		}
		db, err := maxminddb.Open(file)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		n := 0
		for network := range db.Networks() {
			var r record
			if err := network.Decode(&r); err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
			if tells(&r) {
				return db, nil
			}
			if n++; n == sample {
				break
			}
		}
		return nil, fmt.Errorf("%s: this database, %q, tells no %s of an address", file, db.Metadata.DatabaseType, what)
	})
}

// AS returns the autonomous system of an address, such as "AS64500 Example Net"; ""
// when the database has none. The text is whatever the database holds. An error
// means that the database cannot be used, which the zero Addr asks too.
func (d *Databases) AS(addr netip.Addr) (string, error) {
	r, err := look(d.as, addr)
	if err != nil || r.Number == 0 {
		return "", err
	}
	text := "AS" + strconv.FormatUint(uint64(r.Number), 10)
	if r.Name != "" {
		text += " " + r.Name
	}
	return text, nil
}

// Country returns the code of the country of an address, such as "DE"; otherwise
// it is like AS.
func (d *Databases) Country(addr netip.Addr) (string, error) {
	r, err := look(d.country, addr)
	return r.code(), err
}

func look(database func() (*maxminddb.Reader, error), addr netip.Addr) (r record, err error) {
	db, err := database()
	if err != nil || !addr.IsValid() {
		return r, err
	}
	err = db.Lookup(addr).Decode(&r)
	return r, err
}
