package mtas

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Kind is a mail server software.
type Kind string

// The kinds of mail servers, by the names of their directories in the cache.
const (
	Postfix   Kind = "postfix"
	Exim      Kind = "exim"
	OpenSMTPD Kind = "opensmtpd"
	Sendmail  Kind = "sendmail"
)

// Config describes a server to start.
type Config struct {
	Kind    Kind
	Machine *Machine
	// Name is the fully qualified name of the machine, Resolver the address of
	// its resolver.
	Name, Resolver string
	// Files are texts by their absolute paths, below /etc, /var or /usr.
	Files map[string]string
	// Binds are directories outside by their absolute paths below /var: what is
	// written there stays.
	Binds map[string]string
	// Setup are shell commands to run before the server starts.
	Setup string
	// At is where the server listens, for example 192.0.2.25:25.
	At string
	// Quiet: the server waits for the PROXY protocol before it greets.
	Quiet bool
}

// Server is a running mail server.
type Server struct {
	Config
	dir     string
	process *exec.Cmd
	ended   chan struct{}
	waitErr error
}

// software is what the kinds differ in.
type software struct {
	// users are lines of passwd.
	users []string
	// setup are shell commands before those of the configuration, start is the
	// command that serves in the foreground.
	setup, start string
	// log is the file that the server logs to; "" for standard error.
	log string
}

const login = "/usr/sbin/nologin"

var softwares = map[Kind]software{
	Postfix: {
		setup: "postconf -e maillog_file=/var/log/mail.log; postconf -F '*/*/chroot = n'",
		start: "postfix -c /etc/postfix start-fg",
		log:   "/var/log/mail.log",
	},
	Exim: {
		users: []string{"Debian-exim:x:951:951::/var/spool/exim4:" + login},
		setup: `
			mkdir -p /var/spool/exim4/input /var/spool/exim4/db /var/spool/exim4/msglog /var/log/exim4 /var/lib/exim4 /run/exim4
			chown -R Debian-exim:Debian-exim /var/spool/exim4 /var/log/exim4 /run/exim4`,
		start: "exim4 -bdf -q1m",
		log:   "/var/log/exim4/mainlog",
	},
	OpenSMTPD: {
		users: []string{"opensmtpd:x:952:952::/var/lib/opensmtpd/empty:" + login, "opensmtpq:x:953:953::/var/lib/opensmtpd/empty:" + login},
		setup: `
			mkdir -p /var/lib/opensmtpd/empty /var/spool/smtpd
			chmod 711 /var/spool/smtpd
			chgrp opensmtpq /usr/sbin/smtpctl
			chmod g+s /usr/sbin/smtpctl`,
		start: "smtpd -d",
	},
	Sendmail: {
		users: []string{"smmta:x:954:954::/var/lib/sendmail:" + login, "smmsp:x:955:955::/var/lib/sendmail:" + login},
		setup: `
			mkdir -p /var/spool/mqueue /run/sendmail/mta /var/lib/sendmail /etc/mail/smrsh
			chmod 700 /var/spool/mqueue
			ln -s /usr/bin/procmail /etc/mail/smrsh/`,
		start: "/usr/libexec/sendmail/sendmail -bD -q1m -ORefuseLA=10000 -OQueueLA=10000",
	},
}

// PostmasterUser is a user of every server, whose mailbox is
// /var/mail/postmaster.
const PostmasterUser = "postmaster"

// script is what the first process of a server runs. $dir has the files of the
// configuration, and is where its file systems in memory are mounted.
const script = `set -eu
mount --make-rprivate /
mount -t proc proc /proc
mount -t tmpfs tmpfs "$dir/memory"
over() {
	mkdir -p "$dir/memory/$1/upper" "$dir/memory/$1/work"
	lower=/$1
	[ -z "$root" ] || lower=$root/$1:/$1
	mount -t overlay -o "lowerdir=$lower,upperdir=$dir/memory/$1/upper,workdir=$dir/memory/$1/work" overlay "/$1"
}
over usr
over etc
over var
mount -t tmpfs -o mode=755 tmpfs /run
hostname "$host"
printf '%s\n' "127.0.0.1 localhost" >/etc/hosts
printf '%s\n' "nameserver $resolver" "options timeout:1 attempts:1" >/etc/resolv.conf
printf '%s\n' "$host" >/etc/mailname
: >/etc/aliases
printf '%s\n' "$users" | while IFS= read -r line; do
	[ -n "$line" ] || continue
	name=${line%%:*}
	id=${line#*:x:}
	printf '%s\n' "$line" >>/etc/passwd
	printf '%s:x:%s:\n' "$name" "${id%%:*}" >>/etc/group
done
mkdir -p /var/mail
for b in $binds; do
	mkdir -p "${b%%=*}"
	mount --bind "${b#*=}" "${b%%=*}"
done
cp -R "$dir/files/." /
eval "$setup"
eval "$start"
`

const (
	startTimeout = 30 * time.Second
	stopTimeout  = 10 * time.Second
)

