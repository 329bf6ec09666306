package forgerylog

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"nullspf/internal/eventrow"
	"nullspf/spftrack"
)

// hostileTexts are labels that a forger may use as local part or HELO name.
var hostileTexts = []string{
	"\x1b[31mred\x1b[0m", "\x1b]0;title\x07", "\x9b2j", "\x00nul\x00", "line\nbreak", "car\rriage", "\ttab", "a b",
	`"quoted"`, `a","=1+1`, "it's", `back\slash`, `\027[2j`, "=cmd|' /c calc'!a0", "+1+1", "-1-1", "@sum(1)", "'=1", "a;=1+1", ";=1+1",
	"\u202egnp.exe", "\u2066x\u2069", "\ufeffbom", "\xff\xfe", "\xc3\x28", "ünï", "<script>alert(1)</script>", "a,b,c", "-", "#", "%{i}", "$(id)",
}

func hostileChecks() []check {
	var list []check
	for i, text := range hostileTexts {
		list = append(list, check{
			at: time.Duration(i) * 2 * time.Minute, ip: "192.0.2.7", local: text, helo: text, domain: "shop.example",
		})
	}
	return list
}

// render writes all events of an engine in a format.
func render(t *testing.T, e Engine, q Query, f Format) string {
	t.Helper()
	var b bytes.Buffer
	w := NewEventWriter(&b, f, q, time.UTC)
	if err := e.Events(t.Context(), q, 0, w.Write); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// checkASCII fails when a text holds anything but visible ASCII, spaces and
// line ends.
func checkASCII(t *testing.T, what, text string) {
	t.Helper()
	for i := range len(text) {
		if c := text[i]; c != '\n' && (c < ' ' || c > 0x7e) {
			t.Fatalf("%s: byte 0x%02x at %d: %q", what, c, i, text[max(i-40, 0):min(i+40, len(text))])
		}
	}
}

func TestHostileTexts(t *testing.T) {
	t.Parallel()
	eachEngine(t, hostileChecks(), func(t *testing.T, e *Journals) {
		n := len(hostileTexts)
		table := render(t, e, Query{}, Table)
		checkASCII(t, "table", table)
		if lines := strings.Count(table, "\n"); lines != n+1 {
			t.Errorf("the table has %d lines, want %d", lines, n+1)
		}
		// Every value can be had back from JSON and from CSV.
		text := render(t, e, Query{}, JSON)
		checkASCII(t, "JSON", text)
		d := json.NewDecoder(strings.NewReader(text))
		for i, want := range hostileTexts {
			var f map[string]any
			if err := d.Decode(&f); err != nil {
				t.Fatal(err)
			}
			text := func(field string) string { return eventrow.Unescape(f[field].(string)) }
			if local, helo := text("sender_local"), text("helo"); local != want || helo != want {
				t.Errorf("JSON %d: local part %q, HELO %q, want %q", i, local, helo, want)
			}
			if len(f) != len(eventrow.Columns) {
				t.Errorf("JSON %d: %d fields", i, len(f))
			}
		}
		if _, err := d.Token(); err != io.EOF {
			t.Error("JSON: more follows")
		}
		text = render(t, e, Query{}, CSV)
		checkASCII(t, "CSV", text)
		records, err := csv.NewReader(strings.NewReader(text)).ReadAll()
		if err != nil || len(records) != n+1 {
			t.Fatalf("CSV: %d lines, %v", len(records), err)
		}
		helo := slices.Index(records[0], "helo")
		for i, want := range hostileTexts {
			cells := records[i+1]
			for _, c := range cells {
				if c != "" && strings.Contains("=+-@\t\r", c[:1]) {
					t.Errorf("CSV %d: cell %q is a formula", i, c)
				}
				if strings.Contains(c, ";") {
					t.Errorf("CSV %d: cell %q holds a semicolon", i, c)
				}
			}
			got := cells[helo]
			if strings.HasPrefix(got, "'") && strings.IndexByte("=+-@", want[0]) >= 0 {
				got = got[1:]
			}
			if got = eventrow.Unescape(got); got != want {
				t.Errorf("CSV %d: HELO %q, want %q", i, got, want)
			}
		}
		for i, want := range hostileTexts {
			// What is shown can be looked for, whole and in part.
			queries := []Query{{HELO: ParseText("=" + spftrack.Printable(want))}}
			if eventrow.Unescape(want) == want {
				queries = append(queries, Query{Sender: ParseText("=" + want + "@shop.example")})
			}
			for _, q := range queries {
				if r := eventsOf(t, e, q, 0); len(r) != 1 || r[0].Seq != int64(2*i+2) {
					t.Errorf("looking for %q: %v", want, seqs(r))
				}
			}
		}
	})
}

func TestHostileCounts(t *testing.T) {
	t.Parallel()
	s := testSettings(t.TempDir())
	write(t, s, hostileChecks()...)
	e := open(s.Dir)
	for _, by := range []Field{BySender, ByHELO} {
		ranking, err := e.Top(t.Context(), Query{}, by, 1000)
		if err != nil || len(ranking.Ranks) != len(hostileTexts) {
			t.Fatalf("%d ranks, %v", len(ranking.Ranks), err)
		}
		for _, f := range Formats {
			var b bytes.Buffer
			if err := WriteRanking(&b, f, ranking); err != nil {
				t.Fatal(err)
			}
			checkASCII(t, string(f), b.String())
			switch f {
			case JSON:
				var v struct{ Values []rankJSON }
				if err := json.Unmarshal(b.Bytes(), &v); err != nil || len(v.Values) != len(hostileTexts) {
					t.Errorf("JSON: %d values, %v", len(v.Values), err)
				}
			case CSV:
				records, err := csv.NewReader(&b).ReadAll()
				if err != nil || len(records) != len(hostileTexts)+1 {
					t.Errorf("CSV: %d lines, %v", len(records), err)
				}
				for _, r := range records {
					if strings.Contains("=+-@", r[1][:1]) {
						t.Errorf("CSV: cell %q is a formula", r[1])
					}
				}
			}
		}
	}
}

// FuzzWriters writes rows as nobody but a forger of segments would make them.
func FuzzWriters(f *testing.F) {
	for _, text := range hostileTexts {
		f.Add(text, text, int64(0))
	}
	f.Fuzz(func(t *testing.T, helo, other string, ts int64) {
		row := &eventrow.Row{
			Seq: ts, TS: ts, ServerID: other, Zone: other, Kind: other, ClientIP: other, SenderLocal: other, SenderDomain: helo,
			ForgedDomain: other, HELO: helo, Resolver: other, Transport: other, ClientSubnet: other, Flags: other, RawName: helo,
		}
		for _, format := range Formats {
			var b bytes.Buffer
			w := NewEventWriter(&b, format, Query{Packets: true}, time.UTC)
			if err := w.Write(row); err != nil {
				t.Fatal(err)
			}
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
			checkASCII(t, string(format), b.String())
			switch lines := strings.Count(b.String(), "\n"); format {
			case JSON:
				var fields map[string]any
				if err := json.Unmarshal(b.Bytes(), &fields); err != nil || lines != 1 || fields["helo"] != eventrow.Shown(helo) {
					t.Fatalf("%q, %v", b.String(), err)
				}
			case CSV:
				records, err := csv.NewReader(&b).ReadAll()
				if err != nil || len(records) != 2 || lines != 2 {
					t.Fatalf("%q, %v", records, err)
				}
				for i, c := range records[1] {
					// The number of an event is a number, also below 0.
					if i > 1 && c != "" && strings.Contains("=+-@", c[:1]) || strings.Contains(c, ";") {
						t.Fatalf("cell %q", c)
					}
				}
			case Table:
				if lines != 2 {
					t.Fatalf("%q", b.String())
				}
			}
		}
	})
}
