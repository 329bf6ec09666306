package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestYieldToServers: all threads of the process have a lower priority. It runs in a process of
// its own, which keeps that priority.
func TestYieldToServers(t *testing.T) {
	const child = "NULLSPF_TEST_YIELD"
	if os.Getenv(child) == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestYieldToServers$", "-test.v")
		cmd.Env = append(os.Environ(), child+"=1")
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: TestYieldToServers") {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	yieldToServers()
	tasks, err := filepath.Glob("/proc/self/task/*/stat")
	if err != nil || len(tasks) == 0 {
		t.Fatal(tasks, err)
	}
	for _, path := range tasks {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // the thread has ended
		}
		_, rest, _ := strings.Cut(string(text), ") ")
		if nice := strings.Fields(rest)[16]; nice != "10" {
			t.Errorf("%s: niceness %s", path, nice)
		}
	}
}
