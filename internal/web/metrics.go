package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"nullspf/internal/control"
	"nullspf/internal/report"
)

const (
	// MaxServers bounds the servers that pages ask.
	MaxServers = 100
	// maxMetrics bounds a page of metrics, in bytes. nullspfd's has some 20 kB.
	maxMetrics = 4 << 20
	// metricsPath is where nullspfd has its metrics.
	metricsPath = "/metrics"
)

// ParseMetrics reads the address of a server's metrics: http://HOST:PORT/metrics, where the
// path may be left out.
func ParseMetrics(text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", fmt.Errorf("%q is no address of metrics; write one such as http://192.0.2.53:9153/metrics, with what stands behind metrics in the Corefile", text)
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = metricsPath
	}
	return u.String(), nil
}

// metricsClient asks for metrics. It follows no redirection: a server says nothing by which
// others would be asked.
var metricsClient = &http.Client{
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	Transport:     &http.Transport{DisableKeepAlives: true, MaxResponseHeaderBytes: 64 << 10},
}

// readMetrics asks a nullspfd for its metrics, and says what they tell.
func readMetrics(ctx context.Context, address string) (*control.Status, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	answer, err := metricsClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s, and no metrics", address, answer.Status)
	}
	s, err := parseMetrics(answer.Body)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", address, err)
	}
	return s, nil
}

// parseMetrics reads metrics in the text format of Prometheus.
func parseMetrics(r io.Reader) (*control.Status, error) {
	body := &io.LimitedReader{R: r, N: maxMetrics + 1}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(body)
	switch {
	case body.N == 0:
		return nil, fmt.Errorf("more than %d bytes, which are no metrics of nullspfd", maxMetrics)
	case err != nil:
		return nil, fmt.Errorf("no metrics: %w", err)
	}
	return statusOf(families)
}

// statusOf is what metrics tell of a nullspfd.
func statusOf(m families) (*control.Status, error) {
	s := new(control.Status)
	m.each("nullspfd_build_info", func(label func(string) string, _ float64) { s.Version = label("version") })
	if s.Version == "" {
		return nil, errors.New("these are metrics of another program, not of nullspfd")
	}
	if t := m.sum("process_start_time_seconds"); t > 0 && t < math.MaxInt32 {
		s.Started = time.Unix(int64(t), 0)
	}
	m.each("nullspfd_reloads_total", func(label func(string) string, n float64) {
		if label("result") == "failed" {
			s.Reloads.Failed += count(n)
		} else {
			s.Reloads.Done += count(n)
		}
	})
	m.each("nullspfd_zones", func(label func(string) string, n float64) {
		if n > 0 {
			s.Zones = append(s.Zones, control.ZoneCount{Kind: control.Kind(visible(label("kind"))), Serving: int(count(n))})
		}
	})
	slices.SortFunc(s.Zones, func(a, b control.ZoneCount) int { return strings.Compare(string(a.Kind), string(b.Kind)) })
	if m["nullspfd_config_good"] != nil && m.sum("nullspfd_config_good") == 0 {
		s.Problems = append(s.Problems, "the last reload failed, and what was loaded before is used")
	}
	for _, p := range []struct{ name, label, value, text string }{
		{"nullspfd_secondary_zones", "state", "pending", "secondary zones wait for their first transfer"},
		{"nullspfd_secondary_zones", "state", "failing", "secondary zones could not be refreshed"},
		{"nullspfd_secondary_zones", "state", "expired", "secondary zones have expired"},
		{"nullspfd_unsaved_zones", "", "", "zones are served, but not on disk"},
		{"nullspfd_events_lost_total", "", "", "events were not stored"},
		{"nullspfd_panics_total", "", "", "faults of background work were contained, which is a bug to report"},
	} {
		n := 0.0
		m.each(p.name, func(label func(string) string, v float64) {
			if p.label == "" || label(p.label) == p.value {
				n += v
			}
		})
		if n > 0 {
			s.Problems = append(s.Problems, report.Digits(count(n))+" "+p.text)
		}
	}
	return s, nil
}

// families are metrics by name.
type families map[string]*dto.MetricFamily

// each calls a function with the values of a metric and their labels.
func (m families) each(name string, yield func(label func(string) string, v float64)) {
	for _, metric := range m[name].GetMetric() {
		label := func(name string) string {
			for _, l := range metric.GetLabel() {
				if l.GetName() == name {
					return l.GetValue()
				}
			}
			return ""
		}
		yield(label, metric.GetCounter().GetValue()+metric.GetGauge().GetValue()+metric.GetUntyped().GetValue())
	}
}

func (m families) sum(name string) (n float64) {
	m.each(name, func(_ func(string) string, v float64) { n += v })
	return n
}

// count is a number of things, whatever a server says.
func count(v float64) uint64 {
	if !(v > 0) {
		return 0
	}
	return uint64(math.Min(v, 1<<53))
}
