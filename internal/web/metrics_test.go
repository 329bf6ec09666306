package web

import (
	"bytes"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// goodMetrics are those of a nullspfd in trouble.
const goodMetrics = `nullspfd_build_info{version="1.2.3<b>"} 1
process_start_time_seconds 1.7636e+09
nullspfd_reloads_total{result="done"} 4
nullspfd_reloads_total{result="failed"} 1
nullspfd_config_good 0
# TYPE nullspfd_zones gauge
nullspfd_zones{kind="tracking"} 1
nullspfd_zones{kind="parked"} 900
nullspfd_zones{kind="dnsbl"} 0
nullspfd_events_lost_total{reason="disk full"} 1200
nullspfd_events_lost_total{reason="stalled"} 34
nullspfd_secondary_zones{state="expired"} 2
nullspfd_secondary_zones{state="served"} 7
nullspfd_unsaved_zones NaN
nullspfd_panics_total{work="smtp"} -1
`

// TestMetrics: a server of another machine is shown by its metrics. Whatever else answers, or
// does not, is an error with what to do, and holds nobody up.
func TestMetrics(t *testing.T) {
	t.Parallel()
	released := make(chan struct{})
	bodies := map[string]string{
		"/good":  goodMetrics,
		"/other": "go_goroutines 5\n",
		"/text":  "<html>\n",
		"/large": "nullspfd_build_info{version=\"1\"} 1\n" + strings.Repeat("# x\n", maxMetrics/4),
	}
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/away":
			http.Redirect(rw, r, "/good", http.StatusFound)
		case "/slow":
			select {
			case <-released:
			case <-r.Context().Done():
			}
		default:
			_, _ = rw.Write([]byte(bodies[r.URL.Path]))
		}
	}))
	defer server.Close()
	defer close(released)
	s := settings(log(t))
	for _, path := range []string{"/good", "/other", "/text", "/large", "/away", "/slow"} {
		s.Metrics = append(s.Metrics, server.URL+path)
	}
	w := pages(t, s)
	slow := len(w.Metrics) - 1
	all := w.Metrics
	w.Metrics = all[:slow]
	list := w.status(t.Context(), 30*time.Second)
	w.Metrics = all[slow:]
	list = append(list, w.status(t.Context(), 50*time.Millisecond)...)
	for i, want := range []string{"", "metrics of another program", "no metrics", "more than 4194304 bytes", "302 Found", "deadline"} {
		if got := list[i].Error; !strings.Contains(got, want) || want == "" && got != "" {
			t.Errorf("%s: %q, want %q", list[i].At, got, want)
		}
	}
	good := list[0]
	problems := strings.Join(good.Problems, "; ")
	if good.Version != "1.2.3<b>" || good.Started.Unix() != 1763600000 || good.Reloads.Done != 4 || good.Reloads.Failed != 1 || good.Counts() != "parked: 900 serving; tracking: 1 serving" ||
		problems != "the last reload failed, and what was loaded before is used; 2 secondary zones have expired; 1,234 events were not stored" {
		t.Errorf("%+v, zones %s, problems %s", good.Status, good.Counts(), problems)
	}
	w.Metrics = all[:2]
	body := get(w, "/servers").Body.String()
	for _, want := range []string{"1.2.3&lt;b&gt;", "1,234 events were not stored", "has the line metrics with this address and port"} {
		if !strings.Contains(body, want) || strings.Contains(body, "listens at") {
			t.Errorf("the page lacks %q:\n%s", want, body)
		}
	}
	for text, want := range map[string]string{
		"http://192.0.2.53:9153": "http://192.0.2.53:9153/metrics", "https://ns1.example.net/m": "https://ns1.example.net/m", "http://[2001:db8::1]:9153/": "http://[2001:db8::1]:9153/metrics",
		"192.0.2.53:9153": "", "file:///etc/passwd": "", "http://a:b@192.0.2.53/": "", "http:///metrics": "", "http://h/?q": "", "": "",
	} {
		if got, err := ParseMetrics(text); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}

// FuzzMetrics: whatever a server says is an error or a state that can be shown.
func FuzzMetrics(f *testing.F) {
	f.Add([]byte(goodMetrics))
	f.Add([]byte("nullspfd_build_info{version=\"1\"} 1\nnullspfd_zones{kind=\"\\n\\\"\\\\\u202e\"} +Inf\n# TYPE nullspfd_reloads_total histogram\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := parseMetrics(bytes.NewReader(text))
		if err != nil {
			return
		}
		if s.Version == "" || s.Started.Unix() > math.MaxInt32 {
			t.Errorf("%+v", s)
		}
		for _, z := range s.Zones {
			if z.Serving <= 0 || strings.ContainsFunc(string(z.Kind), func(r rune) bool { return r < ' ' || r > '~' }) {
				t.Errorf("%+v", z)
			}
		}
	})
}
