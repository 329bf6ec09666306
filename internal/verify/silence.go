package verify

import (
	"fmt"
	"sync"
	"sync/atomic"
)

// minSilence is the least number of zones, one after the other, without an
// answer after which a server is given up.
const minSilence = 5

// silence distinguishes a server that does not answer from one that loses a
// query: it holds back the zones without an answer until another zone gets one. It is safe for concurrent use.
type silence struct {
	limit int
	// over is set when the server is given up.
	over atomic.Bool

	waiting atomic.Int64 // len(zones)
	mu      sync.Mutex
	zones   []silentZone
	err     error // the last one
}

type silentZone struct {
	index int
	err   error
}

// silent notes a zone without an answer.
func (q *silence) silent(index int, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.zones = append(q.zones, silentZone{index, err})
	q.waiting.Store(int64(len(q.zones)))
	q.err = err
	if len(q.zones) >= q.limit {
		q.over.Store(true)
	}
}

// heard notes an answer and returns the zones that were held back until then. After
// the server was given up, there are none: it is reported as a whole.
func (q *silence) heard() []silentZone {
	if q.waiting.Load() == 0 {
		return nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.over.Load() {
		return nil
	}
	zones := q.zones
	q.zones = nil
	q.waiting.Store(0)
	return zones
}

// giveUp stops the queries to a server that cannot be reached.
func (q *silence) giveUp(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.err = err
	q.over.Store(true)
}

// reason says why a server was given up.
func (q *silence) reason() string {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.zones) == 0 {
		return q.err.Error()
	}
	return fmt.Sprintf("%v, for %s in a row", q.err, count(len(q.zones), "zone"))
}
