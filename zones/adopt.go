package zones

import (
	"bytes"

	"github.com/miekg/dns"
)

// sameRecords reports whether a zone file in any form holds the records, with
// their TTLs, that the zone of e has with a serial number, and no other. The
// order of records, and upper and lower case in names, do not matter; how a text is
// divided into strings does, because that is sent.
func (p *Plan) sameRecords(e *Entry, file []byte, serial uint32) bool {
	rrs, err := p.set.Template(e).Records(e.Name, serial)
	if err != nil {
		return false
	}
	missing := make(map[string]bool, len(rrs))
	for _, rr := range rrs {
		key, err := recordKey(rr)
		if err != nil {
			return false
		}
		missing[key] = true
	}
	parser := dns.NewZoneParser(bytes.NewReader(file), dns.Fqdn(e.Name), "")
	for rr, ok := parser.Next(); ok; rr, ok = parser.Next() {
		key, err := recordKey(rr)
		if err != nil {
			return false
		}
		if _, wanted := missing[key]; !wanted {
			return false
		}
		missing[key] = false
	}
	for _, is := range missing {
		if is {
			return false
		}
	}
	return parser.Err() == nil
}

// recordKey is the same for equal records: wire format with names in lower case
// (RFC 4343), as DNSSEC has it for the types of a template.
func recordKey(rr dns.RR) (string, error) {
	rr.Header().Name = dns.CanonicalName(rr.Header().Name)
	switch rr := rr.(type) {
	case *dns.NS:
		rr.Ns = dns.CanonicalName(rr.Ns)
	case *dns.MX:
		rr.Mx = dns.CanonicalName(rr.Mx)
	case *dns.SOA:
		rr.Ns, rr.Mbox = dns.CanonicalName(rr.Ns), dns.CanonicalName(rr.Mbox)
	}
	wire := make([]byte, dns.Len(rr)+1)
	n, err := dns.PackRR(rr, wire, 0, nil, false)
	return string(wire[:n]), err
}
