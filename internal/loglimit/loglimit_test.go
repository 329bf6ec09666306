package loglimit

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

// lines is a log.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) count(part string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), part)
}

func TestHook(t *testing.T) {
	out := new(lines)
	base := zerolog.New(out)
	h := newHook(base, 500*time.Millisecond)
	log := base.Hook(h).With().Str("listen", "::1").Logger()
	for i := range 1000 {
		log.Error().Int("i", i).Msg("often")
		log.Info().Msg("an answer to an operator")
	}
	log.Warn().Msg("seldom")
	if got := out.count(`"often"`); got != Most {
		t.Errorf("%d lines of one kind, want %d", got, Most)
	}
	if out.count("operator") != 1000 || out.count(`"seldom"`) != 1 {
		t.Error("lines of other kinds are missing")
	}
	for i := range 10 * maxKinds {
		log.Warn().Msg(fmt.Sprint("kind ", i))
	}
	if got := out.count("kind "); got > maxKinds+Most {
		t.Errorf("%d lines of different kinds", got)
	}
	const summary = `{"level":"error","like":"often","lines":990,"message":"further lines of one kind were left out"}`
	// While the table is full, a kind without a place in it counts among the others.
	for deadline := time.Now().Add(10 * time.Second); out.count(summary) == 0 || out.count(`"like":"lines of other kinds"`) == 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no %s, or none of other kinds, in\n%s", summary, out.text.String())
		}
	}
	log.Error().Msg("often")
	if got := out.count(`"message":"often"`); got != Most+1 {
		t.Errorf("%d lines after the window, want %d", got, Most+1)
	}
}
