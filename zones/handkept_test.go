package zones

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const handKeptHead = `$TTL 300
@ IN SOA ns1.example.net. hostmaster.example.net. 7 7200 900 2419200 300
@ IN NS ns1.example.net.
`

func TestHandKeptCheck(t *testing.T) {
	g := testGroup("generic")
	for _, c := range []struct{ what, zone, want string }{
		{"the include file", `$INCLUDE generic.inc`, ""},
		{"a quoted path", `$include	"generic.inc" ; the records`, ""},
		{"the include file and more", `$INCLUDE generic.inc
@ IN TXT "site-verification=1"
www IN A 192.0.2.1
www IN MX 0 .
www IN TXT "v=spf1 -all"`, ""},
		{"typed with the name itself", strings.ReplaceAll(g.include(), thisDomain, "brand.example"), ""},
		{"an address without mail records", `$INCLUDE generic.inc
www IN A 192.0.2.1`, `www.brand.example MX: the name has an address, so it needs an MX record of its own: mail falls back to the address otherwise
www.brand.example TXT: the name has an address, so it needs an SPF record of its own: v=spf1 -all`},
		{"a live MX", strings.Replace(g.include(), "MX    0 .", "MX    10 mail", 1), `brand.example MX: differs in the zone
    want 0 .
    have 10 mail.brand.example.`},
		{"another SPF record", strings.ReplaceAll(g.include(), "v=spf1 -exists", "v=spf1 +exists"),
			`*.brand.example TXT: differs in the zone
    want ` + g.SPFRecords["track"] + `
    have ` + strings.Replace(g.SPFRecords["track"], "-exists", "+exists", 1) + `
brand.example TXT: differs in the zone
    want ` + g.SPFRecords["track"] + `
    have ` + strings.Replace(g.SPFRecords["track"], "-exists", "+exists", 1)},
		{"two SPF records", g.include() + `@ IN TXT "v=spf1 mx -all"`, `brand.example TXT: differs in the zone
    want ` + g.SPFRecords["track"] + `
    have ` + g.SPFRecords["track"] + `
    have v=spf1 mx -all`},
		{"live and revoked keys", `$INCLUDE generic.inc
s1._domainkey IN TXT "v=DKIM1; k=rsa; p=MIIB" "IjAN"
s2._domainkey IN TXT "v=DKIM1; p="
s3._domainkey IN CNAME s3.esp.example.
s4._domainkey.shop IN TXT "p=MIIB"`, `s1._domainkey.brand.example TXT: mail signed with this DKIM key passes; remove the record, or revoke the key: v=DKIM1; p=
    have v=DKIM1; k=rsa; p=MIIBIjAN
s3._domainkey.brand.example CNAME: a DKIM key may be published at the target; remove the record
    have s3.esp.example.
s4._domainkey.shop.brand.example TXT: mail signed with this DKIM key passes; remove the record, or revoke the key: v=DKIM1; p=
    have p=MIIB`},
		{"weaker policies below", `$INCLUDE generic.inc
_dmarc.shop IN TXT "v=DMARC1; p=none"
_dmarc.mail IN TXT "v=DMARC1; p=quarantine; rua=mailto:x@example.net"
_dmarc.info IN TXT "v=DMARC1; p = reject"`, `_dmarc.mail.brand.example TXT: this DMARC policy is weaker than that of the zone, p=reject; remove the record
    have v=DMARC1; p=quarantine; rua=mailto:x@example.net
_dmarc.shop.brand.example TXT: this DMARC policy is weaker than that of the zone, p=reject; remove the record
    have v=DMARC1; p=none`},
		{"SPF below", `$INCLUDE generic.inc
a IN TXT "v=spf1 +all"
b IN TXT "v=spf1 mx ALL"
c IN TXT "v=spf1 -all"
c IN TXT "v=spf1 mx -all"`, `a.brand.example TXT: this SPF record lets every host send mail; write v=spf1 -all
    have v=spf1 +all
b.brand.example TXT: this SPF record lets every host send mail; write v=spf1 -all
    have v=spf1 mx ALL
c.brand.example TXT: two SPF records make every check a PermError (RFC 7208 section 4.5); keep one
    have v=spf1 -all
    have v=spf1 mx -all`},
		{"below a delegation", `$INCLUDE generic.inc
sub IN NS ns.sub
sub IN TXT "v=spf1 +all"
ns.sub IN A 192.0.2.1
s1._domainkey.sub IN TXT "p=MIIB"`, ""},
		{"no DMARC", without(g.include(), "_dmarc"), `_dmarc.brand.example TXT: missing in the zone
    want ` + g.DMARC},
		{"no wildcard MX", without(g.include(), "* "), `*.brand.example MX: missing in the zone
    want 0 .
*.brand.example TXT: missing in the zone
    want ` + g.SPFRecords["track"]},
	} {
		t.Run(c.what, func(t *testing.T) {
			dir := t.TempDir()
			write := func(name, text string) string {
				path := filepath.Join(dir, name)
				if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
				return path
			}
			write("generic.inc", g.include())
			ds, err := (&HandKept{"brand.example", write("zone", handKeptHead+c.zone+"\n"), "", g}).Check()
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, d := range ds {
				got = append(got, d.String())
			}
			if strings.Join(got, "\n") != c.want {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), c.want)
			}
		})
	}
}

