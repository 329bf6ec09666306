package verify

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var someFindings = []Finding{
	{Zone: "b.example", Server: "192.0.2.2:53", Check: CheckMX, Name: "www.b.example", Want: "0 .", Reason: "the record is missing"},
	{Zone: "b.example", Server: "192.0.2.2:53", Check: CheckServed, Name: "b.example", Reason: "no answer"},
	{Zone: "b.example", Server: "192.0.2.1:53", Check: CheckSPF, Name: "b.example", Want: `"v=spf1 -all"`, Have: "\"v=spf1 \x1b]0;pwned\a\x9b31m\r\n\u202e\x7f\"", Reason: "the records are not as planned"},
	{Zone: "a.example", Check: CheckSerial, Name: "a.example", Reason: "the manifest lacks it"},
	{Server: "[2001:db8::1]:53", Check: CheckAnswer, Reason: "no answer"},
}

const someTable = `(all zones)
  [2001:db8::1]:53  answer  no answer
a.example
                    serial  the manifest lacks it
b.example
  192.0.2.1:53      spf     the records are not as planned
                            want "v=spf1 -all"
                            have "v=spf1 \027]0;pwned\007\15531m\013\010\226\128\174\127"
  192.0.2.2:53      served  no answer
  192.0.2.2:53      mx      www.b.example: the record is missing
                            want 0 .
`

func TestWriteTable(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	if err := WriteTable(&b, someFindings, 10, false); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(someTable, b.String()); diff != "" {
		t.Error(diff)
	}
	b.Reset()
	if err := WriteTable(&b, someFindings, 10, true); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	for _, color := range []string{bold, red, green, plain} {
		if !strings.Contains(text, color) {
			t.Errorf("%q is missing", color)
		}
		text = strings.ReplaceAll(text, color, "")
	}
	if diff := cmp.Diff(someTable, text); diff != "" {
		t.Error(diff)
	}
}

// TestTableFoldsZones: zones with equal deviations share an entry.
func TestTableFoldsZones(t *testing.T) {
	t.Parallel()
	var findings []Finding
	for i := range 12 {
		zone := fmt.Sprintf("z%02d.example", i)
		findings = append(findings, Finding{Zone: zone, Server: "192.0.2.1:53", Check: CheckMX, Name: "www." + zone, Want: "0 mail." + zone + ".", Reason: "the record is missing"})
	}
	findings = append(findings, Finding{Zone: "y.example", Server: "192.0.2.1:53", Check: CheckServed, Name: "y.example", Reason: "no answer"})
	var b strings.Builder
	if err := WriteTable(&b, findings, 2, false); err != nil {
		t.Fatal(err)
	}
	const want = `y.example
  192.0.2.1:53  served  no answer
z00.example
z01.example
and 10 more
  192.0.2.1:53  mx      www.{domain}: the record is missing
                        want 0 mail.{domain}.
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Error(diff)
	}
}

// wantPrintable fails when a text holds anything that a terminal may obey.
func wantPrintable(t *testing.T, text string) {
	t.Helper()
	for i := range len(text) {
		if c := text[i]; c != '\n' && (c < ' ' || c > '~') {
			t.Fatalf("byte %d is %#x:\n%q", i, c, text)
		}
	}
}

// FuzzWriteTable checks that no text gets through to the terminal.
func FuzzWriteTable(f *testing.F) {
	f.Add("b.example", "mx", "\x1b[2J", "\u009b\n")
	f.Fuzz(func(t *testing.T, zone, check, have, reason string) {
		var b strings.Builder
		if err := WriteTable(&b, []Finding{{Zone: zone, Server: zone, Check: check, Name: reason, Want: have, Have: have, Reason: reason}}, 10, false); err != nil {
			t.Fatal(err)
		}
		wantPrintable(t, b.String())
	})
}

func TestWriteJSON(t *testing.T) {
	t.Parallel()
	sum := Summary{Zones: 2, Checked: 1, Unanswered: 1, Servers: []ServerSummary{{Address: "192.0.2.1:53", Checked: 1, Unanswered: 1, Findings: 1, Queries: 7}}}
	for _, c := range []struct {
		findings []Finding
		want     string
	}{
		{nil, `{"zones":2,"checked":1,"unanswered":1,"servers":[{"address":"192.0.2.1:53","checked":1,"unanswered":1,"findings":1,"queries":7}],"findings":[
]}
`},
		{someFindings[3:], `{"zones":2,"checked":1,"unanswered":1,"servers":[{"address":"192.0.2.1:53","checked":1,"unanswered":1,"findings":1,"queries":7}],"findings":[
{"server":"[2001:db8::1]:53","check":"answer","reason":"no answer"},
{"zone":"a.example","check":"serial","name":"a.example","reason":"the manifest lacks it"}
]}
`},
	} {
		var b strings.Builder
		if err := WriteJSON(&b, sum, c.findings); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, b.String()); diff != "" {
			t.Error(diff)
		}
		var document struct{ Findings []Finding }
		if err := json.Unmarshal([]byte(b.String()), &document); err != nil || len(document.Findings) != len(c.findings) {
			t.Errorf("%v in %s", err, b.String())
		}
	}
}

func TestSummaryString(t *testing.T) {
	t.Parallel()
	sum := Summary{Zones: 2, Checked: 1, Unanswered: 1, Findings: 1, Servers: []ServerSummary{{Address: "192.0.2.1:53", Checked: 1, Unanswered: 1, Findings: 1}}}
	const want = "1 of 2 zones checked at 1 server, 1 deviation\n192.0.2.1:53: 1 zones checked, 1 without an answer, 1 deviation\n"
	if got := fmt.Sprint(sum); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
