package web

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/rs/zerolog"

	"nullspf/internal/eventrow"
	"nullspf/internal/evidence/blocklist"
	"nullspf/internal/evidence/tier"
	"nullspf/internal/forgerylog"
	"nullspf/internal/journal"
)

// blockList is a list with one entry.
func blockList(_ context.Context, least tier.Tier) (*blocklist.List, error) {
	entry := blocklist.Entry{Prefix: netip.MustParsePrefix("203.0.113.7/32"), Tier: tier.Confirmed, First: now, Last: now, Expires: now.Add(time.Hour), Names: []string{"shop.example"}, Domains: 1}
	return &blocklist.List{Tier: least, At: now, Entries: []blocklist.Entry{entry}, Nameservers: []string{"ns1.example.net"}, RName: "hostmaster.example.net"}, nil
}

// audited are the lines about exports.
func audited(t *testing.T, logged *lines) (list []map[string]any) {
	t.Helper()
	for line := range strings.Lines(logged.String()) {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Fatal(err, line)
		}
		if fields["message"] == "export" {
			list = append(list, fields)
		}
	}
	return list
}

// TestExport: each format has the same events, those of the filter, and a line of the log
// says who has them.
func TestExport(t *testing.T) {
	t.Parallel()
	dir := log(t)
	s := behindProxy(settings(dir))
	logged := new(lines)
	s.Logger = zerolog.New(logged)
	w := pages(t, s)
	const query = "/api/v1/export?since=24h&domain=brand-1&format="
	for _, user := range []string{"alice", "bob"} {
		var rows []eventrow.Row
		answer := getAs(w, user, query+"parquet")
		if answer.Code != http.StatusOK || answer.Header().Get("Content-Disposition") != `attachment; filename="nullspf-export.parquet"` {
			t.Fatalf("%d %v", answer.Code, answer.Header())
		}
		size := answer.Body.Len()
		rows, err := parquet.Read[eventrow.Row](bytes.NewReader(answer.Body.Bytes()), int64(answer.Body.Len()))
		if err != nil || len(rows) != 200 {
			t.Fatal(len(rows), err)
		}
		var texts strings.Builder
		events := forgerylog.NewEventWriter(&texts, forgerylog.JSON, forgerylog.Query{}, nil)
		for i := range rows {
			if err := events.Write(&rows[i]); err != nil {
				t.Fatal(err)
			}
		}
		_ = events.Flush()
		asJSON := getAs(w, user, query+"json")
		if asJSON.Body.String() != texts.String() || asJSON.Header().Get("Content-Type") != "application/jsonl" {
			t.Errorf("JSON and Parquet differ: %v\n%.300s\n%.300s", asJSON.Header(), asJSON.Body, texts.String())
		}
		lines, err := csv.NewReader(getAs(w, user, query+"csv").Body).ReadAll()
		if err != nil || len(lines) != 201 || len(lines[0]) != len(eventrow.Columns) {
			t.Error(len(lines), err)
		}
		if user == "bob" {
			hidden(t, "Parquet", texts.String())
		}
		list := audited(t, logged)
		if len(list) < 3 {
			t.Fatal(logged)
		}
		got := list[len(list)-3]
		delete(got, "level")
		want := map[string]any{
			"user": user, "role": map[string]string{"alice": "all", "bob": "pseudonymised"}[user], "address": "127.0.0.1", "path": "/api/v1/export",
			"filter": "domain=brand-1&format=parquet&since=24h", "format": "parquet", "rows": 200.0, "bytes": float64(size), "complete": true, "message": "export",
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("logged\n%v\nwant\n%v", got, want)
		}
	}
	if n := len(audited(t, logged)); n != 6 {
		t.Errorf("%d lines for 6 exports", n)
	}
	for _, path := range []string{"/api/v1/export", "/api/v1/top"} {
		r := httptest.NewRequest(http.MethodHead, path, nil)
		r.Host, r.RemoteAddr = "localhost", "127.0.0.1:1"
		r.Header.Set("X-Remote-User", "alice")
		answer := httptest.NewRecorder()
		if w.ServeHTTP(answer, r); answer.Code != http.StatusOK || answer.Body.Len() > 0 || len(audited(t, logged)) != 6 {
			t.Error(path, answer.Code, answer.Body.Len())
		}
	}
}

// TestExportOfSeveral: events of several journals come in order of time, though their numbers
// do not, and readers that go by bounds find them.
func TestExportOfSeveral(t *testing.T) {
	t.Parallel()
	s := settings("")
	s.Engine = forgerylog.Open([]string{log(t), logOf(t, "ns2.example.net")}, journal.ReadOptions{})
	body := get(pages(t, s), "/api/v1/export?since=all&packets=1&format=parquet").Body.Bytes()
	f, err := parquet.OpenFile(bytes.NewReader(body), int64(len(body)))
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range f.RowGroups() {
		if len(g.SortingColumns()) > 0 {
			t.Error("it claims to be sorted by", g.SortingColumns()[0].Path())
		}
	}
	rows, err := parquet.Read[eventrow.Row](bytes.NewReader(body), int64(len(body)))
	if err != nil || len(rows) != 2*612 {
		t.Fatal(len(rows), err)
	}
	falls := 0
	for i := range rows[1:] {
		if rows[i].TS > rows[i+1].TS {
			t.Fatalf("row %d is later than the next", i)
		}
		if rows[i].Seq >= rows[i+1].Seq {
			falls++
		}
	}
	least, greatest, ok := f.RowGroups()[0].ColumnChunks()[0].(*parquet.FileColumnChunk).Bounds()
	if falls == 0 || !ok || least.Int64() != 1 || greatest.Int64() != 612 {
		t.Errorf("numbers fall %d times, and are said to be from %s to %s", falls, least, greatest)
	}
}

