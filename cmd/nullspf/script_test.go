package main

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"nullspf": func() { os.Exit(run()) }, "logfixture": logFixture})
}

// TestScripts runs the command as an operator would: one file a behaviour.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			// 2026-11-20 12:00 UTC
			e.Setenv("SOURCE_DATE_EPOCH", "1795176000")
			return nil
		},
		RequireExplicitExec: true,
	})
}
