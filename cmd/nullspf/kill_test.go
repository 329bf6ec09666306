package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"nullspf/internal/peers"
)

// TestKilledBuildsLoad kills the program while it builds and has BIND load
// what is there.
func TestKilledBuildsLoad(t *testing.T) {
	peers.Require(t, "named-checkconf")
	checkconf, err := peers.Program("named-checkconf")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	generation := 0
	configure := func() {
		generation++
		var list strings.Builder
		for i := range 800 {
			if i%80 != generation%7 {
				fmt.Fprintf(&list, "d%04d.example\n", i)
			}
		}
		config := fmt.Sprintf("nameservers: [ns1.example.net]\nsoa: {rname: hostmaster.example.net}\n"+
			"groups: {generic: {list: list.txt, txt: generation %d}}\n", generation)
		for name, text := range map[string]string{"nullspf.yaml": config, "list.txt": list.String()} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	program := func() *exec.Cmd {
		cmd := exec.Command(os.Args[0], "zones", "-c", filepath.Join(dir, "nullspf.yaml"))
		cmd.Args[0] = "nullspf"
		return cmd
	}
	load := func(when string) {
		t.Helper()
		out, err := exec.Command(checkconf, "-z", filepath.Join(dir, "build", "named", "primary.conf")).CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", when, err, out)
		}
		if n := bytes.Count(out, []byte(": loaded serial ")); n < 700 {
			t.Fatalf("%s: %d zones were loaded", when, n)
		}
	}
	configure()
	start := time.Now()
	if out, err := program().CombinedOutput(); err != nil {
		t.Fatal(err, string(out))
	}
	took := time.Since(start)
	load("after the first build")
	killed := 0
	for round := range 15 {
		configure()
		cmd := program()
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(rand.Int64N(int64(took))))
		_ = cmd.Process.Kill()
		if cmd.Wait() != nil {
			killed++
		}
		load(fmt.Sprintf("after round %d", round))
	}
	if killed == 0 {
		t.Error("no run was killed in time")
	}
	if out, err := program().CombinedOutput(); err != nil {
		t.Fatal(err, string(out))
	}
	load("after the last run")
	if out, err := program().CombinedOutput(); err != nil || !strings.Contains(string(out), "nothing changed") {
		t.Fatal(err, string(out))
	}
}
