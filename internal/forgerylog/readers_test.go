package forgerylog

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"nullspf/internal/eventrow"
	"nullspf/internal/journal"
	"nullspf/internal/peers"
	"nullspf/spftrack"
)

// read is what a reader of others finds.
type read struct {
	Types   map[string]string
	Columns []string
	Rows    [][]string
}

// readByOthers has the readers of testdata/readers read the segments of a journal, and
// DuckDB answer statements.
func readByOthers(t *testing.T, dir string, statements []string) (readers map[string]read, answers [][][]string) {
	t.Helper()
	peers.Require(t, "node")
	const script = "testdata/readers/read.mjs"
	if _, err := os.Stat("testdata/readers/node_modules"); err != nil {
		peers.Lack(t, "the Parquet readers of testdata/readers are not installed; run scripts/install-peers")
	}
	v, err := journal.Snapshot(dir, journal.ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	var files []string
	for i := range v.Manifest.Segments {
		files = append(files, filepath.Join(dir, v.Manifest.Segments[i].Path()))
	}
	if len(files) == 0 {
		t.Fatal("nothing is sealed")
	}
	input, err := json.Marshal(map[string]any{"files": files, "statements": statements})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "node", script)
	cmd.Stdin = bytes.NewReader(input)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, &stderr)
	}
	var found struct {
		Answers [][][]string
		Readers map[string]read
	}
	if err := json.Unmarshal(out, &found); err != nil {
		t.Fatal(err)
	}
	found.Readers["arrow-go"] = readByArrow(t, files)
	return found.Readers, found.Answers
}

