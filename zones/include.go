package zones

import (
	"bufio"
	"fmt"
	"strings"

	"nullspf/internal/dnsname"
)

// IncludeFiles returns the files for zones that people keep by hand:
// include/<group>.inc with the records that tell receivers that a domain sends
// no mail, and include/report-authorizations.zone with the records that let
// report domains accept DMARC reports for the published ones.
func IncludeFiles(s *Set) []File {
	var files []File
	for _, g := range s.Groups {
		files = append(files, File{
			Path: includeDir + "/" + g.Name + ".inc",
			Mode: 0o644,
			Write: func(w *bufio.Writer, _ uint32) error {
				_, err := w.WriteString(g.include())
				return err
			},
		})
	}
	return append(files, File{
		Path:  includeDir + "/report-authorizations.zone",
		Mode:  0o644,
		Write: func(w *bufio.Writer, _ uint32) error { return writeAuthorizations(w, s) },
	})
}

// thisDomain stands for the name in the texts of an include file, which does
// not know it.
const thisDomain = "this domain"

// include returns the records of a group for a zone kept by hand, relative to
// the zone's apex.
func (g *Group) include() string {
	var b strings.Builder
	fmt.Fprintf(&b, "; Records of group %s, written by nullspf: change the configuration, not this file.\n", g.Name)
	b.WriteString("; At the end of a zone kept by hand:  $INCLUDE /path/to/this/file\n")
	fmt.Fprintf(&b, "; nullspf check --zone NAME FILE says what that zone lacks or contradicts.\n")
	for _, r := range g.mailRecords(g.Mail, g.SPF) {
		data := r.data
		if r.rrtype == "TXT" {
			text := strings.NewReplacer("{domain}", thisDomain, "{group}", g.Name).Replace(data)
			data = string(appendStrings(nil, []string{text}, ""))
		}
		fmt.Fprintf(&b, "%-*s %d IN %-*s %s\n", ownerWidth, r.owner, g.ttl(r.rrtype), typeWidth, r.rrtype, data)
	}
	return b.String()
}

// writeAuthorizations writes, for every published domain and every zone kept by
// hand whose DMARC reports go elsewhere, the record by which the report domain
// accepts them (RFC 9990). Owner names are absolute, so that the file can be
// included into the zone of the report domain.
func writeAuthorizations(w *bufio.Writer, s *Set) error {
	fmt.Fprint(w, "; Written by nullspf. Include this file into the zones of the report domains that it names,\n"+
		"; or the reports that the rua= and ruf= tags ask for are not sent (RFC 9990).\n")
	for i := range s.Entries {
		e := &s.Entries[i]
		s.Group(e).writeAuthorizations(w, e.Name)
	}
	for _, z := range s.HandKept {
		z.Group.writeAuthorizations(w, string(z.Name))
	}
	return nil
}

// writeAuthorizations writes the records for one domain. w keeps its error.
func (g *Group) writeAuthorizations(w *bufio.Writer, name string) {
	if g.DMARC == "" {
		return
	}
	for _, d := range g.DMARCReportDomains {
		if d.Within(dnsname.Name(name)) {
			continue
		}
		owner := name + "._report._dmarc." + string(d)
		if len(owner) > dnsname.Max {
			fmt.Fprintf(w, "; %s: this name is too long (RFC 1035 section 2.3.4)\n", owner)
			continue
		}
		fmt.Fprintf(w, "%s. %d IN TXT \"v=DMARC1;\"\n", owner, int64(g.TTL.Seconds()))
	}
}