// without leaves out the lines that begin with a prefix.
func without(text, prefix string) string {
	var kept []string
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, prefix) {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}

func TestHandKeptRefuses(t *testing.T) {
	g, dir := testGroup("generic"), t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "long.inc"), bytes.Repeat([]byte("; nothing\n"), 400_000), 0o644); err != nil {
		t.Fatal(err)
	}
	faults := map[string]string{"many records": "more than 250000 records", "many bytes": "the zone has more than 16777216 bytes"}
	for what, text := range map[string]string{
		"no whole zone": "@ 300 IN TXT \"x\"\n",
		"no zone":       "<html>\n",
		"another zone":  handKeptHead + "other.test. IN A 192.0.2.1\n",
		"many records":  handKeptHead + strings.Repeat("$GENERATE 1-65000 h$ A 192.0.2.1\n", 4),
		"many bytes":    handKeptHead + strings.Repeat("$INCLUDE long.inc\n", 5),
	} {
		if _, err := (&HandKept{"brand.example", writeList(t, "zone", text), dir, g}).Check(); err == nil {
			t.Errorf("%s: accepted", what)
		} else if want := faults[what]; !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", what, err, want)
		}
	}
	if _, err := (&HandKept{"brand.example", "/nonexistent", "", g}).Check(); err == nil {
		t.Error("a missing file: accepted")
	}
}

func TestHandKeptDirectory(t *testing.T) {
	g, base := testGroup("generic"), t.TempDir()
	if err := os.MkdirAll(filepath.Join(base, "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(base, "sub", "generic.inc"), []byte("$INCLUDE sub/more.inc\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(base, "sub", "more.inc"), []byte(g.include()), 0o644); err != nil {
		t.Fatal(err)
	}
	path := writeList(t, "zone", handKeptHead+"$INCLUDE \"sub/generic.inc\"\n")
	if ds, err := (&HandKept{"brand.example", path, base, g}).Check(); err != nil || len(ds) > 0 {
		t.Errorf("%v, %v", ds, err)
	}
	if _, err := (&HandKept{"brand.example", path, "", g}).Check(); err == nil {
		t.Error("found beside the file")
	}
}

// TestHandKeptLongString: nameservers refuse such a zone, which the parser reads.
func TestHandKeptLongString(t *testing.T) {
	g := testGroup("generic")
	for size, fault := range map[int]string{255: "", 256: ":4:7: a string of 256 bytes; nameservers refuse more than 255"} {
		path := writeList(t, "zone", handKeptHead+`@ TXT "\"`+strings.Repeat("x", size-1)+"\"\n")
		_, err := (&HandKept{"brand.example", path, "", g}).Check()
		if (err == nil) != (fault == "") || err != nil && !strings.Contains(err.Error(), path+fault) {
			t.Errorf("%d: %v", size, err)
		}
	}
}
