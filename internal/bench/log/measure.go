package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"nullspf/internal/forgerylog"
	"nullspf/internal/journal"
)

const (
	threads     = 2
	memoryLimit = 2 << 30
	// duckdbPackage is the release of DuckDB, pinned.
	duckdbPackage = "@duckdb/node-api@1.5.6-r.1"
)

//go:embed duckdb.mjs
var duckdbScript []byte

// sample is what one process needed, and its answer.
type sample struct {
	CPU    float64    `json:"cpu"`
	Wall   float64    `json:"wall"`
	Memory float64    `json:"memory"`
	Rows   [][]string `json:"rows"`
}

// bench is a directory and both programs.
type bench struct {
	dir string
	// sealed is the directory without the events that are not sealed.
	sealed   string
	segments []string
	duckdb   string
	cleanup  func()
}

func newBench(ctx context.Context, dir, duckdb string, alone bool) (*bench, error) {
	b := &bench{dir: dir, cleanup: func() {}}
	var err error
	if b.segments, err = segmentsOf(dir); err != nil || alone {
		return b, err
	}
	temp, err := os.MkdirTemp("", "bench")
	if err != nil {
		return nil, err
	}
	b.cleanup = func() { os.RemoveAll(temp) }
	if err := b.withoutTail(filepath.Join(temp, "sealed")); err != nil {
		return nil, err
	}
	if b.duckdb = duckdb; duckdb == "" {
		b.duckdb = temp
	}
	return b, installDuckDB(ctx, b.duckdb)
}

// installDuckDB installs DuckDB, and the program that asks it, into a directory.
func installDuckDB(ctx context.Context, dir string) error {
	if err := os.WriteFile(filepath.Join(dir, "duckdb.mjs"), duckdbScript, 0o600); err != nil {
		return err
	}
	install := exec.CommandContext(ctx, "npm", "install", "--silent", "--no-fund", "--no-audit", "--prefix", dir, duckdbPackage)
	if out, err := install.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(install.Args, " "), err, out)
	}
	return nil
}

// withoutTail makes a directory with the same segments and no wal file.
func (b *bench) withoutTail(dir string) error {
	b.sealed = dir
	if err := os.MkdirAll(filepath.Join(dir, "journal"), 0o700); err != nil {
		return err
	}
	seg, err := filepath.Abs(filepath.Join(b.dir, "seg"))
	if err != nil {
		return err
	}
	if err := os.Symlink(seg, filepath.Join(dir, "seg")); err != nil {
		return err
	}
	manifest, err := os.ReadFile(filepath.Join(b.dir, "MANIFEST"))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "MANIFEST"), manifest, 0o600)
}

func (b *bench) close() { b.cleanup() }

// measure asks both, cold and warm, and returns a row of the table. miss is the
// target that was missed, nil when none was.
func (b *bench) measure(ctx context.Context, q *question, rounds int) (row string, miss, err error) {
	var ours, theirs [2]sample
	for i, cold := range []bool{true, false} {
		var list, peer []sample
		for range rounds {
			if err := b.load(cold); err != nil {
				return "", nil, err
			}
			s, err := b.ours(ctx, b.dir, q)
			if err != nil {
				return "", nil, err
			}
			list = append(list, s)
			if b.duckdb == "" {
				continue
			}
			if err := b.load(cold); err != nil {
				return "", nil, err
			}
			if s, err = b.theirs(ctx, q); err != nil {
				return "", nil, err
			}
			peer = append(peer, s)
		}
		ours[i] = median(list)
		if b.duckdb != "" {
			theirs[i] = median(peer)
		}
	}
	cold, warm := 0, 1
	if b.duckdb != "" {
		s, err := b.ours(ctx, b.sealed, q)
		if err != nil {
			return "", nil, err
		}
		if !slices.EqualFunc(s.Rows, theirs[warm].Rows, slices.Equal) {
			return "", nil, fmt.Errorf("the answers differ: %q, DuckDB %q", head(s.Rows), head(theirs[warm].Rows))
		}
	}
	o, t := ours[warm], theirs[warm]
	seconds := func(s float64) string { return fmt.Sprintf("%.3f s", s) }
	megabytes := func(n float64) string { return fmt.Sprintf("%.0f MB", n/1e6) }
	cells := []string{
		q.name, seconds(o.CPU), seconds(t.CPU), fmt.Sprintf("%.2f", o.CPU/t.CPU), seconds(o.Wall), seconds(t.Wall), fmt.Sprintf("%.2f", o.Wall/t.Wall),
		seconds(ours[cold].Wall), seconds(theirs[cold].Wall), megabytes(o.Memory), megabytes(t.Memory), q.target(),
	}
	switch {
	case q.cpu > 0 && o.CPU > q.cpu*t.CPU, q.wall > 0 && o.Wall > q.wall*t.Wall, q.limit > 0 && o.Wall > q.limit.Seconds():
		miss = fmt.Errorf("%s misses its target", q.name)
		cells[len(cells)-1] += ": missed"
	}
	return "| " + strings.Join(cells, "\t| ") + "\t|", miss, nil
}

