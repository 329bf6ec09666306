package peers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Kind is a nameserver software.
type Kind string

// The kinds of servers.
const (
	BIND     Kind = "bind"
	NSD      Kind = "nsd"
	Knot     Kind = "knot"
	Unbound  Kind = "unbound"
	Nullspfd Kind = "nullspfd"
	PowerDNS Kind = "powerdns"
	YADIFA   Kind = "yadifa"
	CoreDNS  Kind = "coredns"
	// These two are no nameservers and answer HTTP at their address.
	ClickHouse Kind = "clickhouse"
	Prometheus Kind = "prometheus"
)

// Config describes a server to start.
type Config struct {
	Kind Kind
	// Address is where the server answers, over UDP and TCP. Its port must be
	// free: see [FreePort].
	Address netip.AddrPort
	// Include are files that the server's configuration includes: absolute
	// paths, or relative ones, which are taken from WorkDir.
	Include []string
	// Options are lines for the options of named.conf, the server section of
	// nsd.conf, knot.conf or unbound.conf, the main section of yadifad.conf, for
	// pdns.conf, and for the blocks of a Corefile, elements of ClickHouse's
	// config.xml, or all of prometheus.yml.
	Options string
	// Program is the path of nullspfd; see [BuildNullspfd]. The others are
	// looked for where they are installed.
	Program string
	// Dir is the directory for state, configuration and log, made when missing;
	// "" makes a temporary one, which Stop removes.
	Dir string
	// WorkDir is the directory in which the server runs; "" means Dir.
	WorkDir string
}

// Server is a running nameserver.
type Server struct {
	Config
	log     string
	control []string
	process *exec.Cmd
	ended   chan struct{}
	waitErr error
	remove  bool
}

// startTimeout is how long a server may take until it answers, and how long
// until it has stopped.
const (
	startTimeout = 60 * time.Second
	stopTimeout  = 15 * time.Second
)

// Start starts a server and returns when it answers queries. An error contains
// the end of the server's log; nothing is left running then.
func Start(ctx context.Context, c Config) (_ *Server, err error) {
	s := &Server{Config: c, ended: make(chan struct{})}
	if s.Dir == "" {
		// A short path: it holds sockets, whose names are limited to about a
		// hundred bytes.
		if s.Dir, err = os.MkdirTemp("", "peer"); err != nil {
			return nil, fmt.Errorf("peers: %w", err)
		}
		s.remove = true
	}
	defer func() {
		if err != nil && s.remove {
			err = errors.Join(err, os.RemoveAll(s.Dir))
		}
	}()
	if err := os.MkdirAll(s.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("peers: %w", err)
	}
	if s.Dir, err = filepath.Abs(s.Dir); err != nil {
		return nil, fmt.Errorf("peers: %w", err)
	}
	if s.WorkDir == "" {
		s.WorkDir = s.Dir
	}
	argv, err := s.configure()
	if err != nil {
		return nil, err
	}
	if err := s.launch(argv); err != nil {
		return nil, err
	}
	if err := s.waitAnswer(ctx); err != nil {
		return nil, errors.Join(err, s.halt())
	}
	return s, nil
}

// configure writes the configuration and returns the command to start.
func (s *Server) configure() ([]string, error) {
	switch s.Kind {
	case BIND:
		return s.configureBIND()
	case NSD:
		return s.configureNSD()
	case Knot:
		return s.configureKnot()
	case Unbound:
		return s.configureUnbound()
	case Nullspfd:
		return s.configureNullspfd()
	case PowerDNS:
		return s.configurePowerDNS()
	case YADIFA:
		return s.configureYADIFA()
	case CoreDNS:
		return s.configureCoreDNS()
	case ClickHouse:
		return s.configureClickHouse()
	case Prometheus:
		return s.configurePrometheus()
	}
	return nil, fmt.Errorf("peers: no server %q is known", s.Kind)
}

