package main

import (
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// markdown returns the table of what became of messages.
func markdown(scenarios []scenario, results []result) string {
	var b strings.Builder
	var versions []string
	for _, r := range results {
		versions = append(versions, title(r.sender)+" "+r.version)
	}
	fmt.Fprintf(&b, "%s.\n\n", strings.Join(versions, ", "))
	b.WriteString("| domain | sender | first message | second message |\n|---|---|---|---|\n")
	for i := range scenarios {
		for _, r := range results {
			fmt.Fprintf(&b, "| %s | %s |", scenarios[i].title, title(r.sender))
			for _, o := range r.outcomes[i] {
				fmt.Fprintf(&b, " %s |", cell(&scenarios[i], o))
			}
			b.WriteString("\n")
		}
	}
	return b.String()
}

func title(s *sender) string {
	return map[string]string{"postfix": "Postfix", "exim": "Exim", "opensmtpd": "OpenSMTPD", "sendmail": "sendmail"}[string(s.kind)]
}

// labels returns what the table calls hosts.
func (sc *scenario) labels(tried []netip.Addr) string {
	var hosts []string
	for _, address := range tried {
		for i, h := range sc.hosts {
			if h.address == address.String() {
				hosts = append(hosts, sc.label(i))
			}
		}
	}
	return strings.Join(hosts, ", ")
}

// cell says which hosts a message was offered to and when it arrived.
func cell(sc *scenario, o outcome) string {
	hosts, last := sc.labels(o.tried), "live"
	if o.end == deferred {
		last = "tempfail"
	}
	switch {
	case hosts == "":
		hosts = last + ", still connected"
	case o.end != lost && !strings.HasSuffix(hosts, last):
		hosts += ", " + last + " still connected"
	}
	after := "within a second"
	if o.after >= time.Second {
		after = fmt.Sprintf("after %.0f s", o.after.Seconds())
	}
	if o.end != "" {
		after = o.end + " " + after
	}
	return hosts + ": " + after
}
