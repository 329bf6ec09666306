package eventrow

import (
	"bytes"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"nullspf/spftrack"
)

var update = flag.Bool("update", false, "write the table of columns into docs/journal.md")

// TestEveryFieldIsAColumn: of a row, once; and what an event of any kind holds reaches the
// row and comes back.
func TestEveryFieldIsAColumn(t *testing.T) {
	query := spftrack.Event{
		Seq: 1, Time: 2, Server: "ns1.example.net", Zone: "_spf.example.net",
		Parsed: spftrack.Parsed{
			Kind: spftrack.KindExp, ClientIP: netip.MustParseAddr("192.0.2.7"), SenderLocal: "info", SenderDomain: "shop.example",
			Forged: "shop.example", HELO: "mail.example.org", Flags: spftrack.FlagTruncated,
		},
		Resolver: netip.MustParseAddrPort("198.51.100.53:4711"), Transport: spftrack.TransportTCP, QType: 16,
		ClientSubnet: netip.MustParsePrefix("203.0.113.0/24"), SourceVerified: true, Name: []byte("\x01x\x00"),
	}
	session := spftrack.Event{
		Parsed:  spftrack.Parsed{Kind: spftrack.KindRefusal},
		Session: &spftrack.Session{Recipients: 3, RecipientDomain: "shop.example", TLS: true, Duration: 4},
		Cause:   "no-ptr", Software: "postfix",
	}
	report := spftrack.Event{
		Parsed: spftrack.Parsed{Kind: spftrack.KindDMARC},
		Report: &spftrack.Report{
			Reporter: "receiver.example", ID: "5", End: 6, Messages: 7, Disposition: "reject", SPF: "fail", DKIM: "pass",
			Override: "local_policy", RecipientDomain: "receiver.example",
		},
	}
	checkFilled(t, reflect.ValueOf(query), reflect.ValueOf(session), reflect.ValueOf(report))
	checkFilled(t, reflect.ValueOf(*session.Session))
	checkFilled(t, reflect.ValueOf(*report.Report))
	var rows []reflect.Value
	for _, e := range []spftrack.Event{query, session, report} {
		var row Row
		new(Builder).Fill(&row, &e)
		rows = append(rows, reflect.ValueOf(row))
		var back spftrack.Event
		if row.Event(&back); !reflect.DeepEqual(back, e) {
			t.Errorf("the row's event is %+v,\nwant %+v", back, e)
		}
	}
	checkFilled(t, rows...)
	names := make(map[string]bool)
	for _, c := range Columns {
		if names[c.Name] || c.Meaning == "" {
			t.Errorf("column %s stands there twice, or lacks its meaning", c.Name)
		}
		names[c.Name] = true
	}
	if n := reflect.TypeFor[Row]().NumField(); len(Columns) != n {
		t.Errorf("a row has %d fields, but there are %d columns", n, len(Columns))
	}
}

// checkFilled fails when a field is zero in all values: then the test says nothing about it.
func checkFilled(t *testing.T, values ...reflect.Value) {
	t.Helper()
	for i := range values[0].NumField() {
		if !slices.ContainsFunc(values, func(v reflect.Value) bool { return !v.Field(i).IsZero() }) {
			t.Errorf("field %s of %s is zero", values[0].Type().Field(i).Name, values[0].Type())
		}
	}
}

// TestDocument compares the table in docs/journal.md with the columns.
func TestDocument(t *testing.T) {
	const path, heading = "../../docs/journal.md", "| column | type | meaning |\n|---|---|---|\n"
	var want strings.Builder
	want.WriteString(heading)
	for _, c := range Columns {
		fmt.Fprintf(&want, "| `%s` | %s | %s |\n", c.Name, c.typeName(), c.Meaning)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, table, found := bytes.Cut(text, []byte(heading))
	_, after, _ := bytes.Cut(table, []byte("\n\n"))
	if !found {
		t.Fatalf("%s has no table of columns that begins with\n%s", path, heading)
	}
	document := string(before) + want.String() + "\n" + string(after)
	if document == string(text) {
		return
	}
	if !*update {
		t.Fatalf("the table of columns in %s is not that of the schema; run go test ./internal/eventrow -update", path)
	}
	if err := os.WriteFile(path, []byte(document), 0o644); err != nil {
		t.Fatal(err)
	}
}

// typeName is the type of the column in documents.
func (c *Column) typeName() string {
	switch {
	case c == TS:
		return "TIMESTAMP of nanoseconds"
	case c.Kind == parquet.ByteArray:
		return "text"
	}
	return c.Kind.String()
}
