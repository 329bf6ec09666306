package loadtest

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"nullspf/internal/forgerylog"
	"nullspf/internal/journal"
	"nullspf/internal/peers"
	"nullspf/internal/web"
)

// dashboard is what the test reads of examples/grafana/nullspfd.json.
type dashboard struct {
	Panels []struct {
		ID      int
		Type    string
		Title   string
		Targets []struct{ Expr, LegendFormat string }
	}
	Templating struct {
		List []struct {
			Name  string
			Query any
		}
	}
}

// TestDashboard has a Prometheus collect the metrics of a daemon and evaluate every
// query of the dashboard: each finds something, with the labels that its legend names.
func TestDashboard(t *testing.T) {
	t.Parallel()
	peers.Require(t, peers.Prometheus.Programs()...)
	text, err := os.ReadFile("../../examples/grafana/nullspfd.json")
	if err != nil {
		t.Fatal(err)
	}
	var board dashboard
	if err := json.Unmarshal(text, &board); err != nil {
		t.Fatal(err)
	}
	d := newSite(t).start(t)
	at, err := peers.FreePort(netip.MustParseAddr("127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	peers.Run(t, peers.Config{Kind: peers.Prometheus, Address: at, Options: fmt.Sprintf(
		"global: {scrape_interval: 250ms, scrape_timeout: 250ms}\nscrape_configs:\n- job_name: nullspfd\n  static_configs: [{targets: ['%s']}]\n", d.web)})

	variables := strings.NewReplacer("$__rate_interval", "2s", "$__range", "10s", "$instance", ".*")
	legend := regexp.MustCompile(`{{(\w+)}}`)
	queries, ids := 0, make(map[int]bool)
	for _, p := range board.Panels {
		if ids[p.ID] || p.Title == "" {
			t.Errorf("panel %d is there twice, or has no title", p.ID)
		}
		ids[p.ID] = true
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("panel %s has no query", p.Title)
		}
		for _, target := range p.Targets {
			queries++
			// What leaves zeros out finds nothing now, and what takes 0 for nothing always
			// finds something.
			query := variables.Replace(target.Expr)
			if _, rest, ok := strings.Cut(query, "$"); ok {
				t.Errorf("%s: the variable $%s is not known", p.Title, rest)
			}
			query = strings.TrimSuffix(strings.TrimSuffix(query, " > 0"), " or vector(0)")
			query = strings.Replace(query, " == 0)", " == 1)", 1)
			var labels []map[string]string
			deadline := time.Now().Add(20 * time.Second)
			for {
				if labels = evaluate(t, at, query); len(labels) > 0 || time.Now().After(deadline) {
					break
				}
				time.Sleep(100 * time.Millisecond)
			}
			if len(labels) == 0 {
				t.Errorf("%s: %s finds nothing", p.Title, query)
				continue
			}
			for _, name := range legend.FindAllStringSubmatch(target.LegendFormat, -1) {
				if labels[0][name[1]] == "" {
					t.Errorf("%s: the legend names %s, but %s has %v", p.Title, name[1], query, labels[0])
				}
			}
		}
	}
	if queries < 20 {
		t.Errorf("the dashboard has %d queries", queries)
	}
	// The variable instance lists the servers by this metric.
	if len(evaluate(t, at, "nullspfd_build_info")) == 0 || !strings.Contains(fmt.Sprint(board.Templating), "label_values(nullspfd_build_info, instance)") {
		t.Error("the variable instance is not made of nullspfd_build_info")
	}
}

// TestPagesReadMetrics: nullspf web shows a daemon by its metrics, as it shows one at a socket.
func TestPagesReadMetrics(t *testing.T) {
	t.Parallel()
	d := newSite(t).start(t)
	address, err := web.ParseMetrics("http://" + d.web.String())
	if err != nil {
		t.Fatal(err)
	}
	w, err := web.New(web.Settings{Engine: forgerylog.Open(nil, journal.ReadOptions{}), Logger: zerolog.Nop(), Metrics: []string{address}})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1/servers", nil)
	answer := httptest.NewRecorder()
	w.ServeHTTP(answer, r)
	for _, want := range []string{"tracking: 1 serving", "0 done, 0 failed", "No problem.", "<dt>started</dt>"} {
		if !strings.Contains(answer.Body.String(), want) {
			t.Errorf("the page lacks %q:\n%s", want, answer.Body)
		}
	}
	m := d.metrics(t)
	for _, name := range []string{"nullspfd_events_lost_total", "nullspfd_panics_total", "nullspfd_unsaved_zones", "nullspfd_secondary_zones", "nullspfd_config_good", "nullspfd_build_info"} {
		if !slices.ContainsFunc(slices.Collect(maps.Keys(m)), func(series string) bool { return strings.HasPrefix(series, name) }) {
			t.Errorf("there is no %s", name)
		}
	}
	for _, state := range []string{"pending", "failing", "expired"} {
		if _, ok := m[`nullspfd_secondary_zones{state="`+state+`"}`]; !ok {
			t.Errorf("no secondary zones are counted as %s", state)
		}
	}
}

// evaluate returns the labels of the series that a query finds.
func evaluate(t *testing.T, at netip.AddrPort, query string) (labels []map[string]string) {
	t.Helper()
	r, err := http.Get("http://" + at.String() + "/api/v1/query?query=" + url.QueryEscape(query))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	var answer struct {
		Status, Error string
		Data          struct {
			Result []struct{ Metric map[string]string }
		}
	}
	if err == nil {
		err = json.Unmarshal(body, &answer)
	}
	if err != nil || answer.Status != "success" {
		t.Fatalf("%s: %v %s", query, err, answer.Error)
	}
	for _, series := range answer.Data.Result {
		labels = append(labels, maps.Clone(series.Metric))
	}
	return labels
}
