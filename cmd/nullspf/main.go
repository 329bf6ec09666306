// Command nullspf turns lists of domains that send no mail into zone files,
// server configurations and mail tables, and shows who forges mail from them.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"nullspf/internal/config"
	"nullspf/internal/evidence/blocklist"
	"nullspf/internal/forgerylog"
	"nullspf/internal/value"
	"nullspf/zones"
)

// Exit codes.
const (
	exitDone    = 0
	exitError   = 1
	exitChanges = 2 // plan found changes
	exitRefusal = 3 // a safety limit refused
)

func main() { os.Exit(run()) }

func run() int {
	forgerylog.Brief()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return explain(rootCommand().ExecuteContext(ctx))
}

// statusError is an exit code that needs no message.
type statusError int

func (e statusError) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// explain tells an error and gives its exit code.
func explain(err error) int {
	var status statusError
	var removal *zones.RemovalError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &status):
		return int(status)
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(os.Stderr, "nullspf: interrupted")
		return exitError
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		fmt.Fprintln(os.Stderr, "nullspf: "+value.Visible(line))
	}
	var fault *config.Error
	if errors.As(err, &fault) {
		fmt.Fprintln(os.Stderr, "nullspf: nothing was done; correct the configuration and run again")
	}
	var faults *zones.ListErrors
	if errors.As(err, &faults) {
		fmt.Fprintln(os.Stderr, "nullspf: nothing was written; correct the lists and run again")
	}
	if errors.As(err, &removal) || errors.As(err, new(*blocklist.GrowthError)) {
		return exitRefusal
	}
	return exitError
}
