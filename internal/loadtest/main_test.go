package loadtest

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"nullspf/internal/peers"
)

// program is the path of nullspfd.
var program string

func TestMain(m *testing.M) {
	os.Exit(peers.Isolated(func() int {
		dir, err := os.MkdirTemp("", "loadtest")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		if raceDetector {
			os.Setenv("GOFLAGS", os.Getenv("GOFLAGS")+" -race")
			os.Setenv("GORACE", "halt_on_error=1")
		}
		if program, err = peers.BuildNullspfd(context.Background(), dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return m.Run()
	}))
}

// slower divides a rate of queries by what the race detector costs.
func slower(rate int) int {
	if raceDetector {
		return rate / 5
	}
	return rate
}

// waitFor polls a condition until it holds, and fails the test with what
// problem says then.
func waitFor(t *testing.T, timeout time.Duration, condition func() bool, problem func() string) {
	t.Helper()
	for end := time.Now().Add(timeout); !condition(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal(problem())
		}
	}
}