func head(rows [][]string) [][]string { return rows[:min(len(rows), 5)] }

// target is what is allowed, in words.
func (q *question) target() string {
	var parts []string
	if q.cpu > 0 {
		parts = append(parts, fmt.Sprintf("%.1f of processor time", q.cpu))
	}
	if q.wall > 0 {
		parts = append(parts, fmt.Sprintf("%.1f of wall time", q.wall))
	}
	if q.limit > 0 {
		parts = append(parts, fmt.Sprintf("%.2f s", q.limit.Seconds()))
	}
	return strings.Join(parts, ", ")
}

// median takes the median of each figure.
func median(list []sample) sample {
	of := func(figure func(*sample) float64) float64 {
		var values []float64
		for i := range list {
			values = append(values, figure(&list[i]))
		}
		slices.Sort(values)
		return values[len(values)/2]
	}
	return sample{
		CPU: of(func(s *sample) float64 { return s.CPU }), Wall: of(func(s *sample) float64 { return s.Wall }),
		Memory: of(func(s *sample) float64 { return s.Memory }), Rows: list[0].Rows,
	}
}

// load brings all files of the directory into memory, or out of it.
func (b *bench) load(cold bool) error {
	return filepath.WalkDir(b.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if !cold {
			_, err := os.ReadFile(path)
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		return unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)
	})
}

// ours asks the forgery log, in a process of its own.
func (b *bench) ours(ctx context.Context, dir string, q *question) (s sample, err error) {
	self, err := os.Executable()
	if err != nil {
		return s, err
	}
	return read(exec.CommandContext(ctx, self, "-ask", q.name, dir))
}

func (b *bench) theirs(ctx context.Context, q *question) (s sample, err error) {
	return askDuckDB(ctx, b.duckdb, map[string]any{"files": b.segments, "sql": q.sql})
}

// askDuckDB starts DuckDB, which is installed in a directory.
func askDuckDB(ctx context.Context, dir string, request map[string]any) (s sample, err error) {
	input, err := json.Marshal(request)
	if err != nil {
		return s, err
	}
	cmd := exec.CommandContext(ctx, "node", filepath.Join(dir, "duckdb.mjs"))
	cmd.Stdin = bytes.NewReader(append(input, '\n'))
	return read(cmd)
}

func read(cmd *exec.Cmd) (s sample, err error) {
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	if err := cmd.Run(); err != nil {
		return s, fmt.Errorf("%s: %w: %s", cmd.Args[0], err, problems.Bytes())
	}
	return s, json.Unmarshal(out.Bytes(), &s)
}

// answer is the process that ours starts.
func answer(ctx context.Context, dir, name string) error {
	runtime.GOMAXPROCS(threads)
	debug.SetMemoryLimit(memoryLimit)
	if name == sealing {
		s, err := seal(dir)
		if err != nil {
			return err
		}
		return json.NewEncoder(os.Stdout).Encode(s)
	}
	forgerylog.Brief()
	list := questions()
	i := slices.IndexFunc(list, func(q question) bool { return q.name == name })
	if i < 0 {
		return fmt.Errorf("no question %q", name)
	}
	before, began := processorTime(), time.Now()
	rows, err := list[i].ask(ctx, forgerylog.Open([]string{dir}, journal.ReadOptions{}))
	s := sample{CPU: (processorTime() - before).Seconds(), Wall: time.Since(began).Seconds(), Rows: rows}
	if err != nil {
		return err
	}
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return err
	}
	s.Memory = float64(u.Maxrss) * 1024
	return json.NewEncoder(os.Stdout).Encode(s)
}

func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
