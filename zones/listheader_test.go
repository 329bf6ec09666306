package zones

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestExports reads exports as registrars, registries, market places and
// spreadsheets write them.
func TestExports(t *testing.T) {
	for file, c := range map[string]struct{ column, want, warnings string }{
		"market-semicolon.csv":    {"Domain name", "alpha.example", `"Language", "Currency", "Price", "Currency"`},
		"market-title-line.csv":   {"Domain", "alpha.example", `"Price", "Status"`},
		"registrar-bom-twice.csv": {"Domain", "alpha.example", `"Renewal Status", "Registration Date", "Lock", "Registration Date"`},
		"registrar-privacy.csv":   {"Domain Name", "alpha.example", `"Domain privacy protection status", "Expiration date", "Nameservers"`},
		"registrar-short.csv":     {"domain name", "alpha.example bravo.example", `"Expiration Date", "Auto-renew", "Status"`},
		"registry-crlf.csv":       {"Domain", "alpha.example bravo.example", `"Transfer code"`},
		"script-quoted.csv":       {"Domain Name", "alpha.example", `"Domain Registrar", "Contacts"`},
		"spreadsheet-mac.csv":     {"", "alpha.example bravo.example postmaster", ""},
		"spreadsheet-sep.csv":     {"Domain", "alpha.example", `"Remark"`},
		"spreadsheet-tabs.txt":    {"Domain", "alpha.example", `"Notes"`},
	} {
		path := filepath.Join("testdata", "exports", file)
		g := testGroup("generic", path)
		g.Lists[0].Column = c.column
		set, _, err := ReadLists([]*Group{g})
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		var got []string
		for _, e := range set.Entries {
			got = append(got, e.Name)
			if e.Override != nil && e.Override.Mail != NullMX {
				got = append(got, string(e.Override.Mail))
			}
		}
		if text := strings.Join(got, " "); text != c.want {
			t.Errorf("%s: %s, want %s", file, text, c.want)
		}
		want := "[]"
		if c.warnings != "" {
			want = "[" + path + ": ignored columns: " + c.warnings + "]"
		}
		if got := fmt.Sprint(set.Warnings); got != want {
			t.Errorf("%s: %s, want %s", file, got, want)
		}
	}
}

func TestTables(t *testing.T) {
	const zip = "PK\x03\x04\x14\x00"
	for _, c := range []struct{ text, column, separator, want string }{
		{"domain;mail\na.example;nullmx\n", "", "", "a.example"},
		{"Name|Domain\nx|a.example\n", "domain", "", "a.example"},
		{"Name;Domain\nx,y;a.example\n", "Domain", "", "a.example"},
		{"Domain\tNote\n\ta\n", "Domain", "", "list.csv:2:1: the line has no domain"},
		{"Note\tDomain\n\"\"\ta.example\n\t\n", "Domain", "", "a.example"},
		{"SEP=|\nDomain,x|y\na.example|1\n", "Domain,x", "", "a.example"},
		{"Domain;Note\na.example;12\" pipe\n;;\n", "Domain", "", "a.example"},
		{"Domain,Note\na.example,x,,,\n,,\n", "Domain", ",", "a.example"},
		{"Domain;Note\na.example;x\n", "Domain", ",", `list.csv: line 1: no column "Domain"; the columns are "Domain;Note"`},
		{"# comment\n\nDomain Name,Expiry,Status\na.example,1,2\n", "", "", "list.csv: line 3: no column \"domain\"; the columns are \"Domain Name\", \"Expiry\", \"Status\"; to name the one with the domains, write list: {file: list.csv, column: \"Domain Name\"}"},
		{"domain,colour,size\na.example,1,2\n", "", "", `list.csv: line 1: unknown CSV columns: "colour", "size"; the columns are domain, mail, spf, a, group; to ignore others, write list: {file: list.csv, column: domain}`},
		{"Title\nDomain,domain\n", "domain", "", `list.csv: line 2: the CSV column "domain" appears twice`},
		{strings.Repeat("Title,1\n", 20) + "Domain\na.example\n", "Domain", "", `list.csv: line 1: no column "Domain"; the columns are "Title", "1"`},
		{"Title\n", "Domain", "", `list.csv: line 1: no column "Domain"; the columns are "Title"`},
		{zip, "Domain", "", "list.csv: the list is a spreadsheet or an archive; save it as CSV in UTF-8"},
		{"\xd0\xcf\x11\xe0", "", "", "list.csv: the list is a spreadsheet or an archive; save it as CSV in UTF-8"},
		{"\xff\xfeD\x00o\x00", "Domain", "", "list.csv: the list is UTF-16 text; save it as UTF-8"},
	} {
		path := filepath.Join(t.TempDir(), "list.csv")
		if err := os.WriteFile(path, []byte(c.text), 0o644); err != nil {
			t.Fatal(err)
		}
		g := testGroup("generic", path)
		g.Lists[0].Column = c.column
		if c.separator != "" {
			g.Lists[0].Separator = c.separator[0]
		}
		set, _, err := ReadLists([]*Group{g})
		got := ""
		if err != nil {
			got = strings.ReplaceAll(err.Error(), filepath.Dir(path)+"/", "")
		} else {
			for _, e := range set.Entries {
				got += e.Name
			}
		}
		if got != c.want {
			t.Errorf("%q\n got %s\nwant %s", c.text, got, c.want)
		}
	}
}
