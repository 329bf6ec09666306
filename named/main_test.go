package named

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"

	"nullspf/internal/peers"
)

// compiled is a directory for what the tests compile.
var compiled string

// nullspfd compiles the program once.
var nullspfd = sync.OnceValues(func() (string, error) { return peers.BuildNullspfd(context.Background(), compiled) })

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "named")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	compiled = dir
	code := m.Run()
	if err := os.RemoveAll(dir); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}
