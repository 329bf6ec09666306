package web

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"sync"
	"time"

	"nullspf/internal/contain"
	"nullspf/internal/eventrow"
	"nullspf/internal/forgerylog"
)

// A question about a hundred million events takes seconds, so that what several viewers ask
// is asked once, and what was answered is remembered for a while:
//
//	filter ──> moment: the time of which all numbers are
//	               answer: chart     ── running, viewers wait
//	               answer: clients   ── known
//	               ...
//
// A moment lasts the longer, the more its answers cost, so that viewers who look at the same
// thing take a small part of the machine's time only. Pages say of what time they are. A
// question that nobody waits for any more is cancelled.

const (
	// running questions at once; others wait for their turn, for patience at most.
	running  = 3
	patience = 20 * time.Second
	// longest is how long a question may take.
	longest = 2 * time.Minute
	// A moment lasts worth times as long as its answers took, longestMoment at most.
	worth         = 20
	longestMoment = 10 * time.Minute
	// unasked is how long it lasts before it is asked anything.
	unasked = time.Second
	// moments and remembered, in bytes, bound what is remembered.
	moments    = 1000
	remembered = 32 << 20
)

var errBusy = errors.New("other questions take all of the machine's time; try again in a moment, or ask about a shorter period")

// memory remembers answers of an engine.
type memory struct {
	engine forgerylog.Engine
	now    func() time.Time
	turns  chan struct{}

	mu      sync.Mutex
	moments map[string]*moment
	// size is about how many bytes all answers take.
	size int
}

func newMemory(engine forgerylog.Engine, now func() time.Time) *memory {
	return &memory{engine: engine, now: now, turns: make(chan struct{}, running), moments: make(map[string]*moment)}
}

// moment is a time, and the answers of that time to questions about a filter. It is an
// engine for those who want them.
type moment struct {
	// Engine answers what is not remembered.
	forgerylog.Engine
	memory *memory
	// at is the time.
	at time.Time

	// The mutex of the memory guards the rest. began is when it began, used when it was
	// used last.
	began, used time.Time
	// cost is how long its answers took.
	cost    time.Duration
	answers map[string]*answer
	running int
	size    int
}

// answer is what a question gives, once done is closed.
type answer struct {
	done  chan struct{}
	value any
	err   error
	// waiting viewers, of which the last cancels the question.
	waiting int
	cancel  context.CancelFunc
}

// at returns the moment of a filter; fresh: a new one.
func (m *memory) at(filter string, fresh bool) *moment {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	if o := m.moments[filter]; o != nil {
		if !fresh && !o.over(now) {
			o.used = now
			return o
		}
		m.forget(filter, o)
	}
	o := &moment{Engine: m.engine, memory: m, at: m.now(), began: now, used: now, answers: make(map[string]*answer)}
	m.moments[filter] = o
	m.shrink()
	return o
}

func (o *moment) over(now time.Time) bool {
	lasts := min(worth*o.cost, longestMoment)
	if len(o.answers) == 0 {
		// Viewers who come at the same time get the same one, whoever asks first.
		lasts = max(lasts, unasked)
	}
	return o.running == 0 && now.Sub(o.began) > lasts
}

func (m *memory) forget(filter string, o *moment) {
	m.size -= o.size
	o.size = math.MinInt / 2 // what is answered later does not count
	delete(m.moments, filter)
}

// shrink forgets what was not used for the longest time until the rest fits.
func (m *memory) shrink() {
	for m.size > remembered || len(m.moments) > moments {
		oldest := ""
		for filter, o := range m.moments {
			if first := m.moments[oldest]; first == nil || o.used.Before(first.used) {
				oldest = filter
			}
		}
		m.forget(oldest, m.moments[oldest])
	}
}

// turn waits until a question may run, and returns what ends it.
func (m *memory) turn(ctx context.Context) (func(), error) {
	wait := time.NewTimer(patience)
	defer wait.Stop()
	select {
	case m.turns <- struct{}{}:
		return func() { <-m.turns }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-wait.C:
		return nil, errBusy
	}
}

// remember returns the answer to the question called name, of which size tells about how many
// bytes it takes. It is shared: nobody may change it. ctx is that of who waits for it.
func remember[V any](ctx context.Context, o *moment, name string, size func(V) int, ask func(context.Context) (V, error)) (V, error) {
	m := o.memory
	m.mu.Lock()
	a := o.answers[name]
	if a == nil {
		a = &answer{done: make(chan struct{})}
		o.answers[name] = a
		o.running++
		var asking context.Context
		asking, a.cancel = context.WithTimeout(context.WithoutCancel(ctx), longest)
		go o.run(a, name, func() (int, error) {
			value, err := ask(asking)
			a.value = value
			return size(value), err
		}, asking)
	}
	a.waiting++
	m.mu.Unlock()

	var none V
	select {
	case <-a.done:
	case <-ctx.Done():
	}
	m.mu.Lock()
	if a.waiting--; a.waiting == 0 {
		a.cancel()
		select {
		case <-a.done:
		default:
			// Whoever asks next must not get the answer that was cancelled.
			if o.answers[name] == a {
				delete(o.answers, name)
			}
		}
	}
	m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return none, err
	}
	value, _ := a.value.(V)
	return value, a.err
}

