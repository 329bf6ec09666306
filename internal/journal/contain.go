package journal

import (
	"fmt"
	"runtime/debug"
	"sync"
	"time"
)

// panicError is a panic of background work that was contained.
type panicError struct{ value any }

func (e *panicError) Error() string { return fmt.Sprintf("internal error: %v", e.value) }

// guard keeps a panic of background work from ending the process, which answers
// queries.
type guard struct {
	mu     sync.Mutex
	panics uint64
	logged time.Time
}

// panicLogEvery bounds how often a panic is logged; each is counted.
const panicLogEvery = time.Minute

// contain does work and turns a panic into an error. Whoever calls it tries again
// after a pause.
func (j *Journal) contain(what string, work func() error) (err error) {
	defer func() {
		value := recover()
		if value == nil {
			return
		}
		err = &panicError{value}
		g := &j.guard
		g.mu.Lock()
		g.panics++
		log := g.logged.IsZero() || time.Since(g.logged) >= panicLogEvery
		if log {
			g.logged = time.Now()
		}
		g.mu.Unlock()
		if log {
			j.log.Error().Str("work", what).Err(err).Bytes("stack", debug.Stack()).
				Msg("background work of the journal failed and will be tried again; queries are still answered; please report this")
		}
	}()
	return work()
}

func (g *guard) count() uint64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.panics
}
