package web

import (
	"bufio"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"nullspf/internal/eventrow"
	"nullspf/internal/forgerylog"
)

// large is an engine over more events than can be counted in a moment.
type large struct {
	forgerylog.Engine
	total uint64
	// held: charts wait until it is closed.
	held chan struct{}
	mu   sync.Mutex
	// drawn is when the last chart was there, ranked when the first ranking was asked for.
	drawn, ranked time.Time
	rankings      int
}

func (e *large) Timeline(_ context.Context, _ forgerylog.Query, per forgerylog.Unit) (*forgerylog.Series, error) {
	<-e.held
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.rankings == 0 {
		e.drawn = time.Now()
	}
	return &forgerylog.Series{Per: per, Total: e.total}, nil
}

func (e *large) Top(_ context.Context, _ forgerylog.Query, by forgerylog.Field, _ int) (*forgerylog.Ranking, error) {
	e.mu.Lock()
	if e.rankings++; e.rankings == 1 {
		e.ranked = time.Now()
	}
	e.mu.Unlock()
	time.Sleep(100 * time.Millisecond) // so that answers last
	return &forgerylog.Ranking{By: by, Ranks: []forgerylog.Rank{{Value: "x.example", Count: 7}}}, nil
}

func (e *large) Events(context.Context, forgerylog.Query, int, func(*eventrow.Row) error) error {
	return nil
}

// TestChartIsPaintedFirst: where counting takes all processors for seconds, a browser gets time to show the chart,
// unless the answers are known.
func TestChartIsPaintedFirst(t *testing.T) {
	t.Parallel()
	e := &large{total: manyEvents, held: make(chan struct{})}
	close(e.held)
	w := pages(t, Settings{Engine: e, Logger: zerolog.Nop()})
	ask := func() {
		t.Helper()
		if answer := get(w, "/?domain=x"); answer.Code != http.StatusOK || !strings.Contains(answer.Body.String(), "x.example") {
			t.Errorf("%d\n%s", answer.Code, answer.Body)
		}
	}
	ask()
	if had := e.ranked.Sub(e.drawn); had < painting {
		t.Errorf("the chart had %v", had)
	}
	asked := e.rankings
	if ask(); e.rankings != asked {
		t.Error("asked again")
	}
}

// TestTopOfAPage: what a browser loads comes before anything is known, the top of the page without waiting
// long for the chart.
func TestTopOfAPage(t *testing.T) {
	t.Parallel()
	e := &large{held: make(chan struct{})}
	s := httptest.NewServer(pages(t, Settings{Engine: e, Logger: zerolog.Nop()}))
	defer s.Close()
	began := time.Now()
	answer, err := s.Client().Get(s.URL + "/?domain=x")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	in := bufio.NewReader(answer.Body)
	// until reads up to a text, without others.
	until := func(text string, others ...string) {
		t.Helper()
		var read strings.Builder
		for !strings.Contains(read.String(), text) {
			b, err := in.ReadByte()
			if err != nil {
				t.Fatalf("no %s in\n%s", text, read.String())
			}
			read.WriteByte(b)
		}
		for _, other := range others {
			if strings.Contains(read.String(), other) {
				t.Errorf("%s comes before %s", other, text)
			}
		}
	}
	until("/static/script.js", "<h1")
	until("Counting", "h-chart")
	if waited := time.Since(began); waited < together {
		t.Errorf("the top of the page came after %v", waited)
	}
	close(e.held)
	until("h-chart")
	until("x.example")
	until("</html>")
}
