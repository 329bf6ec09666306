package importer

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"nullspf/internal/config"
	"nullspf/zones"
)

// published imports one zone and returns the plan of what is written, nil for a
// zone that is left out.
func published(t *testing.T, text string, s Settings) (*zones.Plan, *Result) {
	t.Helper()
	// Not t.TempDir: the name of a fuzz test has a character that servers do not take.
	top, err := os.MkdirTemp("", "import")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(top) })
	file := filepath.Join(top, "db")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	r, err := Import(t.Context(), &Source{Path: top, Zones: []Zone{{Name: "brand.example", File: file}}}, s)
	if err != nil {
		t.Fatal(err)
	}
	if r.Domains() == 0 {
		if len(r.LeftOut) == 0 {
			t.Errorf("no reason is given for\n%s", text)
		}
		return nil, r
	}
	var plan *zones.Plan
	err = r.Write(filepath.Join(top, "site"), func(dir string) error {
		c, err := config.Load(filepath.Join(dir, ConfigFile))
		if err != nil {
			return err
		}
		set, _, err := zones.ReadLists(c.Groups)
		if err != nil {
			return err
		}
		if err := set.CheckInfrastructure(c.Infrastructure); err != nil {
			return err
		}
		plan, err = zones.NewPlan(t.Context(), set, c.Output, zones.Options{Scheme: c.Scheme, Now: time.Now})
		return err
	})
	if err != nil {
		t.Fatalf("%v\nof\n%s", err, text)
	}
	return plan, r
}

const head = `$TTL 1h
@ IN SOA ns1.example.net. hostmaster.example.net. 7 2h 15m 4w 5m
@ IN NS ns1.example.net.
@ IN NS ns2.example.net.
`

const silent = head + `@ IN MX 0 .
@ IN TXT "v=spf1 -all"
`

