package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"nullspf/internal/dnsname"
	"nullspf/spftrack"
)

// message is a forged message.
type message struct {
	layout spftrack.Layout
	sort   sort
	seat   int
	// silent: the tracking zone does not answer.
	silent          bool
	ip, local, helo string
}

// sort is what a message is like.
type sort struct{ name, ip, local, helo string }

// sorts are the messages that are checked against each layout; the first is an
// ordinary one.
var sorts = []sort{
	{"ordinary", "203.0.113.7", "user", "mail.example.org"},
	{"tagged", "203.0.113.7", "user+tag", "mail.example.org"},
	{"literal", "203.0.113.7", "user", "[203.0.113.7]"},
	{"IPv6", "2001:db8::7", "user", "mail.example.org"},
}

// domain is the forged domain: each message has one of its own.
func (m *message) domain() string {
	what := m.sort.name
	if m.silent {
		what = "silent"
	}
	return strings.ToLower(fmt.Sprintf("%s-%s-%d.example", m.layout, what, m.seat))
}

func (m *message) sender() string { return m.local + "@" + m.domain() }

func (m *message) zone() dnsname.Name {
	if m.silent {
		return silentZoneOf(m.layout)
	}
	return zoneOf(m.layout)
}

// parseDomain reads a forged domain.
func parseDomain(domain string) (m message, ok bool) {
	label, ok := strings.CutSuffix(domain, ".example")
	parts := strings.Split(label, "-")
	if !ok || len(parts) != 3 {
		return m, false
	}
	l, err := spftrack.ParseLayout(parts[0])
	n, notNumber := strconv.Atoi(parts[2])
	m = message{layout: l, seat: n, silent: parts[1] == "silent"}
	return m, err == nil && notNumber == nil
}

// outcome is what a program made of a message.
type outcome struct {
	// result is one of RFC 7208 section 2.6, in lower case.
	result string
	// text is what it printed or answered, all of it.
	text string
}

// cell is a message that a program checked.
type cell struct {
	message
	outcome
	asked []question
	// seconds went by from the first of these queries to the outcome.
	seconds float64
	// attempts were recorded with the right client, sender and HELO.
	attempts             int
	client, sender, helo bool
}

// seat is where a program runs: it has an address of its own, at which its
// resolver is.
type seat struct {
	*program
	site    *site
	number  int
	front   *front
	conf    string // its /etc/resolv.conf
	version string
	cells   []*cell
	// silence are those with a tracking zone that is silent.
	silence []*cell
}

// longest is how long a check may take.
const longest = 150 * time.Second

func (s *site) newSeat(i int, p *program) (*seat, error) {
	st := &seat{program: p, site: s, number: i}
	addr := netip.AddrFrom4([4]byte{127, 0, byte(10 + i), 1})
	var err error
	if st.front, err = newFront(addr, s.track.Address); err != nil {
		return nil, err
	}
	st.conf = filepath.Join(s.work, fmt.Sprintf("resolv-%d.conf", i))
	return st, os.WriteFile(st.conf, fmt.Appendf(nil, "nameserver %s\n", addr), 0o644)
}

// measure has the program check all messages.
func (st *seat) measure(ctx context.Context, busy chan struct{}) (err error) {
	defer st.front.stop()
	if st.version, err = st.versionOf(ctx, st); err != nil {
		return fmt.Errorf("its version: %w", err)
	}
	if st.start != nil {
		stop, err := st.start(ctx, st)
		if err != nil {
			return err
		}
		defer stop()
	}
	for _, l := range spftrack.Layouts {
		for _, so := range sorts {
			c := &cell{message: message{layout: l, sort: so, seat: st.number, ip: so.ip, local: so.local, helo: so.helo}}
			st.cells = append(st.cells, c)
			busy <- struct{}{}
			err := st.run(ctx, c)
			<-busy
			if err != nil {
				return err
			}
		}
	}
	var wg sync.WaitGroup
	errs := make([]error, len(tracked))
	for i, l := range tracked {
		so := sorts[0]
		c := &cell{message: message{layout: l, sort: so, seat: st.number, silent: true, ip: so.ip, local: so.local, helo: so.helo}}
		st.silence = append(st.silence, c)
		wg.Go(func() { errs[i] = st.run(ctx, c) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// run has a message checked.
func (st *seat) run(ctx context.Context, c *cell) (err error) {
	begin := time.Now()
	limited, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	c.outcome, err = st.check(limited, st, &c.message)
	c.asked = st.front.since(begin, c.zone())
	if len(c.asked) > 0 {
		c.seconds = time.Since(time.Unix(0, c.asked[0].at)).Seconds()
	}
	if c.silent && limited.Err() != nil && ctx.Err() == nil {
		c.result = noResult
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s: %w", c.domain(), err)
	}
	if c.result = strings.ToLower(c.result); !results[c.result] {
		return fmt.Errorf("%s: no result of SPF: %q\n%s", c.domain(), c.result, c.text)
	}
	return nil
}

// noResult: there was no result within the time.
const noResult = "no result"

// results are those of RFC 7208 section 2.6.
var results = map[string]bool{
	"none": true, "neutral": true, "pass": true, "fail": true, "softfail": true, "temperror": true, "permerror": true,
}

// command runs a program below a root with the seat's resolver, in a mount
// namespace of its own.
func (st *seat) command(ctx context.Context, root string, argv ...string) *exec.Cmd {
	script := `mount --bind "$0" "$1/etc/resolv.conf" && shift && exec "$@"`
	args := []string{"-c", script, st.conf, root}
	if root != "" {
		args[1] = `mount --bind "$0" "$1/etc/resolv.conf" && mount -t proc proc "$1/proc" && mount --bind /dev "$1/dev" && exec chroot "$@"`
	}
	cmd := exec.CommandContext(ctx, "sh", append(args, argv...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS, Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	cmd.Dir = st.site.dir
	return cmd
}

// output is what a command prints. Its exit code says the result, or nothing.
func output(cmd *exec.Cmd, stdin string) (string, error) {
	var out, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &stderr
	err := cmd.Run()
	if exit := new(exec.ExitError); errors.As(err, &exit) && exit.ExitCode() > 0 && out.Len() > 0 {
		err = nil
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s%s", cmd.Args[5:], err, out.String(), stderr.String())
	}
	return out.String(), nil
}
