package main

import (
	"net/netip"
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"nullspf/internal/peers"
)

func TestMain(m *testing.M) {
	testscript.Main(isolated{m}, map[string]func(){"nullspf": func() { os.Exit(run()) }, "logfixture": logFixture, "nullspfd": runNullspfd})
}

// TestScripts runs the command as an operator would: one file a behaviour.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			// 2026-11-20 12:00 UTC
			e.Setenv("SOURCE_DATE_EPOCH", "1795176000")
			endpoint, err := peers.FreePort(netip.MustParseAddr("127.0.0.1"))
			e.Setenv("ENDPOINT", endpoint.String())
			return err
		},
		Cmds:                map[string]func(*testscript.TestScript, bool, []string){"answering": answering, "served": served, "listed": listed},
		RequireExplicitExec: true,
	})
}
