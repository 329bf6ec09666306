package named

import "slices"

// powerdnsDatabase is where Debian's packages keep the database of PowerDNS.
const powerdnsDatabase = "/var/lib/powerdns/pdns.sqlite3"

// powerdnsClient is the command of the client of that database.
var powerdnsClient = []string{"sqlite3", "-bail", powerdnsDatabase}

// powerdnsFile is the path of the file for a secondary.
func powerdnsFile(catalog bool) string {
	if catalog {
		return "powerdns/secondary-catalog.sql"
	}
	return "powerdns/secondary.sql"
}

// powerdns adds the files for PowerDNS: as primary it reads the zone files with
// its bind backend, as secondary it has the zones in a database, by default one of
// SQLite.
func (g *generator) powerdns() {
	if g.TSIG != nil {
		g.static("powerdns/tsig.key", modeSecret, g.powerdnsKey())
	}
	if g.has(PowerDNS) {
		g.powerdnsPrimary()
	}
	if !g.secondaries() || !g.hasSecondary(PowerDNS) {
		return
	}
	g.powerdnsSecondary()
	if g.Catalog != "" {
		g.powerdnsCatalog()
	}
}

func (g *generator) powerdnsKey() string {
	var t text
	t.header("--", "The TSIG key for zone transfers, for the database of PowerDNS.", keyOwner("its database client"))
	t.lines("", "pragma busy_timeout = 10000;", "begin immediate;",
		"delete from tsigkeys where name = '"+string(g.TSIG.Name)+"';",
		"insert into tsigkeys (name, algorithm, secret) values ('"+string(g.TSIG.Name)+"', '"+g.TSIG.Algorithm+"', '"+g.TSIG.Secret+"');",
		"commit;")
	return t.String()
}

// powerdnsRead is the command that reads files of SQL statements.
func (g *generator) powerdnsRead(files ...string) string {
	return Step{Argv: slices.Concat(powerdnsClient, readSQL(g.Settings, files...))}.String()
}

// readSQL are the arguments of sqlite3 that make it read the key and then files,
// named by their paths below the output directory.
func readSQL(s *Settings, files ...string) []string {
	if s.TSIG != nil {
		files = append([]string{"powerdns/tsig.key"}, files...)
	}
	words := make([]string, len(files))
	for i, f := range files {
		words[i] = ".read " + coreWord(s.path(f))
	}
	return words
}

// powerdnsPrimary adds the list of zones for the bind backend, which reads zone
// statements and nothing else. PowerDNS allows transfers to those who have the key,
// wherever they are, and to addresses without it. The key of a zone, like all metadata,
// comes from a database: one query gives the same for all zones.
func (g *generator) powerdnsPrimary() {
	var t text
	notes := []string{`In pdns.conf:`, ``, `    launch=bind`, `    bind-config=` + g.path("powerdns/primary.conf")}
	if len(g.Primary.AllowTransfer) > 0 {
		if g.TSIG != nil {
			notes[2] = `    launch=bind,gsqlite3`
			notes = append(notes, `    gsqlite3-database=`+powerdnsDatabase, `    gsqlite3-dnssec=yes`,
				`    gsqlite3-get-domain-metadata-query=select '`+string(g.TSIG.Name)+`' where :kind = 'TSIG-ALLOW-AXFR' and :domain <> ''`)
		}
		notes = append(notes, `    primary=yes`,
			`    allow-axfr-ips=`+joined(g.signed(false), ",", prefix),
			`    only-notify=`,
			`    also-notify=`+joined(g.Primary.AlsoNotify, ",", coreEndpoint))
		if g.TSIG != nil {
			notes = append(notes, ``, `Once, and after each change of the key:`, ``, `    `+g.powerdnsRead(), ``,
				`Whoever has the key may transfer the zones, from any address.`)
		}
	}
	t.header("//", "The published zones, for the bind backend of a PowerDNS primary.", notes...)
	if g.Catalog != "" {
		t.lines("", `zone "`+string(g.Catalog)+`" { type master; file "`+g.path(catalogFile)+`"; };`)
	}
	middle := `" { type master; file "` + g.path("zones") + `/`
	g.listing("powerdns/primary.conf", t.String(), "", func(b []byte, name string) []byte {
		b = append(b, `zone "`...)
		b = append(b, name...)
		b = append(b, middle...)
		b = appendZoneFile(b, name)
		return append(b, "\"; };\n"...)
	})
}