// TestFit has the records of a zone and whether groups have them.
func TestFit(t *testing.T) {
	for _, c := range []struct {
		what, text string
		// reason is why the zone is left out, "" for a zone that stays the same.
		reason string
		// change is set when the zone is imported with the flag for changes.
		change bool
	}{
		{"no mail", silent, "", false},
		{"TTLs", strings.ReplaceAll(silent, "@ IN TXT", "@ 600 IN TXT"), "", false},
		{"a TTL of its own", strings.ReplaceAll(silent, "@ IN MX", "@ 600 IN MX"), "the TTL is 600", true},
		{"a TTL of 0 of texts", strings.ReplaceAll(silent, "@ IN TXT", "@ 0 IN TXT"), "the TTL is 0", true},
		{"no MX", head + "@ IN TXT \"v=spf1 -all\"\n", "has no MX record", true},
		{"no SPF", head + "@ IN MX 0 .\n", "has no SPF record", true},
		{"MX hosts", head + "@ IN MX 10 mx1.example.net.\n@ IN MX 20 MX2.example.NET.\n@ IN TXT \"v=spf1 -all\"\n* IN MX 20 mx2.example.net.\n* IN MX 10 mx1.example.net.\n", "", false},
		{"other wildcard MX", silent + "* IN MX 10 mx1.example.net.\n", "* MX 10 mx1.example.net.", false},
		{"MX beside a null MX", silent + "@ IN MX 10 mx1.example.net.\n", "not a host that a group can name", false},
		{"one host twice", head + "@ IN MX 10 mx1.example.net.\n@ IN MX 20 mx1.example.net.\n@ IN TXT \"v=spf1 -all\"\n", "not a host that a group can name", false},
		{"two SPF records", silent + "@ IN TXT \"v=spf1 mx -all\"\n", "a second SPF record", false},
		{"soft SPF", strings.ReplaceAll(silent, "-all", "~all"), "no layout has this SPF record", false},
		{"wildcard SPF", silent + "* IN TXT \"v=spf1 -all\"\n", "", false},
		{"other wildcard text", silent + "* IN TXT \"hello\"\n", "* TXT \"hello\"", false},
		{"tracking below alone", silent + "* IN TXT \"v=spf1 -exists:%{i}.%{v}.CL.%{d}.FD.1._spf.example.net -all\"\n", "", false},
		{"classic with plus", strings.ReplaceAll(silent, "-all", "+exists:CL.%{i}.FR.%{s}.HE.%{h}._spf.example.net -all"), "", false},
		{"two qualifiers", strings.ReplaceAll(silent, "-all", "-exists:CL.%{i}.FR.%{s}.HE.%{h}._spf.example.net -all") +
			"* IN TXT \"v=spf1 +exists:CL.%{i}.FR.%{s}.HE.%{h}._spf.example.net -all\"\n", "* TXT", false},
		{"texts", silent + "@ IN TXT \"brand.example: \\\"nothing\\\" \\\\ f\\195\\188r: #, 'you'\"\n@ IN TXT \"{x\" \n", "the text has braces", false},
		{"texts of all kinds", silent + "@ IN TXT \"brand.example: \\\"nothing\\\" \\\\ f\\195\\188r: #, 'you'\"\n@ IN TXT \"- a: b\"\n@ IN TXT \"null\"\n@ IN TXT \" \"\n@ IN TXT \"\\194\\160\\226\\128\\168\"\n", "", false},
		{"no text", silent + "@ IN TXT \"\"\n", "the text is empty", false},
		{"no UTF-8", silent + "@ IN TXT \"\\255\"\n", "bytes that a configuration cannot have", false},
		{"addresses", silent + "@ IN A 192.0.2.1\n@ IN AAAA 2001:db8::1\n@ IN A 192.0.2.2\n", "", false},
		{"www", silent + "@ IN A 192.0.2.1\nwww IN A 192.0.2.1\nwww IN MX 0 .\nWWW IN TXT \"v=spf1 -all\"\n", "", false},
		{"www without MX", silent + "@ IN A 192.0.2.1\nwww IN A 192.0.2.1\nwww IN TXT \"v=spf1 -all\"\n", "www has an address and no MX record", true},
		{"www elsewhere", silent + "@ IN A 192.0.2.1\nwww IN A 192.0.2.2\n", "www A 192.0.2.2", false},
		{"www alone", silent + "www IN A 192.0.2.2\n", "www A 192.0.2.2", false},
		{"www as an alias", silent + "@ IN A 192.0.2.1\nwww IN CNAME @\n", "nullspf gives www addresses", true},
		{"www as an alias of another", silent + "@ IN A 192.0.2.1\nwww IN CNAME web.example.net.\n", "www CNAME web.example.net.", false},
		{"mapped address", silent + "@ IN AAAA ::ffff:192.0.2.1\n", "@ AAAA", false},
		{"revoked keys", silent + "*._domainkey IN TXT \"v=DKIM1; p=\"\n", "", false},
		{"revoked keys without blank", silent + "*._domainkey IN TXT \"v=DKIM1;p=\"\n", "nullspf writes \"v=DKIM1; p=\"", true},
		{"a key", silent + "*._domainkey IN TXT \"v=DKIM1; p=AAAA\"\n", "*._domainkey TXT", false},
		{"DMARC", silent + "_dmarc IN TXT \"v=DMARC1; p=none; sp=none; np=none; adkim=s; aspf=s; rua=mailto:a@example.net,mailto:b@example.org; ruf=mailto:c@example.net\"\n", "", false},
		{"short DMARC", silent + "_dmarc IN TXT \"v=DMARC1; p=reject\"\n", "nullspf writes", true},
		{"DMARC with a size", silent + "_dmarc IN TXT \"v=DMARC1; p=reject; rua=mailto:a@example.net!10m\"\n", "_dmarc TXT", false},
		{"a record of another type", silent + "@ IN CAA 0 issue \"ca.example\"\n", "@ CAA", false},
		{"an unknown type", silent + "@ IN TYPE65280 \\# 1 00\n", "no key of a group publishes it", false},
		{"signed", silent + "@ IN DNSKEY 257 3 13 AAAA\n", "a signed zone", false},
		{"out of the zone", silent + "brand.test. IN A 192.0.2.1\n", "", false},
		{"no NS", "$TTL 1h\n@ IN SOA ns1.example.net. hostmaster.example.net. 7 2h 15m 4w 5m\n@ IN MX 0 .\n@ IN TXT \"v=spf1 -all\"\n", "no NS record", false},
		{"no SOA", "$TTL 1h\n@ IN NS ns1.example.net.\n", "no SOA record", false},
		{"nameserver inside", strings.ReplaceAll(silent, "ns2.example.net.", "ns2"), "holds the nameserver", false},
		{"impossible times", strings.ReplaceAll(silent, "2h 15m 4w", "2h 0 4w"), "with which secondaries cannot work", false},
		{"a mailbox with blanks", strings.ReplaceAll(silent, "hostmaster", `host\032master`), "", false},
		{"empty", "", "no SOA record", false},
		{"a fault", silent + "nonsense\n", "", false},
	} {
		t.Run(c.what, func(t *testing.T) {
			plan, r := published(t, c.text, Settings{})
			if c.what == "a fault" {
				if plan != nil || !strings.Contains(r.LeftOut[0].Place, "db:7") {
					t.Errorf("%+v", r.LeftOut)
				}
				return
			}
			switch {
			case c.reason == "" && plan == nil:
				t.Errorf("left out: %+v", r.LeftOut)
			case c.reason == "" && plan.Count(zones.Adopted) != 1:
				t.Error("the zone does not stay the same")
			case c.reason != "" && plan != nil:
				t.Error("the zone is not left out")
			case c.reason != "" && !strings.Contains(reasons(r), c.reason):
				t.Errorf("the reasons are %s", reasons(r))
			}
			if c.reason == "" {
				return
			}
			plan, r = published(t, c.text, Settings{Changes: true})
			if (plan != nil) != c.change {
				t.Errorf("with changes: %+v", r.LeftOut)
			}
			if plan != nil && plan.Count(zones.Added) != 1 {
				t.Error("the zone is adopted")
			}
		})
	}
}

