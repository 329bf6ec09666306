package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nullspf/internal/forgerylog"
	"nullspf/internal/journal"
)

// memoryOfProgram limits the memory of the program, in bytes.
const memoryOfProgram = "NULLSPFD_TEST_MEMORY"

func limitMemory() {
	n, err := strconv.ParseUint(os.Getenv(memoryOfProgram), 10, 64)
	if err != nil {
		return
	}
	if err := unix.Setrlimit(unix.RLIMIT_DATA, &unix.Rlimit{Cur: n, Max: n}); err != nil {
		panic(err)
	}
}

// TestDamagedJournal changes a bit of each file of a journal, in the footer of a
// segment above all: with 1 GB of memory, nullspfd starts, answers, stores what it
// answers, and stops.
func TestDamagedJournal(t *testing.T) {
	const source = "../../internal/forgerylog/testdata/version1"
	t.Setenv(memoryOfProgram, strconv.Itoa(1<<30))
	paths, err := filepath.Glob(source + "/seg/*/*")
	if err != nil || len(paths) != 3 {
		t.Fatal(paths, err)
	}
	newest := paths[2]
	info, err := os.Stat(newest)
	if err != nil {
		t.Fatal(err)
	}
	type damage struct {
		path string
		at   int64
		bit  int
	}
	damages := []damage{{source + "/MANIFEST", 60, 2}, {newest, 100, 3}, {newest, info.Size() - 6, 6}}
	for at := info.Size() - 1500; at < info.Size()-8; at += 251 {
		damages = append(damages, damage{newest, at, 6})
	}
	for _, d := range damages {
		t.Run(fmt.Sprintf("%s-%d", filepath.Base(d.path), d.at), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path := writeFile(t, filepath.Join(dir, "Corefile"), fmt.Sprintf(corefileText, "x", "127.0.0.1:0"))
			if err := os.CopyFS(filepath.Join(dir, "var"), os.DirFS(source)); err != nil {
				t.Fatal(err)
			}
			rel, err := filepath.Rel(source, d.path)
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(dir, "var", rel)
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			data[d.at] ^= 1 << d.bit
			if err := os.WriteFile(file, data, 0o640); err != nil {
				t.Fatal(err)
			}
			p := start(t, dir, "-conf", path)
			at := p.wait(t, "ready", 1)["listen"].([]any)[0].(string)
			deadline := time.Now().Add(time.Second)
			for time.Now().Before(deadline) {
				if got := explanation(t, at); got != "x" {
					t.Fatalf("answer %q", got)
				}
				time.Sleep(20 * time.Millisecond)
			}
			p.signal(t, syscall.SIGTERM)
			if err := <-p.exited; err != nil {
				t.Fatalf("%v: %v", err, p.lines)
			}
			stats, err := forgerylog.Open([]string{filepath.Join(dir, "var")}, journal.ReadOptions{}).Stats(t.Context())
			if strings.HasPrefix(rel, "seg") && (err == nil || !strings.Contains(err.Error(), filepath.Base(rel))) {
				t.Errorf("the damaged segment is not named: %v", err)
			}
			// 94 of the source, and the last.
			if len(stats) != 1 || stats[0].Events < 95 {
				t.Errorf("%+v, %v", stats, err)
			}
		})
	}
}
