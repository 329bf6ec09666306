package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/textproto"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"nullspf/internal/forgerylog"
	"nullspf/internal/journal"
	"nullspf/internal/peers"
	"nullspf/spftrack"
)

const (
	clients = 24
	// perClient leaves room below the limit of a client, 32: smtp-source opens the next
	// connection before the server has seen the end of the last one.
	perClient = 12
	// journalDir is below the directory of the run.
	journalDir = "var"
)

// addClients makes the addresses 10.1.N.1, which are reached from 10.0.N.1.
func addClients(ctx context.Context) error {
	for i := range clients {
		for _, args := range [][]string{
			{"addr", "add", fmt.Sprintf("10.0.%d.1/32", i), "dev", "lo"},
			{"route", "replace", "local", fmt.Sprintf("10.1.%d.1", i), "dev", "lo", "src", fmt.Sprintf("10.0.%d.1", i)},
		} {
			if out, err := exec.CommandContext(ctx, "ip", args...).CombinedOutput(); err != nil {
				return fmt.Errorf("ip %s: %w\n%s", strings.Join(args, " "), err, out)
			}
		}
	}
	return nil
}

// server is what is measured.
type server struct {
	name string
	dir  string
	port uint16
	cmd  *exec.Cmd
	// group is its process group, before its memory while nothing happens.
	group  int
	before uint64
	// held is the memory with sessions that wait, in bytes.
	held uint64
}

// start starts a server on the first processor, and waits until it greets.
func (s *server) start(ctx context.Context, args ...string) error {
	s.cmd = exec.Command("taskset", append([]string{"-c", "0"}, args...)...)
	s.cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	log, err := os.Create(filepath.Join(s.dir, s.name+".log"))
	if err != nil {
		return err
	}
	defer log.Close()
	s.cmd.Stdout, s.cmd.Stderr = log, log
	if err := s.cmd.Start(); err != nil {
		return err
	}
	at := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, 0, 1}), s.port).String()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if conn, err := net.Dial("tcp", at); err == nil {
			_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
			n, _ := conn.Read(make([]byte, 3))
			_ = conn.Close()
			if n == 3 {
				return nil
			}
		}
		if time.Now().After(end) || ctx.Err() != nil {
			text, _ := os.ReadFile(log.Name())
			s.stop()
			return fmt.Errorf("%s does not answer\n%s", s.name, text)
		}
	}
}

func (s *server) stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	if s.group != s.cmd.Process.Pid && s.group > 1 {
		_ = syscall.Kill(s.group, syscall.SIGTERM)
	}
	_ = s.cmd.Wait()
}

func freePort() (uint16, error) {
	at, err := peers.FreePort(netip.AddrFrom4([4]byte{127, 0, 0, 1}))
	return at.Port(), err
}

// startNullspfd starts nullspfd with a journal.
func startNullspfd(ctx context.Context, dir string) (*server, error) {
	program, err := peers.BuildNullspfd(ctx, dir)
	if err != nil {
		return nil, err
	}
	s := &server{name: "nullspfd", dir: dir}
	if s.port, err = freePort(); err != nil {
		return nil, err
	}
	corefile := filepath.Join(dir, "Corefile")
	text := fmt.Sprintf("_spf.example.net:0 {\n\tbind 127.0.0.1\n\tspftrack {\n\t\tnameservers ns1.example.net\n\t}\n\tjournal %s\n\tsmtp 0.0.0.0:%d\n}\n",
		filepath.Join(dir, journalDir), s.port)
	if err := os.WriteFile(corefile, []byte(text), 0o644); err != nil {
		return nil, err
	}
	if err := s.start(ctx, program, "-conf", corefile); err != nil {
		return nil, err
	}
	s.group = s.cmd.Process.Pid
	return s, nil
}

const mainCF = `compatibility_level = 3.6
config_directory = {dir}/etc
queue_directory = {dir}/queue
data_directory = {dir}/data
maillog_file = {dir}/mail.log
maillog_file_prefixes = {dir}
myhostname = mx.example.net
mydestination =
alias_maps =
local_recipient_maps =
inet_interfaces = all
inet_protocols = ipv4
mynetworks = 127.0.0.1
smtpd_peername_lookup = no
smtpd_relay_restrictions = permit
smtpd_recipient_restrictions = reject
smtpd_client_connection_count_limit = 0
default_process_limit = 400
smtpd_soft_error_limit = 1000
smtpd_hard_error_limit = 1000
`

const masterCF = `{port} inet n - n - - smtpd
rewrite unix - - n - - trivial-rewrite
anvil unix - - n - 1 anvil
proxymap unix - - n - - proxymap
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
postlog unix-dgram n - n - 1 postlogd
`

