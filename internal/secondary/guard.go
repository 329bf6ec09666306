package secondary

import (
	"errors"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"nullspf/internal/contain"
)

// guard contains panics of background work: it counts each, and logs one a
// minute.
type guard struct {
	log   zerolog.Logger
	clock *clock

	mu     sync.Mutex
	panics uint64
	logged instant
}

// run does work and turns a panic into an error.
func (g *guard) run(what string, work func() error) error {
	err := contain.Run(work)
	var p *contain.Panic
	if !errors.As(err, &p) {
		return err
	}
	now := g.clock.now()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.panics++
	if g.logged == 0 || now.sub(g.logged) >= time.Minute {
		g.logged = now
		g.log.Error().Err(err).Str("work", what).Bytes("stack", p.Stack).
			Msg("background work on secondary zones failed; zones are served all the same, and it is tried again")
	}
	return err
}

func (g *guard) count() uint64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.panics
}
