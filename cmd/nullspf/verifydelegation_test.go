package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"nullspf/internal/peers"
)

// TestVerifyDelegation asks a real root server about a site: the outcome as JSON, and
// the bar on a terminal.
func TestVerifyDelegation(t *testing.T) {
	s := newSite(t, false)
	s.serve(t)
	s.parents(t, "127.0.0.11")
	out, err := s.place().run(t.Context(), "nullspf verify --delegation --root 127.0.0.11 --json")
	var found struct {
		Zones, Checked, Parents int
		Findings                []any
	}
	if jsonErr := json.Unmarshal([]byte(out), &found); err != nil || jsonErr != nil || found.Zones != 3 || found.Checked != 3 || found.Parents != 1 || len(found.Findings) > 0 {
		t.Errorf("%v, %v\n%s", err, jsonErr, out)
	}

	var list strings.Builder
	for i := range 20 {
		fmt.Fprintf(&list, "d%d.example\n", i)
	}
	writeText(t, s.dir+"/generic.txt", list.String(), 0o644)
	program, person := peers.Terminal(t)
	var stdout bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "nullspf", "verify", "--delegation", "--root", "127.0.0.11", "--max-time", "1m")
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.dir, &stdout, program
	if err := cmd.Run(); cmd.ProcessState.ExitCode() != 1 {
		t.Fatal(err)
	}
	program.Close()
	shown, err := io.ReadAll(person)
	if err != nil && !errors.Is(err, unix.EIO) { // EIO is the end
		t.Fatal(err)
	}
	if !strings.Contains(string(shown), "delegations") || !strings.Contains(string(shown), "/20") {
		t.Errorf("the terminal shows %q", shown)
	}
	// Twenty zones with equal deviations share an entry.
	if text := stdout.String(); !strings.Contains(text, "and 10 more\n  example  delegated  the zone is not delegated: the name does not exist there\n20 of 20 zones checked at 1 parent") {
		t.Error(text)
	}
}
