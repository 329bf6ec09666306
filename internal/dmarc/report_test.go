package dmarc

import (
	"fmt"
	"net/netip"
	"os"
	"reflect"
	"strings"
	"testing"
)

// TestSamples: reports that rspamd and OpenDMARC made, alone and in the mails in which they
// came.
func TestSamples(t *testing.T) {
	t.Parallel()
	addr := netip.MustParseAddr
	record := func(ip string, n uint32, disposition, spf, from string, reasons ...string) Record {
		return Record{Source: addr(ip), Messages: n, Disposition: disposition, SPF: spf, DKIM: "fail", HeaderFrom: from, Reasons: reasons}
	}
	rspamd := Report{Reporter: "receiver.test", Begin: 1795651200, End: 1795737600}
	opendmarc := Report{Reporter: "receiver.test", Begin: 1795779293, End: 1795782893}
	with := func(r Report, id, domain string, records ...Record) *Report {
		r.ID, r.Domain, r.Records = id, domain, records
		return &r
	}
	own := "local_policy"
	var forged []Record
	for _, ip := range []string{"203.0.113.7", "203.0.113.7", "203.0.113.7", "203.0.113.9", "2001:db8:9::25", "203.0.113.7", "203.0.113.7", "203.0.113.7", "203.0.113.7", "203.0.113.9", "2001:db8:9::25", "203.0.113.7"} {
		forged = append(forged, record(ip, 1, "reject", "fail", "forged.test", own))
	}
	want := map[string]*Report{
		"rspamd-forged": with(rspamd, "forged.test.1795651200.1795737600", "forged.test",
			record("2001:db8:9::25", 1, "reject", "fail", "forged.test"),
			record("203.0.113.7", 1, "quarantine", "fail", "np.forged.test"),
			record("203.0.113.7", 1, "quarantine", "fail", "sub.forged.test"),
			record("203.0.113.7", 1, "reject", "fail", "forged.test"),
			record("203.0.113.9", 1, "reject", "fail", "forged.test"),
			record("203.0.113.7", 3, "reject", "fail", "forged.test")),
		"rspamd-own-p-none": with(rspamd, "keeper.test.1795651200.1795737600", "keeper.test",
			record("203.0.113.25", 1, "none", "pass", "keeper.test"),
			record("203.0.113.8", 1, "none", "fail", "keeper.test")),
		"opendmarc-forged": with(opendmarc, "forged.test:1795782893", "forged.test", forged...),
		"opendmarc-own-p-none": with(opendmarc, "keeper.test:1795782893", "keeper.test",
			record("203.0.113.8", 1, "none", "fail", "keeper.test", own),
			record("203.0.113.25", 1, "none", "pass", "keeper.test", own),
			record("203.0.113.8", 1, "none", "fail", "keeper.test", own),
			record("203.0.113.25", 1, "none", "pass", "keeper.test", own)),
		"opendmarc-subdomain": with(opendmarc, "sub.forged.test:1795782893", "sub.forged.test",
			record("203.0.113.7", 1, "none", "fail", "sub.forged.test", own)),
		"opendmarc-nonexistent-subdomain": with(opendmarc, "np.forged.test:1795782893", "np.forged.test",
			record("203.0.113.7", 1, "none", "fail", "np.forged.test", own)),
	}
	for name, report := range want {
		for _, suffix := range []string{".xml", ".eml"} {
			reports, problems := readFile(t, "testdata/"+name+suffix)
			if len(problems) > 0 || len(reports) != 1 || !reflect.DeepEqual(reports[0], report) {
				t.Errorf("%s%s: %v\n%+v\nwant\n%+v", name, suffix, problems, reports, report)
			}
		}
	}
}

// readFile returns the reports of a file and what could not be read.
func readFile(t *testing.T, path string) ([]*Report, []string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return readText(t, string(text))
}

func readText(tb testing.TB, text string) (reports []*Report, problems []string) {
	tb.Helper()
	return readBounded(tb, text, maxItem)
}

