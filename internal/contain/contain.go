// Package contain keeps a panic of background work from ending a process that
// answers queries: a damaged file or a hostile peer may find a fault that nobody
// has found, and must not find more than that.
package contain

import (
	"fmt"
	"runtime/debug"
)

// Panic is a panic that was contained.
type Panic struct {
	Value any
	// Stack is that of the goroutine.
	Stack []byte
}

// Error implements error.
func (p *Panic) Error() string {
	return fmt.Sprintf("internal error: %v; please report it with the log", p.Value)
}

// Run does work and returns its error, or a [*Panic]. Work that holds a lock gives
// it back by defer. Whoever tries again does so after a pause.
func Run(work func() error) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = &Panic{value, debug.Stack()}
		}
	}()
	return work()
}
