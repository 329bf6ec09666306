package main

import (
	"bytes"
	"path/filepath"
	"testing"
)

// TestExamplesBuild builds every example configuration as it is.
func TestExamplesBuild(t *testing.T) {
	files, err := filepath.Glob("../../examples/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal("no examples", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			var out bytes.Buffer
			root := rootCommand()
			root.SetArgs([]string{"zones", "-c", file, "-o", t.TempDir()})
			root.SetOut(&out)
			if err := root.ExecuteContext(t.Context()); err != nil {
				t.Error(err, out.String())
			}
		})
	}
}
