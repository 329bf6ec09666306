package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// processors are those on which nullspf web runs.
const processors = "0,1"

// server is a running nullspf web.
type server struct {
	cmd  *exec.Cmd
	base string
}

// start starts the program on some processors.
func (b *bench) start(ctx context.Context, processors string) (*server, error) {
	cmd := exec.CommandContext(ctx, "taskset", "-c", processors, b.program, "web", "--listen", "127.0.0.1:0", "--journal", b.dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s did not start: %w", b.program, err), cmd.Wait())
	}
	return &server{cmd, strings.TrimSuffix(strings.TrimSpace(line), "/")}, nil
}

func (s *server) stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	_ = s.cmd.Wait()
}

// page is how long an answer took.
type page struct {
	first, end time.Duration
	body       []byte
}

func (s *server) get(ctx context.Context, target string) (p page, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.base+target, nil)
	if err != nil {
		return p, err
	}
	began := time.Now()
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return p, err
	}
	defer answer.Body.Close()
	in := bufio.NewReader(answer.Body)
	if _, err := in.Peek(1); err != nil {
		return p, err
	}
	p.first = time.Since(began)
	p.body, err = io.ReadAll(in)
	p.end = time.Since(began)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %s", target, answer.Status, p.body)
	}
	return p, err
}

// status is a figure of /proc/PID/status in bytes.
func (s *server) status(name string) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, name+":"); ok {
			n, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return n * 1024, err
		}
	}
	return 0, fmt.Errorf("no %s", name)
}

// processorTime is what the process took so far.
func (s *server) processorTime() (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	ticks := int64(0)
	for _, field := range fields[11:13] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond, nil
}

// dropFiles takes all files of the log out of memory.
func (b *bench) dropFiles() error {
	return filepath.WalkDir(b.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
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