// powerdnsNotes begin the header of a file for a secondary.
func (g *generator) powerdnsNotes(file string, more ...string) []string {
	notes := []string{`Read it into the database of PowerDNS:`, ``, `    ` + g.powerdnsRead(file), ``, `In pdns.conf:`, ``,
		`    launch=gsqlite3`, `    gsqlite3-database=` + powerdnsDatabase, `    gsqlite3-dnssec=yes`,
		`    secondary=yes`, `    allow-axfr-ips=`, `    zone-cache-refresh-interval=60`}
	return append(notes, more...)
}

// powerdnsMasters is the value of the column master.
func (g *generator) powerdnsMasters() string { return joined(g.Primary.Addresses, ",", coreEndpoint) }

// powerdnsSecondary adds the statements that make a database hold the list of
// zones. Those that nullspf has added have its name in the column account; others
// are left alone.
func (g *generator) powerdnsSecondary() {
	file := powerdnsFile(false)
	var t text
	t.header("--", "The published zones, for the database of a PowerDNS secondary.", append(g.powerdnsNotes(file), ``,
		`Its zones have the account nullspf; a zone of another account is not changed.`)...)
	t.lines("", "pragma busy_timeout = 10000;", "pragma foreign_keys = on;", "begin immediate;",
		"create temporary table listed (name varchar(255) primary key);")
	var end text
	end.lines("",
		"delete from domains where account = 'nullspf' and name not in (select name from listed);",
		"insert into domains (name, type, master, account) select name, 'SLAVE', '', 'nullspf' from listed where name not in (select name from domains);",
		"update domains set master = '"+g.powerdnsMasters()+"' where account = 'nullspf';",
		"delete from domainmetadata where kind = 'AXFR-MASTER-TSIG' and domain_id in (select id from domains where account = 'nullspf');")
	if key := g.keyOf(PowerDNS); key != "" {
		end.lines("", "insert into domainmetadata (domain_id, kind, content) select id, 'AXFR-MASTER-TSIG', '"+key+"' from domains where account = 'nullspf';")
	}
	end.lines("", "drop table listed;", "commit;")
	g.listing(file, t.String(), end.String(), func(b []byte, name string) []byte {
		b = append(b, "insert into listed values ('"...)
		b = append(b, name...)
		return append(b, "');\n"...)
	})
}

// powerdnsMemberKey is the query for the metadata of a zone: its own, and the key of the
// catalog zone that it is a member of.
const powerdnsMemberKey = "select m.content from domainmetadata m join domains d on m.domain_id = d.id " +
	"where m.kind = :kind and (d.name = :domain or m.kind = 'AXFR-MASTER-TSIG' and d.type = 'CONSUMER' and " +
	"d.name = (select catalog from domains where name = :domain))"

// powerdnsCatalog adds the statements for a consumer of the catalog zone. Its
// members have no key of their own; a query gives them that of their catalog zone.
func (g *generator) powerdnsCatalog() {
	file := powerdnsFile(true)
	var t text
	var more []string
	if g.keyOf(PowerDNS) != "" {
		more = []string{`    gsqlite3-get-domain-metadata-query=` + powerdnsMemberKey}
	}
	t.header("--", "The catalog zone, for the database of a PowerDNS secondary; replaces secondary.sql.",
		append(append([]string{`The zones are listed in the catalog zone, so this file does not change when`,
			`zones are added or removed. Requires PowerDNS 4.7 or later.`, ``}, g.powerdnsNotes(file, more...)...), ``,
			`Anybody may query it for the records of the catalog zone.`)...)
	catalog := "'" + string(g.Catalog) + "'"
	t.lines("", "pragma busy_timeout = 10000;", "begin immediate;",
		"insert into domains (name, type) select "+catalog+", 'CONSUMER' where not exists (select 1 from domains where name = "+catalog+");",
		"update domains set type = 'CONSUMER', master = '"+g.powerdnsMasters()+"' where name = "+catalog+";",
		"delete from domainmetadata where kind = 'AXFR-MASTER-TSIG' and domain_id in (select id from domains where name = "+catalog+");")
	if key := g.keyOf(PowerDNS); key != "" {
		t.lines("", "insert into domainmetadata (domain_id, kind, content) select id, 'AXFR-MASTER-TSIG', '"+key+"' from domains where name = "+catalog+";")
	}
	t.lines("", "commit;")
	g.static(file, modePublic, t.String())
}
