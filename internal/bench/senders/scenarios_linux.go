package main

import (
	"fmt"
	"strings"
)

// host is a mail host of a domain.
type host struct{ role, address string }

// scenario is a domain and its mail hosts, in the order of their preference.
type scenario struct {
	domain, layout, title string
	hosts                 []host
	// drops: the first host does not refuse connections but ignores them. down:
	// the live host does not run.
	drops, down bool
}

var scenarios = []scenario{
	{domain: "nolisting.example", layout: "nolisting", title: "nolisting",
		hosts: []host{{"dead", "192.0.2.10"}, {"live", "192.0.2.20"}}},
	{domain: "fake.example", layout: "fake-mx", title: "fake-mx",
		hosts: []host{{"dead", "192.0.2.11"}, {"live", "192.0.2.21"}, {"dead", "192.0.2.31"}}},
	{domain: "tar.example", layout: "tar", title: "tar",
		hosts: []host{{"dead", "192.0.2.12"}, {"live", "192.0.2.22"}, {"tempfail", "192.0.2.32"}}},
	{domain: "drop.example", layout: "nolisting", title: "nolisting, the dead host drops packets", drops: true,
		hosts: []host{{"dead", "192.0.2.13"}, {"live", "192.0.2.23"}}},
	{domain: "down.example", layout: "tar", title: "tar, the live host is down", down: true,
		hosts: []host{{"dead", "192.0.2.14"}, {"live", "192.0.2.24"}, {"tempfail", "192.0.2.34"}}},
}

// name is the host name of the i-th host.
func (sc *scenario) name(i int) string {
	label, _, _ := strings.Cut(sc.domain, ".")
	return fmt.Sprintf("mx%d.%s.example.net", i+1, label)
}

// label is what the table calls the i-th host.
func (sc *scenario) label(i int) string {
	if i == 2 && sc.hosts[i].role == "dead" {
		return "second dead"
	}
	return sc.hosts[i].role
}

// yaml is the group of the domain in nullspf.yaml.
func (sc *scenario) yaml() string {
	label, _, _ := strings.Cut(sc.domain, ".")
	var b strings.Builder
	fmt.Fprintf(&b, "  %s:\n    list: %s.txt\n    mail: nolisting\n    nolisting: {layout: %s, allow_test_addresses: true}\n    mx:\n", label, label, sc.layout)
	for i, h := range sc.hosts {
		fmt.Fprintf(&b, "      - {host: %s, preference: %d, role: %s, addresses: [%s]}\n", sc.name(i), 10*(i+1), h.role, h.address)
	}
	return b.String()
}
