package zones

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"nullspf/internal/serial"
)

// killedFiles stands for the server configuration of a set.
func killedFiles(set *Set) []File {
	return []File{{Path: "named/primary.conf", Mode: 0o644, Write: func(w *bufio.Writer, _ uint32) error {
		for i := range set.Entries {
			fmt.Fprintln(w, set.Entries[i].Name)
		}
		return nil
	}}}
}

// killedSet is the set of a generation: text and names differ between two.
func killedSet(t testing.TB, generation int) *Set {
	var list strings.Builder
	for i := range 600 {
		if i%100 != generation%3 {
			fmt.Fprintf(&list, "d%04d.example\n", i)
		}
	}
	set := readSet(t, list.String())
	set.Groups[0].TXT = []string{fmt.Sprintf("generation %d", generation)}
	return set
}

// buildForever names the directory in which the process builds that
// TestKilledAtAnyPoint kills.
const buildForever = "NULLSPF_TEST_BUILD_FOREVER"

// buildFirst has it build in a new directory below that each time.
const buildFirst = "NULLSPF_TEST_BUILD_FIRST"

// TestKilledAtAnyPoint kills builds and checks that each zone file is whole,
// that every zone of the configuration has its file, that serial numbers never
// go back, and that the next run completes the work.
func TestKilledAtAnyPoint(t *testing.T) {
	if dir := os.Getenv(buildForever); dir != "" {
		for generation := 1; ; generation++ {
			if os.Getenv(buildFirst) != "" {
				dir = filepath.Join(os.Getenv(buildForever), strconv.Itoa(generation))
			}
			set := killedSet(t, generation)
			build(t, set, dir, Options{Scheme: Increment}, killedFiles(set)...)
		}
	}
	dir := t.TempDir()
	set := killedSet(t, 0)
	build(t, set, dir, Options{Scheme: Increment}, killedFiles(set)...)
	serials := make(map[string]uint32)
	for round := range 9 {
		killBuild(t, buildForever+"="+dir)
		checkWhole(t, dir, serials)
		if round%3 == 2 {
			set := killedSet(t, round)
			build(t, set, dir, Options{Scheme: Increment}, killedFiles(set)...)
			if faults, err := Audit(context.Background(), dir, nil); err != nil || len(faults) > 0 {
				t.Fatalf("after the next run: %v %v", err, faults)
			}
			checkWhole(t, dir, serials)
			wantChanges(t, build(t, set, dir, Options{Scheme: Increment}, killedFiles(set)...), nil)
		}
	}
}

// killBuild starts a process that builds, with a setting of its environment, and
// kills it.
func killBuild(t *testing.T, env ...string) {
	t.Helper()
	var out bytes.Buffer
	child := exec.Command(os.Args[0], "-test.run=^TestKilledAtAnyPoint$", "-test.timeout=60s")
	child.Env = append(os.Environ(), env...)
	child.Stdout, child.Stderr = &out, &out
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(150*time.Millisecond + time.Duration(rand.IntN(200))*time.Millisecond)
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := child.Wait(); err == nil || strings.Contains(out.String(), "FAIL") {
		t.Fatalf("the build ended by itself: %v\n%s", err, out.String())
	}
}

// TestKilledFirstBuild kills first builds: where there is a configuration, the
// zone files are there, and the next run completes the work.
func TestKilledFirstBuild(t *testing.T) {
	for range 3 {
		top := t.TempDir()
		killBuild(t, buildForever+"="+top, buildFirst+"=1")
		for generation := 1; ; generation++ {
			dir := filepath.Join(top, strconv.Itoa(generation))
			if _, err := os.Stat(dir); err != nil {
				break
			}
			serials := make(map[string]uint32)
			if _, err := os.Stat(filepath.Join(dir, "named", "primary.conf")); err == nil {
				checkWhole(t, dir, serials)
			}
			set := killedSet(t, generation)
			build(t, set, dir, Options{Scheme: Increment}, killedFiles(set)...)
			checkWhole(t, dir, serials)
			if faults, err := Audit(context.Background(), dir, nil); err != nil || len(faults) > 0 {
				t.Fatalf("after the next run: %v %v", err, faults)
			}
		}
	}
}

// checkWhole checks the zone files against the configuration beside them.
func checkWhole(t *testing.T, dir string, serials map[string]uint32) {
	t.Helper()
	for name := range strings.Lines(readFile(t, dir, "named", "primary.conf")) {
		name = strings.TrimSpace(name)
		text := []byte(readFile(t, dir, "zones", name+".zone"))
		now, _, _, ok := findSerial(text)
		rrs, err := parseZone(bytes.NewReader(text), name, filepath.Join(dir, name))
		if !ok || err != nil || len(rrs) < 10 || text[len(text)-1] != '\n' {
			t.Fatalf("%s is not whole: %v\n%s", name, err, text)
		}
		if old := serials[name]; old != 0 && now != old && !serial.Greater(now, old) {
			t.Fatalf("%s went from serial %d to %d", name, old, now)
		}
		serials[name] = now
	}
}