// endlessLog has events without end, or fails after some.
type endlessLog struct {
	forgerylog.Engine
	fails error
	ended chan struct{}
}

func (e endlessLog) Events(ctx context.Context, _ forgerylog.Query, _ int, yield func(*eventrow.Row) error) error {
	defer close(e.ended)
	for i := 0; ctx.Err() == nil; i++ {
		if e.fails != nil && i == 1000 {
			return e.fails
		}
		if err := yield(&eventrow.Row{Seq: int64(i), HELO: "mail.example"}); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// TestExportLeft: when the viewer leaves, reading ends, and the log says that he has not
// everything.
func TestExportLeft(t *testing.T) {
	t.Parallel()
	s := settings(log(t))
	logged := new(lines)
	engine := endlessLog{s.Engine, nil, make(chan struct{})}
	s.Engine, s.Logger = engine, zerolog.New(logged)
	server := httptest.NewServer(pages(t, s))
	defer server.Close()
	ctx, leave := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"/api/v1/export?format=json", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if _, err := io.ReadFull(response.Body, make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	leave()
	select {
	case <-engine.ended:
	case <-time.After(10 * time.Second):
		t.Fatal("it goes on")
	}
	for range 1000 {
		if len(audited(t, logged)) > 0 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if list := audited(t, logged); len(list) != 1 || list[0]["complete"] != false || list[0]["bytes"].(float64) < 1<<20 {
		t.Error(list)
	}
}

// TestExportCut: what fails on the way is not taken for the whole, and what could not be read
// is told behind the rest.
func TestExportCut(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		fails   error
		trailer bool
	}{{errors.New("the disk is broken"), false}, {damage, true}} {
		s := settings(log(t))
		logged := new(lines)
		s.Engine, s.Logger = endlessLog{s.Engine, c.fails, make(chan struct{})}, zerolog.New(logged)
		server := httptest.NewServer(pages(t, s))
		defer server.Close()
		response, err := http.Get(server.URL + "/api/v1/export?format=csv")
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if len(body) == 0 || (err == nil) != c.trailer || (response.Trailer.Get(incomplete) != "") != c.trailer {
			t.Errorf("%v: %d bytes, %v, %v", c.fails, len(body), err, response.Trailer)
		}
		if list := audited(t, logged); len(list) != 1 || list[0]["complete"] != c.trailer || list[0]["rows"] != 1000.0 {
			t.Error(list)
		}
	}
}

// TestDownloads: a download waits until there is room, and gives up with its viewer.
func TestDownloads(t *testing.T) {
	t.Parallel()
	w := pages(t, settings(log(t)))
	for range downloads {
		w.downloads <- struct{}{}
	}
	ctx, leave := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer leave()
	r := httptest.NewRequest(http.MethodGet, "/api/v1/export", nil).WithContext(ctx)
	r.Host = "localhost"
	answer := httptest.NewRecorder()
	if w.ServeHTTP(answer, r); answer.Body.Len() > 0 {
		t.Error(answer.Body)
	}
	if answer := get(w, "/?since=1h"); !strings.Contains(answer.Body.String(), "12 attempts") {
		t.Error("downloads keep pages from being shown")
	}
}

// TestBlockLists: who sees addresses can take block lists, in every format.
func TestBlockLists(t *testing.T) {
	t.Parallel()
	s := behindProxy(settings(log(t)))
	logged := new(lines)
	s.BlockList, s.Logger = blockList, zerolog.New(logged)
	w := pages(t, s)
	for _, f := range blocklist.Formats {
		answer := getAs(w, "alice", "/api/v1/blocklist?tier=corroborated&format="+f.Name)
		list, _ := blockList(t.Context(), tier.Corroborated)
		want, entries := f.Bytes(list)
		if answer.Code != http.StatusOK || answer.Body.String() != string(want) || !strings.HasPrefix(answer.Header().Get("Content-Disposition"), `attachment; filename="nullspf-blocklist.`) {
			t.Errorf("%s: %d %v\n%s", f.Name, answer.Code, answer.Header(), answer.Body)
		}
		if list := audited(t, logged); list[len(list)-1]["rows"] != float64(entries) || list[len(list)-1]["format"] != f.Name {
			t.Error(list[len(list)-1])
		}
	}
	if body := getAs(w, "alice", "/downloads").Body.String(); !strings.Contains(body, "a table of type cidr of Postfix") || !strings.Contains(body, "<option>confirmed</option>") {
		t.Error(body)
	}
	for query, want := range map[string]string{"?tier=claimed": "tier: ", "?format=xml": "use one of rbldnsd-ip4trie", "?domain=x": "no parameter"} {
		if answer := getAs(w, "alice", "/api/v1/blocklist"+query); answer.Code != http.StatusBadRequest || !strings.Contains(answer.Body.String(), want) {
			t.Errorf("%s: %d %s", query, answer.Code, answer.Body)
		}
	}
	if answer := getAs(w, "bob", "/api/v1/blocklist?format=csv"); answer.Code != http.StatusNotFound {
		t.Errorf("who sees pseudonyms: %d %s", answer.Code, answer.Body)
	}
	if body := getAs(w, "bob", "/downloads").Body.String() + getAs(w, "bob", apiDescription).Body.String(); strings.Contains(strings.ToLower(body), "block") {
		t.Error(body)
	}
}
