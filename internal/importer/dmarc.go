package importer

import (
	"strings"

	"github.com/miekg/dns"
)

// dmarc is a DMARC record in the terms of a group; the zero value is none.
type dmarc struct {
	policy   string
	rua, ruf string // URIs, separated by commas
}

// record is the text that a group publishes.
func (d dmarc) record() string {
	text := "v=DMARC1; p=" + d.policy + "; sp=" + d.policy + "; np=" + d.policy + "; adkim=s; aspf=s"
	if d.rua != "" {
		text += "; rua=" + d.rua
	}
	if d.ruf != "" {
		text += "; ruf=" + d.ruf
	}
	return text
}

// parseDMARC reads what a group can say of a DMARC record (RFC 9989 section 4.7);
// ok is false when that is not its policy or not where its reports go.
func parseDMARC(text string) (d dmarc, ok bool) {
	for i, tag := range strings.Split(text, ";") {
		name, value, _ := strings.Cut(tag, "=")
		name, value = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value)
		switch {
		case i == 0 && (name != "v" || value != "DMARC1"):
			return dmarc{}, false
		case name == "p":
			d.policy = strings.ToLower(value)
		case name == "rua":
			d.rua = uris(value)
			ok = d.rua != ""
		case name == "ruf":
			d.ruf = uris(value)
			ok = d.ruf != ""
		default:
			continue
		}
		if (name == "rua" || name == "ruf") && !ok {
			return dmarc{}, false
		}
	}
	return d, d.policy == "reject" || d.policy == "quarantine" || d.policy == "none"
}

// uris reads where reports go; "" when a group cannot say so.
func uris(value string) string {
	list := strings.Split(value, ",")
	for i, uri := range list {
		list[i] = strings.TrimSpace(uri)
		rest, ok := strings.CutPrefix(strings.ToLower(list[i]), "mailto:")
		local, domain, at := strings.Cut(rest, "@")
		if !ok || !at || local == "" || domain == "" || strings.ContainsAny(rest, "!\" \\{}?%@"[:8]) {
			return ""
		}
		if _, err := zoneName(domain); err != nil {
			return ""
		}
	}
	return strings.Join(list, ",")
}

// fitDMARC takes the DMARC record.
func (f *fitter) fitDMARC() {
	rs := f.rest[rrKey{"_dmarc", dns.TypeTXT}]
	if len(rs) != 1 {
		return
	}
	have := text(rs[0])
	d, ok := parseDMARC(have)
	if !ok {
		return
	}
	f.take("_dmarc", dns.TypeTXT)
	f.settings.dmarc = d
	if want := d.record(); want != have {
		f.changes(rs[0].at, "%s; nullspf writes %q", show(f.name, rs[0]), want)
	}
}
