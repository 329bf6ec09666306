package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/smtp"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"nullspf/internal/eventrow"
	"nullspf/internal/forgerylog"
	"nullspf/internal/journal"
	"nullspf/internal/mtas"
	"nullspf/internal/peers"
	"nullspf/spftrack"
)

// patience is how long a message may take.
const patience = 4 * time.Minute

// plan says who sends how many messages to which domains.
type plan struct {
	senders   []sender
	scenarios []scenario
	messages  int
}

// bench is the network with all of its machines.
type bench struct {
	plan
	dir     string // of nullspf, nullspfd and their files
	network *mtas.Network
	outside *mtas.Machine
	stop    []func() error

	mu       sync.Mutex
	arrivals map[string]time.Time    // when a live host had mail for a recipient
	deferred map[session][]time.Time // when sessions at a tempfail host began
}

// session is what the event of a session at a tempfail host tells.
type session struct{ client, domain string }

// measure has the senders send, and returns what became of the messages.
func measure(ctx context.Context, p plan) (results []result, err error) {
	b := &bench{plan: p, arrivals: make(map[string]time.Time), deferred: make(map[session][]time.Time)}
	defer func() {
		for i := range b.stop {
			err = errors.Join(err, b.stop[len(b.stop)-1-i]())
		}
	}()
	if b.network, err = mtas.NewNetwork(); err != nil {
		return nil, err
	}
	b.stop = append(b.stop, func() error { b.network.Close(); return nil })
	if err := b.publish(ctx); err != nil {
		return nil, err
	}
	if err := b.startHosts(ctx); err != nil {
		return nil, err
	}
	results = make([]result, len(b.senders))
	errs := make([]error, len(b.senders))
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	for i := range b.senders {
		wg.Go(func() {
			if results[i], errs[i] = b.send(ctx, &b.senders[i]); errs[i] != nil {
				cancel()
			}
		})
	}
	wg.Wait()
	return results, errors.Join(errs...)
}

// publish writes the zones and serves them: nullspfd behind Unbound, which knows the
// addresses of the hosts.
func (b *bench) publish(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "senders")
	if err != nil {
		return err
	}
	b.dir = dir
	b.stop = append(b.stop, func() error { return os.RemoveAll(dir) })
	yaml := "nameservers: [ns1.example.net]\nsoa: {rname: hostmaster.example.net}\nservers: [nullspfd]\n" +
		"nullspfd: {listen: ['" + resolver + ":5300']}\npostmaster: postmaster@mail.example.net\ngroups:\n"
	options := "access-control: 0.0.0.0/0 allow\nlocal-zone: . static\n"
	var stubs strings.Builder
	for i := range b.scenarios {
		sc := &b.scenarios[i]
		yaml += sc.yaml()
		label, _, _ := strings.Cut(sc.domain, ".")
		if err := os.WriteFile(filepath.Join(dir, label+".txt"), []byte(sc.domain+"\n"), 0o644); err != nil {
			return err
		}
		options += "local-zone: " + sc.domain + ". transparent\n"
		fmt.Fprintf(&stubs, "stub-zone:\n\tname: %s\n\tstub-addr: %s@5300\n", sc.domain, resolver)
		for k, h := range sc.hosts {
			options += fmt.Sprintf("local-data: %q\n", sc.name(k)+". A "+h.address)
		}
	}
	for _, s := range b.senders {
		options += fmt.Sprintf("local-data: \"%s.example.com. A %s\"\nlocal-data-ptr: \"%s %s.example.com\"\n", s.kind, s.address, s.address, s.kind)
	}
	options += "local-data: \"injector.example.com. A " + injector + "\"\nlocal-data-ptr: \"" + injector + " injector.example.com\"\n"
	conf := filepath.Join(dir, "nullspf.yaml")
	stub := filepath.Join(dir, "stubs.conf")
	for path, text := range map[string]string{conf: yaml, stub: stubs.String()} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return err
		}
	}
	if err := peers.Build(ctx, dir, "nullspf", "nullspfd"); err != nil {
		return err
	}
	if out, err := exec.CommandContext(ctx, filepath.Join(dir, "nullspf"), "zones", "-c", conf).CombinedOutput(); err != nil {
		return fmt.Errorf("nullspf zones: %w\n%s", err, out)
	}
	if b.outside, err = b.network.Machine(resolver, injector); err != nil {
		return err
	}
	if err := b.serve(ctx, b.outside, filepath.Join(dir, "build/nullspfd/primary.Corefile")); err != nil {
		return err
	}
	var unbound *peers.Server
	err = b.outside.Do(func() (err error) {
		unbound, err = peers.Start(ctx, peers.Config{
			Kind: peers.Unbound, Address: netip.MustParseAddrPort(resolver + ":53"), Options: options, Include: []string{stub},
		})
		return err
	})
	if err == nil {
		b.stop = append(b.stop, unbound.Stop)
	}
	return err
}