func readBounded(tb testing.TB, text string, most int64) (reports []*Report, problems []string) {
	tb.Helper()
	err := each(strings.NewReader(text), most, func(n int, r *Report, err error) error {
		switch {
		case err != nil:
			problems = append(problems, fmt.Sprintf("%d: %v", n, err))
		case r != nil:
			reports = append(reports, r)
		default:
			problems = append(problems, fmt.Sprintf("%d: nothing", n))
		}
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	return reports, problems
}

// newest is a report of the form of RFC 9990, with all that a record can have.
const newest = `<?xml version="1.0" encoding="UTF-8"?>
<feedback xmlns="urn:ietf:params:xml:ns:dmarc-2.0" xmlns:ext="urn:example:ext">
 <version>1.0</version>
 <report_metadata>
  <org_name>Receiver Inc.</org_name><email>&lt;dmarc@Mail.Receiver.Example.&gt;</email>
  <extra_contact_info>https://receiver.example/dmarc</extra_contact_info>
  <report_id>3v98abbp8ya9n3va8yr8oa3ya</report_id>
  <date_range><begin>1795651200</begin><end> 1795737599 </end></date_range>
  <error>DNS timeout</error><generator>made by hand 1.0</generator>
 </report_metadata>
 <policy_published>
  <domain>Brand.Example</domain><discovery_method>treewalk</discovery_method>
  <p>reject</p><sp>reject</sp><np>reject</np><fo>1</fo><adkim>r</adkim><aspf>s</aspf><testing>n</testing>
 </policy_published>
 <record>
  <row>
   <source_ip>::ffff:192.0.2.123</source_ip><count>123</count>
   <policy_evaluated>
    <disposition>Pass</disposition><dkim>pass</dkim><spf>fail</spf>
    <reason><type>mailing_list</type><comment>a &amp; b</comment></reason>
    <reason><type>trusted_forwarder</type></reason><reason><type>mailing_list</type></reason>
   </policy_evaluated>
  </row>
  <identifiers><envelope_to>Other.Example</envelope_to><envelope_from>bounce.example.</envelope_from><header_from>Brand.Example</header_from></identifiers>
  <auth_results>
   <dkim><domain>brand.example</domain><selector>s1</selector><result>pass</result></dkim>
   <spf><domain>mail.bounce.example</domain><scope>helo</scope><result>none</result></spf>
   <spf><domain>other.example</domain><scope>mfrom</scope><result>fail</result></spf>
  </auth_results>
  <ext:arc><ext:source_ip>192.0.2.9</ext:source_ip></ext:arc>
 </record>
 <record><row><source_ip>192.0.2.124</source_ip><count>0</count></row></record>
 <record><row><source_ip>192.0.2</source_ip><count>1</count></row></record>
 <record><row><source_ip>192.0.2.125</source_ip><count>4294967296</count></row></record>
 <record><row><source_ip>192.0.2.126</source_ip><count>1</count></row>
  <auth_results><spf><domain>from.example</domain><scope>mfrom</scope></spf><spf><domain>unknown.example</domain></spf></auth_results></record>
</feedback>
`

// TestForms: the form of RFC 9990 is read as the older one.
func TestForms(t *testing.T) {
	t.Parallel()
	want := &Report{
		Reporter: "mail.receiver.example", ID: "3v98abbp8ya9n3va8yr8oa3ya", Domain: "brand.example", Begin: 1795651200, End: 1795737599, Bad: 3,
		Records: []Record{
			{Source: netip.MustParseAddr("192.0.2.123"), Messages: 123, Disposition: "pass", DKIM: "pass", SPF: "fail", Reasons: []string{"mailing_list", "trusted_forwarder"},
				HeaderFrom: "brand.example", EnvelopeFrom: "bounce.example", EnvelopeTo: "other.example", HELO: "mail.bounce.example"},
			{Source: netip.MustParseAddr("192.0.2.126"), Messages: 1, EnvelopeFrom: "from.example"},
		},
	}
	for name, text := range map[string]string{
		"as it is": newest,
		"mark":     "\xef\xbb\xbf" + newest,
		"latin":    strings.Replace(newest, "UTF-8", "ISO-8859-1", 1),
		"prefixed": strings.NewReplacer("</ext:", "</ext:", "<ext:", "<ext:", "</", "</d:", "<?", "<?", "<", "<d:", "xmlns=", "xmlns:d=").Replace(newest),
	} {
		reports, problems := readText(t, text)
		if len(problems) > 0 || len(reports) != 1 || !reflect.DeepEqual(reports[0], want) {
			t.Errorf("%s: %v\n%+v\nwant\n%+v", name, problems, reports, want)
		}
	}
}

// TestReporter: who has reported, by the address or the name of the organization.
func TestReporter(t *testing.T) {
	for _, c := range []struct{ address, organization, want string }{
		{"dmarc@Google.COM", "google.com", "google.com"},
		{"<a@b@receiver.test>", "Receiver", "receiver.test"},
		{"none", "Receiver Inc.", "receiver inc"},
		{"a@b c", "Receiver", "receiver"},
		{"", "", ""},
	} {
		if got := reporter(c.address, c.organization); got != c.want {
			t.Errorf("%q, %q: %q, want %q", c.address, c.organization, got, c.want)
		}
	}
}

// TestRefused: what is no report, or damaged, or asks for too much, is refused whole.
func TestRefused(t *testing.T) {
	t.Parallel()
	change := func(old, new string) string {
		if !strings.Contains(newest, old) {
			t.Fatalf("%q is not in the report", old)
		}
		return strings.Replace(newest, old, new, 1)
	}
	for _, c := range []struct{ text, want string }{
		{change("<feedback", "<!DOCTYPE feedback [<!ENTITY a \"b\">]><feedback"), "document type"},
		{change("Receiver Inc.", "&receiver;"), "invalid character entity &receiver;"},
		{newest[:len(newest)-40], "unexpected EOF"},
		{newest + "<feedback></feedback>", "the element \"feedback\" is no report"},
		{"<html></html>", "the element \"html\" is no report"},
		{"<feedback></feedback>", "it has no report_id"},
		{change("<org_name>Receiver Inc.</org_name><email>&lt;dmarc@Mail.Receiver.Example.&gt;</email>", ""), "neither email nor org_name"},
		{change("<end> 1795737599 </end>", "<end>1795651199</end>"), "ends before it begins"},
		{change("<end> 1795737599 </end>", ""), "no date_range"},
		{change("<begin>1795651200</begin>", "<begin>yesterday</begin>"), "\"yesterday\" is no time"},
		{change("<begin>1795651200</begin>", "<begin>9999999999999</begin>"), "is no time"},
		{change("3v98abbp8ya9n3va8yr8oa3ya", strings.Repeat("x", 256)), "report_metadata/report_id has more than 255 bytes"},
		{change("3v98abbp8ya9n3va8yr8oa3ya", strings.Repeat("x", 1<<20)), "report_metadata/report_id has more than 255 bytes"},
		{change("<version>", strings.Repeat("<a>", 20)+strings.Repeat("</a>", 20)+"<version>"), "more than 16 deep"},
		{change("UTF-8", "UTF-16"), "reports are in UTF-8"},
		{change("</version>", "</verzion>"), "closed by"},
	} {
		reports, problems := readText(t, c.text)
		if len(reports) > 0 || len(problems) != 1 || !strings.Contains(problems[0], c.want) {
			t.Errorf("%v, %q, want %q", reports, problems, c.want)
		}
	}
}

// FuzzParse: no text makes the parser fail, and what it returns is within bounds.
func FuzzParse(f *testing.F) {
	f.Add(newest)
	for _, name := range []string{"rspamd-own-p-none.xml", "opendmarc-subdomain.xml"} {
		text, err := os.ReadFile("testdata/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := Parse(strings.NewReader(text))
		if (r == nil) == (err == nil) {
			t.Fatal(r, err)
		}
		if r == nil {
			return
		}
		if r.ID == "" || r.Reporter == "" || len(r.ID) > maxName || r.End < r.Begin || len(r.Records)+r.Bad > maxRecords {
			t.Errorf("%+v", r)
		}
		for _, record := range r.Records {
			if !record.Source.IsValid() || record.Messages == 0 || len(record.HeaderFrom) > maxName || len(record.Reasons) > maxReasons {
				t.Errorf("%+v", record)
			}
		}
	})
}