// readByArrow has arrow-go read segments.
func readByArrow(t *testing.T, files []string) (r read) {
	t.Helper()
	peers.Require(t, "readarrow")
	program, err := peers.Program("readarrow")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, files...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, &stderr)
	}
	if err := json.Unmarshal(out, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// asOthersRead is a row as readByOthers has it.
func asOthersRead(row *eventrow.Row, columns []string) []string {
	var cells []string
	for _, name := range columns {
		i := slices.IndexFunc(eventrow.Columns, func(c *eventrow.Column) bool { return c.Name == name })
		if i < 0 {
			cells = append(cells, "no such column")
		} else if c := eventrow.Columns[i]; c == eventrow.TS {
			cells = append(cells, strconv.FormatInt(row.TS, 10))
		} else if c == eventrow.RawName { // as it is stored
			cells = append(cells, row.RawName)
		} else {
			cells = append(cells, string(c.Append(nil, row)))
		}
	}
	return cells
}

// TestReaders: DuckDB, hyparquet, parquet-wasm, ClickHouse and arrow-go read every
// column of a segment right, with its type.
func TestReaders(t *testing.T) {
	t.Parallel()
	s := testSettings(t.TempDir())
	write(t, s, slices.Concat(tenChecks(), hostileChecks())...)
	events := importedEvents()
	for _, row := range eventsOf(t, open(s.Dir), Query{Packets: true}, 0) {
		var e spftrack.Event
		row.Event(&e)
		events = append(events, e)
	}
	dir := writeImports(t, events)
	rows := eventsOf(t, open(dir), Query{Packets: true}, 0)
	readers, answers := readByOthers(t, dir, wholeNames(t, dir))
	names := []string{"duckdb", "hyparquet", "parquet-wasm", "clickhouse", "arrow-go"}
	types := map[parquet.Kind][5]string{
		parquet.ByteArray: {"VARCHAR", "STRING", "Utf8", "String", "BYTE_ARRAY String"},
		parquet.Int64:     {"BIGINT", "INTEGER", "Int64", "Int64", "INT64 Int(bitWidth=64, isSigned=true)"},
		parquet.Int32:     {"INTEGER", "INTEGER", "Int32", "Int32", "INT32 Int(bitWidth=32, isSigned=true)"},
		parquet.Boolean:   {"BOOLEAN", "BOOLEAN", "Bool", "Bool", "BOOLEAN None"},
	}
	times := [5]string{"TIMESTAMP_NS", "TIMESTAMP", "Timestamp<NANOSECOND>", "DateTime64(9, 'UTC')",
		"INT64 Timestamp(isAdjustedToUTC=false, timeUnit=nanoseconds, is_from_converted_type=false, force_set_converted_type=false)"}
	for i, name := range names {
		r := readers[name]
		if len(r.Columns) != len(eventrow.Columns) || len(r.Rows) != len(rows) {
			t.Fatalf("%s: columns %v, %d rows, want %d", name, r.Columns, len(r.Rows), len(rows))
		}
		for _, c := range eventrow.Columns {
			want := types[c.Kind][i]
			if c == eventrow.TS {
				want = times[i]
			}
			if got := r.Types[c.Name]; got != want {
				t.Errorf("%s: column %s is %q, want %q", name, c.Name, got, want)
			}
		}
		for j := range rows {
			if want := asOthersRead(&rows[j], r.Columns); !slices.Equal(r.Rows[j], want) {
				t.Fatalf("%s: row %d:\n%q\nwant\n%q", name, j, r.Rows[j], want)
			}
		}
	}
	var want [][]string
	shortened := 0
	for j := range rows {
		want = append(want, []string{strconv.FormatInt(rows[j].Seq, 10), string(eventrow.RawName.Append(nil, &rows[j]))})
		if want[j][1] != rows[j].RawName {
			shortened++
		}
	}
	slices.SortFunc(want, func(a, b []string) int {
		return cmp.Or(cmp.Compare(len(a[0]), len(b[0])), cmp.Compare(a[0], b[0]))
	})
	if names := answers[len(answers)-1]; !slices.EqualFunc(names, want, slices.Equal) || shortened < 10 {
		t.Errorf("whole names, %d of them shortened:\n%q\nwant\n%q", shortened, names, want)
	}
}

// wholeNames are statements of docs/journal.md, and one that gives the whole name of each event.
func wholeNames(t *testing.T, dir string) (statements []string) {
	t.Helper()
	for _, s := range documented(t, dir) {
		if begin := strings.Fields(s)[0]; begin == "SET" || begin == "CREATE" {
			statements = append(statements, s)
		}
	}
	return append(statements, "SELECT seq, whole_name(raw_name, helo, sender_local, client_ip, forged_domain, zone) FROM log ORDER BY seq")
}

// documented are the statements of docs/journal.md, about a journal.
func documented(t *testing.T, dir string) (statements []string) {
	t.Helper()
	text, err := os.ReadFile("../../docs/journal.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range regexp.MustCompile("(?s)```sql\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		for statement := range strings.SplitSeq(strings.ReplaceAll(block[1], "/etc/nullspf/var", dir), ";\n") {
			if strings.TrimSpace(statement) != "" {
				statements = append(statements, statement)
			}
		}
	}
	return statements
}

// TestQuestions has DuckDB answer the questions of docs/journal.md about a
// journal, as its rows do.
func TestQuestions(t *testing.T) {
	t.Parallel()
	s := testSettings(t.TempDir())
	write(t, sealSoon(s), tenChecks()...)
	statements := documented(t, s.Dir)
	if len(statements) != 9 {
		t.Fatalf("%d statements in docs/journal.md: %q", len(statements), statements)
	}
	_, answers := readByOthers(t, s.Dir, statements)
	rows := eventsOf(t, open(s.Dir), Query{Packets: true}, 0)
	// groups counts rows by what key tells, "" for those to leave out.
	groups := func(key func(*eventrow.Row) string) [][]string {
		counts := make(map[string]int)
		for i := range rows {
			if k := key(&rows[i]); k != "" {
				counts[k]++
			}
		}
		var list [][]string
		for _, k := range slices.Sorted(maps.Keys(counts)) {
			list = append(list, append(strings.Split(k, "\t"), strconv.Itoa(counts[k])))
		}
		slices.SortStableFunc(list, func(a, b []string) int {
			x, _ := strconv.Atoi(a[len(a)-1])
			y, _ := strconv.Atoi(b[len(b)-1])
			return cmp.Compare(y, x)
		})
		return list
	}
	attempts := func(key func(*eventrow.Row) string) func(*eventrow.Row) string {
		return func(r *eventrow.Row) string {
			if !r.Attempt {
				return ""
			}
			return key(r)
		}
	}
	answered := func(what string, got, want [][]string) {
		if !slices.EqualFunc(got, want, slices.Equal) {
			t.Errorf("%s: DuckDB answers %q, want %q", what, got, want)
		}
	}
	one := []int{0, 0, 0}
	for i := range rows {
		if r := &rows[i]; r.Attempt {
			one[0]++
			if r.Kind == "exists" || r.Flags == "exists" {
				one[1]++
			}
			if r.Kind == "exp" {
				one[2]++
			}
		}
	}
	answered("clients", answers[2], groups(attempts(func(r *eventrow.Row) string { return r.ClientIP })))
	answered("days", answers[3], groups(attempts(func(r *eventrow.Row) string { return "2026-11-20\t" + r.ForgedDomain })))
	answered("kinds", answers[4], [][]string{strings.Fields(strings.Trim(fmt.Sprint(one), "[]"))})
	answered("one client", answers[5], groups(attempts(func(r *eventrow.Row) string {
		if r.ClientIP != "192.0.2.7" {
			return ""
		}
		return r.SenderLocal + "@" + r.SenderDomain + "\t" + r.HELO
	})))
	answered("resolvers", answers[6], groups(func(r *eventrow.Row) string { return r.Resolver }))
	answered("names", answers[8], groups(func(r *eventrow.Row) string { return r.Name() }))
}