func reasons(r *Result) string {
	var texts []string
	for _, l := range r.LeftOut {
		texts = append(texts, l.Reason)
	}
	return strings.Join(texts, "\n")
}

// FuzzImport imports any zone: what is written is a good configuration, with which
// the zone stays the same, or changes only in how its texts are divided.
func FuzzImport(f *testing.F) {
	f.Add(silent)
	f.Add(head + "@ 5 IN MX 10 mx1.example.net.\n@ IN TXT \"v=spf1 -all\"\n@ IN TXT \"a\" \"b brand.example\"\n")
	f.Add(silent + "_dmarc IN TXT \"v=DMARC1; p=none; sp=none; np=none; adkim=s; aspf=s; rua=mailto:a@example.net\"\n")
	f.Add(silent + "@ IN A 192.0.2.1\nwww IN A 192.0.2.1\nwww IN MX 0 .\nwww IN TXT \"v=spf1 -all\"\n* IN MX 0 .\n")
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(strings.ToUpper(text), "$INCLUDE") {
			return
		}
		if plan, _ := published(t, text, Settings{}); plan != nil && plan.Count(zones.Adopted) != 1 && !strings.Contains(text, "TXT") {
			t.Errorf("the zone does not stay the same:\n%s", text)
		}
		published(t, text, Settings{Changes: true})
	})
}

// TestNothingHalfWritten has the check of a directory fail: nothing stays.
func TestNothingHalfWritten(t *testing.T) {
	_, r := published(t, silent, Settings{})
	top := t.TempDir()
	err := r.Write(filepath.Join(top, "site"), func(string) error { return os.ErrInvalid })
	left, _ := os.ReadDir(top)
	if err == nil || len(left) > 0 {
		t.Errorf("%v, %v", err, left)
	}
	if err := os.WriteFile(filepath.Join(top, "site"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := r.Write(filepath.Join(top, "site"), func(string) error { return nil }); err == nil {
		t.Error("a file was replaced")
	}
}