func (s *Server) launch(argv []string) error {
	program, err := Program(argv[0])
	if err != nil {
		return err
	}
	s.log = filepath.Join(s.Dir, "log")
	log, err := os.Create(s.log)
	if err != nil {
		return fmt.Errorf("peers: %w", err)
	}
	defer log.Close()
	s.process = exec.Command(program, argv[1:]...)
	s.process.Dir = s.WorkDir
	s.process.Stdout, s.process.Stderr = log, log
	s.process.SysProcAttr = processAttributes()
	if err := s.process.Start(); err != nil {
		return fmt.Errorf("peers: cannot start %s: %w", argv[0], err)
	}
	go func() {
		s.waitErr = s.process.Wait()
		close(s.ended)
	}()
	return nil
}

// waitAnswer waits until the server answers at all, whatever the answer.
func (s *Server) waitAnswer(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if s.answers(ctx) {
			return nil
		}
		select {
		case <-s.ended:
			return fmt.Errorf("peers: %s ended at its start (%v):\n%s", s.Kind, s.waitErr, s.Log())
		case <-ctx.Done():
			return fmt.Errorf("peers: %s does not answer at %v:\n%s", s.Kind, s.Address, s.Log())
		case <-tick.C:
		}
	}
}

// Control returns the command of the server's control program, to which the
// words of a command are to be appended: rndc, nsd-control, knotc, pdns_control,
// sqlite3 or unbound-control. For YADIFA and CoreDNS it is the whole command for a
// reload.
func (s *Server) Control() []string {
	switch s.Kind {
	case YADIFA:
		return []string{"kill", "-HUP", strconv.Itoa(s.PID())}
	case CoreDNS:
		return []string{"kill", "-USR1", strconv.Itoa(s.PID())}
	}
	return s.control
}

// PID returns the process id of the server.
func (s *Server) PID() int { return s.process.Process.Pid }

// logTail is how much of a log an error message shows, in bytes.
const logTail = 4096

// Log returns the end of the server's log.
func (s *Server) Log() string {
	f, err := os.Open(s.log)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > logTail {
		if _, err := f.Seek(-logTail, io.SeekEnd); err != nil {
			return err.Error()
		}
	}
	text, err := io.ReadAll(io.LimitReader(f, logTail))
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// Logged reports whether a text stands anywhere in the server's log.
func (s *Server) Logged(text string) bool {
	log, err := os.ReadFile(s.log)
	return err == nil && strings.Contains(string(log), text)
}

// Stop stops the server and waits until it has ended. A directory that Start made
// is removed.
func (s *Server) Stop() error {
	err := s.halt()
	if s.remove {
		err = errors.Join(err, os.RemoveAll(s.Dir))
	}
	return err
}

// halt ends the process: politely, then by force together with the children
// that it has left.
func (s *Server) halt() error {
	select {
	case <-s.ended:
	default:
		end := syscall.SIGTERM
		if s.Kind == ClickHouse {
			end = syscall.SIGKILL // it would wait for connections of others to close
		}
		if err := s.process.Process.Signal(end); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return fmt.Errorf("peers: cannot stop %s: %w", s.Kind, err)
		}
	}
	var err error
	timeout := time.NewTimer(stopTimeout)
	defer timeout.Stop()
	select {
	case <-s.ended:
	case <-timeout.C:
		err = fmt.Errorf("peers: %s had to be killed:\n%s", s.Kind, s.Log())
	}
	// The server leads a process group of its own.
	_ = syscall.Kill(-s.process.Process.Pid, syscall.SIGKILL)
	<-s.ended
	return err
}

// Program returns the path of a program: in PATH, where "make peers" has compiled
// it, or where system programs are, which is not in everybody's PATH.
func Program(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	for _, dir := range []string{built(), "/usr/sbin", "/usr/local/sbin", "/sbin"} {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("peers: %s is not installed", name)
}

// Missing returns those of the programs that are not installed.
func Missing(programs ...string) []string {
	var missing []string
	for _, p := range programs {
		if _, err := Program(p); err != nil {
			missing = append(missing, p)
		}
	}
	return missing
}

// write writes a file in the server's directory and returns its path.
func (s *Server) write(name, text string) (string, error) {
	path := filepath.Join(s.Dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return "", fmt.Errorf("peers: %w", err)
	}
	return path, nil
}

// includes writes a line for each included file.
func (s *Server) includes(before, after string) string {
	var b strings.Builder
	for _, path := range s.Include {
		b.WriteString(before + path + after + "\n")
	}
	return b.String()
}
