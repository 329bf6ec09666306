package torture

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestRun: rounds, time, seed and results of a run that is asked for, and of one
// that is not.
func TestRun(t *testing.T) {
	run := func(t *testing.T, short time.Duration, least int) (rounds int, first uint64) {
		r := Start(t, short)
		for r.More(least) {
			if rounds++; rounds == 1 {
				first = r.Rand.Uint64()
			}
			r.Count("rounds", 1)
			r.Figure("slowest", "%d ms", 2)
			time.Sleep(time.Millisecond)
		}
		return rounds, first
	}
	t.Setenv(TimeVariable, "")
	t.Setenv(SeedVariable, "")
	path := filepath.Join(t.TempDir(), "results")
	t.Setenv(ResultVariable, path)
	if n, _ := run(t, 0, 3); n != 3 || Asked() {
		t.Errorf("%d rounds of 3", n)
	}
	t.Run("asked", func(t *testing.T) {
		t.Setenv(TimeVariable, "20ms")
		t.Setenv(SeedVariable, "7")
		n, first := run(t, 0, 1000)
		if _, again := run(t, time.Hour, 1); n < 2 || n > 25 || first != again || !Asked() {
			t.Errorf("%d rounds, first numbers %d and %d", n, first, again)
		}
	})
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := 0
	for s := bufio.NewScanner(f); s.Scan(); lines++ {
		var r Result
		if err := json.Unmarshal(s.Bytes(), &r); err != nil || r.Test != "TestRun/asked" || r.Seed != 7 {
			t.Errorf("%s: %v", s.Text(), err)
		}
	}
	if lines != 2 {
		t.Errorf("%d results of what has ended", lines)
	}
}

func TestResult(t *testing.T) {
	r := Result{Counts: []Count{{"queries", 1234567}, {"kills", 12}}, Figures: []Figure{{"slowest", "3 ms"}}}
	if got, want := r.String(), "1,234,567 queries; 12 kills; slowest 3 ms"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