// serve starts nullspfd on a machine.
func (b *bench) serve(ctx context.Context, m *mtas.Machine, corefile string) error {
	daemon := m.Command(ctx, filepath.Join(b.dir, "nullspfd"), "-conf", corefile)
	daemon.Stderr = os.Stderr
	daemon.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := daemon.Start(); err != nil {
		return err
	}
	b.stop = append(b.stop, func() error {
		_ = daemon.Process.Signal(syscall.SIGTERM)
		_ = daemon.Wait()
		return nil
	})
	return nil
}

// startHosts starts a machine for each mail host.
func (b *bench) startHosts(ctx context.Context) error {
	for i := range b.scenarios {
		sc := &b.scenarios[i]
		for _, h := range sc.hosts {
			m, err := b.network.Machine(h.address)
			if err != nil {
				return err
			}
			switch {
			case h.role == "dead" && sc.drops:
				nft := m.Command(ctx, "/usr/sbin/nft", "add table inet f; add chain inet f in { type filter hook input priority 0; }; add rule inet f in tcp dport 25 drop")
				if err := errors.Join(nft.Start(), nft.Wait()); err != nil {
					return fmt.Errorf("nft: %w", err)
				}
			case h.role == "live" && !sc.down:
				l, err := m.Listen(h.address + ":25")
				if err != nil {
					return err
				}
				sink := &mtas.Sink{Seen: func(at time.Time, what string) {
					if strings.Contains(what, "@") {
						b.arrived(at, what)
					}
				}}
				sink.Serve(l)
				b.stop = append(b.stop, func() error { sink.Close(); return nil })
			case h.role == "tempfail":
				if err := b.deferAll(ctx, m, h.address); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// arrived notes that a live host was offered mail for a recipient.
func (b *bench) arrived(at time.Time, recipient string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, ok := b.arrivals[recipient]; !ok {
		b.arrivals[recipient] = at
	}
}

// deferAll has nullspfd defer all mail on a machine, and follows its journal.
func (b *bench) deferAll(ctx context.Context, m *mtas.Machine, address string) error {
	dir := filepath.Join(b.dir, address)
	corefile := dir + ".Corefile"
	text := "_spf.example.net:53 {\n    bind " + address + "\n    spftrack {\n        nameservers ns1.example.net ns2.example.net\n    }\n" +
		"    journal " + dir + "\n    smtp " + address + ":25\n}\n"
	if err := os.WriteFile(corefile, []byte(text), 0o644); err != nil {
		return err
	}
	if err := b.serve(ctx, m, corefile); err != nil {
		return err
	}
	if err := waitFor(ctx, m, address+":25"); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() {
		log := forgerylog.Open([]string{dir}, journal.ReadOptions{})
		q := forgerylog.Query{Packets: true, Kinds: []spftrack.Kind{spftrack.KindSMTP}}
		ended <- log.Follow(ctx, q, 0, func(rows []eventrow.Row) error {
			b.mu.Lock()
			defer b.mu.Unlock()
			for i := range rows {
				r := rows[i].Clone()
				key := session{r.ClientIP, r.RecipientDomain}
				b.deferred[key] = append(b.deferred[key], time.Unix(0, r.TS))
			}
			return nil
		})
	}()
	b.stop = append(b.stop, func() error {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			return err
		}
		return nil
	})
	return nil
}

// waitFor waits until a machine accepts connections.
func waitFor(ctx context.Context, m *mtas.Machine, at string) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for {
		conn, err := m.Dial(ctx, "", at)
		if err == nil {
			return conn.Close()
		}
		if ctx.Err() != nil {
			return fmt.Errorf("nothing listens at %s: %w", at, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// outcome is what became of a message.
type outcome struct {
	tried []netip.Addr
	after time.Duration
	end   string // "" when it has arrived, else deferred or lost
}

const (
	deferred = "deferred"
	lost     = "not delivered"
)

// result is what became of the messages of a sender, by scenario.
type result struct {
	sender   *sender
	version  string
	outcomes [][]outcome
}

// send starts a sender, has it send to all domains at a time, and again when all is
// done.
func (b *bench) send(ctx context.Context, s *sender) (result, error) {
	r := result{sender: s, outcomes: make([][]outcome, len(b.scenarios))}
	m, err := b.network.Machine(s.address)
	if err != nil {
		return r, err
	}
	server, err := mtas.Start(ctx, mtas.Config{
		Kind: s.kind, Machine: m, Name: string(s.kind) + ".example.com", Resolver: resolver, Files: s.files, Setup: s.setup, At: s.address + ":25",
	})
	if err != nil {
		return r, err
	}
	defer func() { _ = server.Stop() }()
	if r.version, err = server.Run(ctx, s.version); err != nil {
		return r, err
	}
	r.version = strings.TrimSpace(r.version)
	w, err := watch(m)
	if err != nil {
		return r, err
	}
	defer w.close()
	for n := range b.messages {
		w.reset()
		began := make([]time.Time, len(b.scenarios))
		recipients := make([]string, len(b.scenarios))
		for i := range b.scenarios {
			recipients[i] = fmt.Sprintf("%s-%d@%s", s.kind, n+1, b.scenarios[i].domain)
			began[i] = time.Now()
			if err := b.inject(ctx, s.address+":25", recipients[i]); err != nil {
				return r, fmt.Errorf("%s: %w", s.kind, err)
			}
		}
		for i := range b.scenarios {
			o := b.await(ctx, &b.scenarios[i], s.address, recipients[i], began[i])
			// The watcher may be behind the mail host.
			time.Sleep(time.Second / 2)
			o.tried = w.tried(&b.scenarios[i])
			r.outcomes[i] = append(r.outcomes[i], o)
		}
	}
	return r, nil
}

// inject gives a message to a sender.
func (b *bench) inject(ctx context.Context, at, recipient string) error {
	conn, err := b.outside.Dial(ctx, injector, at)
	if err != nil {
		return err
	}
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	c, err := smtp.NewClient(conn, "sender")
	if err != nil {
		return err
	}
	defer c.Close()
	if err := errors.Join(c.Hello("injector.example.com"), c.Mail("a@injector.example.com"), c.Rcpt(recipient)); err != nil {
		return err
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "From: a@injector.example.com\r\nTo: %s\r\nSubject: test\r\n\r\ntest\r\n", recipient)
	return errors.Join(err, w.Close(), c.Quit())
}

// await waits for a message: until the live host has it, or a tempfail host has
// deferred it while the live host is down.
func (b *bench) await(ctx context.Context, sc *scenario, sender, recipient string, began time.Time) outcome {
	for ctx.Err() == nil && time.Since(began) < patience {
		b.mu.Lock()
		arrived, ok := b.arrivals[recipient]
		sessions := b.deferred[session{sender, sc.domain}]
		b.mu.Unlock()
		if ok {
			return outcome{after: arrived.Sub(began)}
		}
		if i := slices.IndexFunc(sessions, began.Before); sc.down && i >= 0 {
			return outcome{after: sessions[i].Sub(began), end: deferred}
		}
		time.Sleep(10 * time.Millisecond)
	}
	return outcome{after: patience, end: lost}
}
