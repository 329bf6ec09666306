// Package loglimit keeps a log readable when one thing goes wrong very often.
package loglimit

import (
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// Of each kind of line, Most are written in each Window.
const (
	Most   = 10
	Window = 10 * time.Second
)

// maxKinds bounds the memory: lines of further kinds count as one kind.
const maxKinds = 256

// Hook leaves out warnings and errors of one kind, which have the same message,
// beyond Most in a Window, and writes how many it left out when that is over.
// What zerolog's samplers drop is counted nowhere.
type Hook struct {
	log    zerolog.Logger
	window time.Duration

	mu    sync.Mutex
	kinds map[string]int
}

// New returns a hook for loggers that are derived from a logger, which has to be
// without it.
func New(log zerolog.Logger) *Hook { return newHook(log, Window) }

func newHook(log zerolog.Logger, window time.Duration) *Hook {
	return &Hook{log: log, window: window, kinds: make(map[string]int)}
}

// Run implements [zerolog.Hook].
func (h *Hook) Run(e *zerolog.Event, level zerolog.Level, message string) {
	if level != zerolog.WarnLevel && level != zerolog.ErrorLevel {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, ok := h.kinds[message]; !ok && len(h.kinds) >= maxKinds {
		message = "lines of other kinds"
	}
	if h.kinds[message] == 0 {
		time.AfterFunc(h.window, func() { h.end(message, level) })
	}
	h.kinds[message]++
	if h.kinds[message] > Most {
		e.Discard()
	}
}

// end ends the window of a kind.
func (h *Hook) end(message string, level zerolog.Level) {
	h.mu.Lock()
	n := h.kinds[message]
	delete(h.kinds, message)
	h.mu.Unlock()
	if n > Most {
		h.log.WithLevel(level).Str("like", message).Int("lines", n-Most).Msg("further lines of one kind were left out")
	}
}