// Root returns where the packages of a kind are unpacked: "" when it is
// installed. It fails when they are not there.
func Root(k Kind) (string, error) {
	if k == Postfix {
		_, err := exec.LookPath("/usr/sbin/postfix")
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	root := filepath.Join(cache, "nullspf", string(k), "root")
	if _, err := os.Stat(root); err != nil {
		return "", fmt.Errorf("mtas: %s is not unpacked; run internal/mtas/unpack", k)
	}
	return root, nil
}

// Start starts a server and returns when it greets, or, if it is quiet, accepts
// connections. An error has the end of its
// log; nothing is left running then.
func Start(ctx context.Context, c Config) (*Server, error) {
	soft, ok := softwares[c.Kind]
	if !ok {
		return nil, fmt.Errorf("mtas: no mail server %q is known", c.Kind)
	}
	root, err := Root(c.Kind)
	if err != nil {
		return nil, err
	}
	s := &Server{Config: c, ended: make(chan struct{})}
	if s.dir, err = os.MkdirTemp("", "mta"); err != nil {
		return nil, err
	}
	if err := s.launch(root, soft); err != nil {
		return nil, errors.Join(err, os.RemoveAll(s.dir))
	}
	if err := s.waitGreeting(ctx); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

func (s *Server) launch(root string, soft software) error {
	if err := os.Chmod(s.dir, 0o755); err != nil {
		return err
	}
	for _, dir := range []string{"memory", "files"} {
		if err := os.Mkdir(filepath.Join(s.dir, dir), 0o755); err != nil {
			return err
		}
	}
	for path, text := range s.Files {
		at := filepath.Join(s.dir, "files", path)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			return err
		}
		mode := os.FileMode(0o644)
		if strings.HasPrefix(text, "#!") {
			mode = 0o755
		}
		if err := os.WriteFile(at, []byte(text), mode); err != nil {
			return err
		}
	}
	var binds []string
	for at, outside := range s.Binds {
		binds = append(binds, at+"="+outside)
	}
	log, err := os.Create(filepath.Join(s.dir, "log"))
	if err != nil {
		return err
	}
	defer log.Close()
	users := append(slices.Clone(soft.users), PostmasterUser+":x:960:960::/var/mail:"+login)
	s.process = exec.Command("/bin/sh", "-c", script)
	s.process.Env = append(os.Environ(), "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"dir="+s.dir, "root="+root, "host="+s.Name, "resolver="+s.Resolver, "users="+strings.Join(users, "\n"),
		"binds="+strings.Join(binds, " "), "setup="+soft.setup+"\n"+s.Setup, "start="+soft.start)
	s.process.Stdout, s.process.Stderr = log, log
	s.process.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWUTS | syscall.CLONE_NEWPID | syscall.CLONE_NEWIPC,
		// The first process of the namespace; the others end with it.
		Pdeathsig: syscall.SIGKILL,
	}
	if err := s.Machine.Do(s.process.Start); err != nil {
		return fmt.Errorf("mtas: cannot start %s: %w", s.Kind, err)
	}
	go func() {
		s.waitErr = s.process.Wait()
		close(s.ended)
	}()
	return nil
}

// waitGreeting waits until the server greets.
func (s *Server) waitGreeting(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if conn, err := s.Machine.Dial(ctx, "", s.At); err == nil {
			if !s.Quiet {
				_ = conn.SetDeadline(time.Now().Add(startTimeout))
				_, err = conn.Read(make([]byte, 1))
			}
			_ = conn.Close()
			if err == nil {
				return nil
			}
		}
		select {
		case <-s.ended:
			return fmt.Errorf("mtas: %s ended at its start (%v):\n%s", s.Kind, s.waitErr, s.Log())
		case <-ctx.Done():
			return fmt.Errorf("mtas: %s does not greet at %s:\n%s", s.Kind, s.At, s.Log())
		case <-tick.C:
		}
	}
}

// Run runs a shell command where the server runs, and returns its output.
func (s *Server) Run(ctx context.Context, command string) (string, error) {
	out, err := exec.CommandContext(ctx, "nsenter", "--target", strconv.Itoa(s.process.Process.Pid),
		"--mount", "--uts", "--ipc", "--net", "--pid", "/bin/sh", "-c", command).CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("mtas: %s: %s: %w\n%s", s.Kind, command, err, out)
	}
	return string(out), nil
}

// Read reads a file as the server sees it.
func (s *Server) Read(path string) ([]byte, error) {
	return os.ReadFile(fmt.Sprintf("/proc/%d/root%s", s.process.Process.Pid, path))
}

// logTail is how much of a log is shown, in bytes.
const logTail = 16 << 10

// Log returns the end of what the server has logged, as far as it logs without
// syslog.
func (s *Server) Log() string {
	text, _ := os.ReadFile(filepath.Join(s.dir, "log"))
	if log := softwares[s.Kind].log; log != "" {
		more, _ := s.Read(log)
		text = append(text, more...)
	}
	if len(text) > logTail {
		text = text[len(text)-logTail:]
	}
	return string(text)
}

// Stop ends all processes of the server.
func (s *Server) Stop() error {
	_ = s.process.Process.Kill()
	var err error
	select {
	case <-s.ended:
	case <-time.After(stopTimeout):
		err = fmt.Errorf("mtas: %s cannot be killed", s.Kind)
	}
	return errors.Join(err, os.RemoveAll(s.dir))
}
