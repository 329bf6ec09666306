package named

import (
	"bufio"
	"fmt"

	"nullspf/zones"
)

// catalogFile is the path of the catalog zone under the output folder.
const catalogFile = zones.CatalogFile

// maxCatalogName is the longest name of a catalog zone, in octets: the names
// in it add a member label and ".zones." in front.
const maxCatalogName = 253 - zones.MemberLength - len(".zones.")

// catalog adds the catalog zone (RFC 9432, version 2):
//
//	catalog.example.net.       SOA  invalid. invalid. ...
//	catalog.example.net.       NS   invalid.
//	version                    TXT  "2"
//	allow-transfer.ext         APL  !1:0.0.0.0/0 !2:::/0
//	<digest>.zones             PTR  example.com.
//
// It has no group properties (section 4.4.2): BIND logs each as invalid, at
// each change of the catalog zone.
//
// The allow-transfer property is BIND's own (under ext, as section 4.5 asks
// for). Without it, its members would be open for transfer to anybody, because
// that is BIND's default.
func (g *generator) catalog() {
	catalog, set := string(g.Catalog), g.set
	g.files = append(g.files, zones.File{
		Path: catalogFile, Mode: modePublic, Zone: catalog,
		Write: func(w *bufio.Writer, serial uint32) error {
			if _, err := fmt.Fprintf(w, catalogHead, catalog, serial); err != nil {
				return err
			}
			var b []byte
			for i := range set.Entries {
				name := set.Entries[i].Name
				b = zones.AppendMember(b[:0], name)
				b = append(b, " PTR "...)
				b = append(b, name...)
				b = append(b, ".\n"...)
				if _, err := w.Write(b); err != nil {
					return err
				}
			}
			return nil
		},
	})
}

// catalogHead is the start of the catalog zone: SOA and NS as in RFC 9432
// section 4.1, TTL 0 because nobody caches it.
const catalogHead = `; %[1]s, written by nullspf: change the lists, not this file.
; A catalog zone (RFC 9432): the list of zones that secondaries are to have.
$ORIGIN %[1]s.
$TTL 0
@ IN SOA invalid. invalid. %[2]d 3600 600 2147483646 0
@ IN NS invalid.
version IN TXT "2"
allow-transfer.ext IN APL !1:0.0.0.0/0 !2:::/0
` + zones.CatalogMembers + "%[1]s.\n"
