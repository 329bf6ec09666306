// Package torture gives long tests their time, their seed, and a place for their
// counts and figures. Such a test is a scenario: it runs for a moment under "make
// test", and for a share of TORTURE=10m under "make torture", which prints all
// scenarios as a table.
//
//	func TestKill(t *testing.T) {
//		r := torture.Start(t, 0)
//		for r.More(3) {
//			kill(t, r.Rand)
//			r.Count("kills", 1)
//		}
//	}
//
// All that is random comes from the seed, so that TORTURE_SEED repeats a failure.
package torture

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// The variables of the environment by which "make torture" asks for a run.
const (
	// TimeVariable is how long each test takes, as a duration.
	TimeVariable = "TORTURE_TIME"
	// SeedVariable is the seed, a number. Without it, each run has another one.
	SeedVariable = "TORTURE_SEED"
	// ResultVariable is a file to which each test appends its [Result].
	ResultVariable = "TORTURE_RESULT"
)

// TB is the part of testing.TB that this package uses.
type TB interface {
	Helper()
	Name() string
	Cleanup(func())
	Context() context.Context
	Fatalf(format string, args ...any)
	Logf(format string, args ...any)
	Failed() bool
}

// Asked reports whether "make torture" asks for a long run.
func Asked() bool { return os.Getenv(TimeVariable) != "" }

// Result is what a test has counted and measured.
type Result struct {
	Test    string
	Seed    uint64
	Counts  []Count
	Figures []Figure
}

// Count is how often something was done.
type Count struct {
	What string
	N    int
}

// Figure is something measured.
type Figure struct{ What, Value string }

// Run is one run of a test.
type Run struct {
	// Rand is for the goroutine of the test; see [Run.Fork].
	Rand   *rand.Rand
	t      TB
	end    time.Time
	rounds int
	*record
}

// record is what a run and its parts have in common.
type record struct {
	mu     sync.Mutex
	result Result
}

// Start begins a run, which lasts for a short time unless "make torture" asks for a
// longer one.
func Start(t TB, short time.Duration) *Run {
	t.Helper()
	r := &Run{t: t, record: &record{result: Result{Test: t.Name(), Seed: rand.Uint64() >> 1}}}
	lasts := short
	var err error
	if text := os.Getenv(TimeVariable); text != "" {
		if lasts, err = time.ParseDuration(text); err != nil {
			t.Fatalf("%s: %v", TimeVariable, err)
		}
	}
	if text := os.Getenv(SeedVariable); text != "" {
		if r.result.Seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("%s: %v", SeedVariable, err)
		}
	}
	r.Rand = r.Fork(0)
	r.end = time.Now().Add(lasts)
	t.Cleanup(r.finish)
	return r
}

// Part returns a run for a subtest that takes the n-th part of the time that is left.
// It counts with the run.
func (r *Run) Part(t TB, n int) *Run {
	return &Run{Rand: r.Rand, t: t, end: time.Now().Add(r.Left() / time.Duration(n)), record: r.record}
}

// Fork returns the random numbers of a goroutine, or of a subject, by its number.
func (r *Run) Fork(number uint64) *rand.Rand { return rand.New(rand.NewPCG(r.result.Seed, number)) }

// Left is how much of the time is left.
func (r *Run) Left() time.Duration { return time.Until(r.end) }

// More reports whether there is another round: as long as there is time, and at
// least as often as said, which is once when "make torture" says how long the test
// takes. After a failure there is none.
func (r *Run) More(least int) bool {
	if Asked() {
		least = 1
	}
	r.rounds++
	return !r.t.Failed() && r.t.Context().Err() == nil && (r.rounds <= least || r.Left() > 0)
}

// Count adds to a count.
func (r *Run) Count(what string, n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.IndexFunc(r.result.Counts, func(c Count) bool { return c.What == what })
	if i < 0 {
		i = len(r.result.Counts)
		r.result.Counts = append(r.result.Counts, Count{What: what})
	}
	r.result.Counts[i].N += n
}

// Figure sets a figure.
func (r *Run) Figure(what, format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f := Figure{what, fmt.Sprintf(format, args...)}
	if i := slices.IndexFunc(r.result.Figures, func(old Figure) bool { return old.What == what }); i >= 0 {
		r.result.Figures[i] = f
		return
	}
	r.result.Figures = append(r.result.Figures, f)
}

// String shows counts and figures in one line.
func (r Result) String() string {
	var parts []string
	for _, c := range r.Counts {
		parts = append(parts, fmt.Sprintf("%s %s", grouped(c.N), c.What))
	}
	for _, f := range r.Figures {
		parts = append(parts, f.What+" "+f.Value)
	}
	return cmp.Or(strings.Join(parts, "; "), "nothing was counted")
}

// grouped writes a number with commas.
func grouped(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// finish tells the result.
func (r *Run) finish() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.t.Logf("%s (%s=%d)", r.result, SeedVariable, r.result.Seed)
	path := os.Getenv(ResultVariable)
	if path == "" {
		return
	}
	line, err := json.Marshal(r.result)
	if err == nil {
		err = appendLine(path, line)
	}
	if err != nil {
		r.t.Logf("the result is lost: %v", err)
	}
}

func appendLine(path string, line []byte) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(line, '\n'))
	return errors.Join(err, f.Close())
}