// startPostfix starts a Postfix whose smtpd refuses every recipient.
func startPostfix(ctx context.Context, dir string) (*server, error) {
	s := &server{name: "smtpd", dir: filepath.Join(dir, "postfix")}
	var err error
	if s.port, err = freePort(); err != nil {
		return nil, err
	}
	owner, err := user.Lookup("postfix")
	if err != nil {
		return nil, err
	}
	uid, _ := strconv.Atoi(owner.Uid)
	for _, sub := range []string{"", "etc", "queue", "data"} {
		if err := os.Mkdir(filepath.Join(s.dir, sub), 0o755); err != nil {
			return nil, err
		}
	}
	if err := os.Chown(filepath.Join(s.dir, "data"), uid, -1); err != nil {
		return nil, err
	}
	fill := strings.NewReplacer("{dir}", s.dir, "{port}", fmt.Sprint(s.port))
	etc := filepath.Join(s.dir, "etc")
	for name, text := range map[string]string{"main.cf": mainCF, "master.cf": masterCF} {
		if err := os.WriteFile(filepath.Join(etc, name), []byte(fill.Replace(text)), 0o644); err != nil {
			return nil, err
		}
	}
	if err := s.start(ctx, "postfix", "-c", etc, "start-fg"); err != nil {
		return nil, err
	}
	pid, err := os.ReadFile(filepath.Join(s.dir, "queue/pid/master.pid"))
	if err == nil {
		if s.group, err = strconv.Atoi(strings.TrimSpace(string(pid))); err == nil {
			s.group, err = syscall.Getpgid(s.group)
		}
	}
	if err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

// measure holds sessions, with clients that connect to a port.
func (s *server) measure(ctx context.Context, port uint16, sessions int) (r result, err error) {
	if s.before == 0 {
		if s.before, _, err = peers.GroupMemory(s.group); err != nil {
			return r, err
		}
	}
	var done atomic.Bool
	var watching, sending sync.WaitGroup
	watching.Go(func() {
		for ; !done.Load(); time.Sleep(200 * time.Millisecond) {
			if n, processes, err := peers.GroupMemory(s.group); err == nil {
				r.peak, r.processes = max(r.peak, n), max(r.processes, processes)
			}
		}
	})
	cpu, err := peers.GroupTime(s.group)
	if err != nil {
		return r, err
	}
	errs := make([]error, clients)
	began := time.Now()
	for i := range clients {
		sending.Go(func() {
			// -A: refusals are expected.
			cmd := exec.CommandContext(ctx, "taskset", "-c", "1-1023", "smtp-source", "-A", "-s", strconv.Itoa(perClient), "-m", strconv.Itoa(sessions/clients),
				"-f", "info@shop.example", "-t", "user@brand.example", fmt.Sprintf("inet:10.1.%d.1:%d", i, port))
			if out, err := cmd.CombinedOutput(); err != nil {
				errs[i] = fmt.Errorf("smtp-source: %w\n%s", err, out[max(0, len(out)-300):])
			}
		})
	}
	sending.Wait()
	took := time.Since(began)
	done.Store(true)
	watching.Wait()
	after, err := peers.GroupTime(s.group)
	r.rate = float64(sessions) / took.Seconds()
	r.cpu = (after - cpu) / time.Duration(sessions)
	return r, errors.Join(append(errs, err)...)
}

// hold returns the memory with as many sessions open as smtp-source holds, all of which
// have had their recipient refused.
func (s *server) hold() (memory uint64, err error) {
	var sessions []*textproto.Conn
	defer func() {
		for _, c := range sessions {
			_ = c.Close()
		}
	}()
	for i := range clients * perClient {
		c, err := textproto.Dial("tcp", fmt.Sprintf("10.1.%d.1:%d", i%clients, s.port))
		if err != nil {
			return 0, err
		}
		sessions = append(sessions, c)
		if _, _, err := c.ReadResponse(220); err != nil {
			return 0, err
		}
		for _, step := range []struct {
			command string
			want    int
		}{{"EHLO shop.example", 250}, {"MAIL FROM:<info@shop.example>", 250}, {"RCPT TO:<user@brand.example>", 0}} {
			if err := c.PrintfLine("%s", step.command); err != nil {
				return 0, err
			}
			if code, text, err := c.ReadResponse(step.want); err != nil || step.want == 0 && code < 400 {
				return 0, fmt.Errorf("%s: %d %s, %w", step.command, code, text, err)
			}
		}
	}
	memory, _, err = peers.GroupMemory(s.group)
	return memory, err
}

// stored fails unless the journal has each session, and the one of the start.
func (s *server) stored(sessions int) error {
	q := forgerylog.Query{Packets: true, Kinds: []spftrack.Kind{spftrack.KindSMTP}}
	ranking, err := forgerylog.Open([]string{filepath.Join(s.dir, journalDir)}, journal.ReadOptions{}).Top(context.Background(), q, forgerylog.ByIP, clients+1)
	if err != nil {
		return err
	}
	if n := ranking.Total; n != uint64(sessions)+1 {
		return fmt.Errorf("the journal has %d sessions, want %d", n, sessions+1)
	}
	return nil
}