// run asks, in a goroutine of its own.
func (o *moment) run(a *answer, name string, ask func() (int, error), ctx context.Context) {
	m := o.memory
	size := 0
	took := time.Duration(0)
	err := contain.Run(func() error {
		done, err := m.turn(ctx)
		if err != nil {
			return err
		}
		defer done()
		began := time.Now()
		size, err = ask()
		took = time.Since(began)
		return err
	})
	if errors.Is(err, context.DeadlineExceeded) {
		err = errBusy
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	a.err = err
	o.running--
	o.cost += took
	switch {
	case err == nil || errors.As(err, new(*forgerylog.Incomplete)):
		if size += len(name); o.size >= 0 {
			o.size += size
			m.size += size
			m.shrink()
		}
	case o.answers[name] == a:
		delete(o.answers, name)
	}
	close(a.done)
}

// name is what a question is called.
func name(question string, q forgerylog.Query, more ...any) string {
	return fmt.Sprintf("%s %+v %v", question, q, more)
}

// Top implements [forgerylog.Engine]. A page with few values and a list with more share an
// answer.
func (o *moment) Top(ctx context.Context, q forgerylog.Query, by forgerylog.Field, n int) (*forgerylog.Ranking, error) {
	least := max(n, listed)
	r, err := remember(ctx, o, nameOfTop(q, by, least), sizeOfRanking, func(ctx context.Context) (*forgerylog.Ranking, error) {
		return o.Engine.Top(ctx, q, by, least)
	})
	return firstRanks(r, n), err
}

func nameOfTop(q forgerylog.Query, by forgerylog.Field, n int) string { return name("top", q, by, n) }

// ranked reports whether the ranking of a page is known, or on its way.
func (o *moment) ranked(q forgerylog.Query, by forgerylog.Field) bool {
	o.memory.mu.Lock()
	defer o.memory.mu.Unlock()
	return o.answers[nameOfTop(q, by, listed)] != nil
}

// Newcomers implements [forgerylog.Engine].
func (o *moment) Newcomers(ctx context.Context, q forgerylog.Query, by forgerylog.Field, n int) (*forgerylog.Ranking, error) {
	least := max(n, listed)
	r, err := remember(ctx, o, name("new", q, by, least), sizeOfRanking, func(ctx context.Context) (*forgerylog.Ranking, error) {
		return o.Engine.Newcomers(ctx, q, by, least)
	})
	return firstRanks(r, n), err
}

// firstRanks is a ranking of the first n values.
func firstRanks(r *forgerylog.Ranking, n int) *forgerylog.Ranking {
	if r == nil {
		return nil
	}
	first := *r
	first.Ranks = r.Ranks[:min(n, len(r.Ranks)):min(n, len(r.Ranks))]
	return &first
}

func sizeOfRanking(r *forgerylog.Ranking) int {
	n := 128
	if r != nil {
		for _, k := range r.Ranks {
			n += len(k.Value) + 24
		}
	}
	return n
}

// Timeline implements [forgerylog.Engine].
func (o *moment) Timeline(ctx context.Context, q forgerylog.Query, per forgerylog.Unit) (*forgerylog.Series, error) {
	return remember(ctx, o, name("timeline", q, per), func(s *forgerylog.Series) int {
		if s == nil {
			return 0
		}
		return 128 + 16*len(s.Buckets)
	}, func(ctx context.Context) (*forgerylog.Series, error) { return o.Engine.Timeline(ctx, q, per) })
}

// Profiles implements [forgerylog.Engine].
func (o *moment) Profiles(ctx context.Context, q forgerylog.Query) ([]forgerylog.Profile, error) {
	return remember(ctx, o, name("profiles", q), func(list []forgerylog.Profile) (n int) {
		for i := range list {
			n += 128 + 64*(len(list[i].Domains)+len(list[i].Receivers))
		}
		return n
	}, func(ctx context.Context) ([]forgerylog.Profile, error) { return o.Engine.Profiles(ctx, q) })
}

// Stats implements [forgerylog.Engine].
func (o *moment) Stats(ctx context.Context) ([]forgerylog.JournalStats, error) {
	return remember(ctx, o, "stats", func(list []forgerylog.JournalStats) int { return 1024 * len(list) }, o.Engine.Stats)
}

// Events implements [forgerylog.Engine].
func (o *moment) Events(ctx context.Context, q forgerylog.Query, limit int, yield func(*eventrow.Row) error) error {
	rows, err := remember(ctx, o, name("events", q, limit), sizeOfRows, func(ctx context.Context) (rows []eventrow.Row, err error) {
		err = o.Engine.Events(ctx, q, limit, func(r *eventrow.Row) error {
			rows = append(rows, r.Clone())
			return nil
		})
		return rows, err
	})
	for i := range rows {
		if e := yield(&rows[i]); e != nil {
			return e
		}
	}
	return err
}

func sizeOfRows(rows []eventrow.Row) int { return 1024 * len(rows) }

// tiers remembers what tells the tiers of clients.
func (o *moment) tiers(ctx context.Context, of func(context.Context, []netip.Addr) (map[netip.Addr]string, error), clients []netip.Addr) (map[netip.Addr]string, error) {
	return remember(ctx, o, fmt.Sprint("tiers ", clients), func(m map[netip.Addr]string) int { return 64 * len(m) },
		func(ctx context.Context) (map[netip.Addr]string, error) { return of(ctx, clients) })
}
