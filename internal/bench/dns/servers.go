package main

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"nullspf/internal/bench/unsealed"
	"nullspf/internal/peers"
)

const zone = "_spf.example.net"

var allServers = []string{"echo", "nullspfd", "nullspfd+sealing", "nsd", "knot", "bind"}

// server is a started one.
type server struct {
	// pid is that of the process and of its group.
	pid  int
	stop func()
	// stored returns how many events the server has stored, and fails when it has
	// lost some; nil for one that stores none.
	stored func() (uint64, error)
	// journal is the directory of a server that seals, "" for another.
	journal string
}

func (b *bench) start(ctx context.Context, name, dir string, at netip.AddrPort) (*server, error) {
	switch name {
	case "echo":
		return launch(ctx, exec.Command(b.echo, strconv.Itoa(int(at.Port()))), at, dir)
	case "nullspfd", "nullspfd+sealing":
		return b.startNullspfd(ctx, name, dir, at)
	case "nsd":
		return startPeer(ctx, peers.NSD, dir, at, "rrl-ratelimit: 0\n", "zone:\n\tname: %q\n\tzonefile: %q\n")
	case "knot":
		return startPeer(ctx, peers.Knot, dir, at, "", "zone:\n  - domain: %q\n    file: %q\n")
	case "bind":
		return startPeer(ctx, peers.BIND, dir, at, "querylog yes;\n", "zone %q { type primary; file %q; };\n")
	}
	return nil, fmt.Errorf("no such server; there are %v", allServers)
}

const corefileText = `%s:%d {
    bind %s
    spftrack {
        nameservers ns1.example.net
    }
    journal %s
    health %s
}
`

func (b *bench) startNullspfd(ctx context.Context, name, dir string, at netip.AddrPort) (*server, error) {
	health, err := peers.FreePort(at.Addr())
	if err != nil {
		return nil, err
	}
	conf := filepath.Join(dir, "Corefile")
	text := fmt.Sprintf(corefileText, zone, at.Port(), at.Addr(), filepath.Join(dir, "var"), health)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		return nil, err
	}
	cmd := exec.Command(b.nullspfd, "-conf", conf)
	if name == "nullspfd" {
		self, err := os.Executable()
		if err != nil {
			return nil, err
		}
		cmd = exec.Command(self, "-serve", conf)
	}
	s, err := launch(ctx, cmd, at, dir)
	if err != nil {
		return nil, err
	}
	s.stored = func() (uint64, error) { return unsealed.Stored(http.DefaultClient, health) }
	if name != "nullspfd" {
		s.journal = filepath.Join(dir, "var")
	}
	return s, nil
}

// zoneFile holds a wildcard of another type, so that every query gets
// NODATA here too.
const zoneFile = `@ 60 SOA @ @ 1 7200 900 2419200 60
@ 60 NS ns1.example.net.
* 60 HINFO "x" "y"
`

func startPeer(ctx context.Context, kind peers.Kind, dir string, at netip.AddrPort, options, zoneConf string) (*server, error) {
	file := filepath.Join(dir, "zone")
	if err := os.WriteFile(file, []byte(zoneFile), 0o644); err != nil {
		return nil, err
	}
	conf := filepath.Join(dir, "zone.conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, zoneConf, zone, file), 0o644); err != nil {
		return nil, err
	}
	p, err := peers.Start(ctx, peers.Config{Kind: kind, Address: at, Include: []string{conf}, Options: options, Dir: dir})
	if err != nil {
		return nil, err
	}
	return &server{pid: p.PID(), stop: func() { _ = p.Stop() }}, nil
}

// launch starts a program and waits until it answers.
func launch(ctx context.Context, cmd *exec.Cmd, at netip.AddrPort, dir string) (*server, error) {
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	s := &server{pid: cmd.Process.Pid, stop: func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		<-ended
	}}
	for range 1000 {
		ctx, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
		_, err = peers.Query(ctx, at, "x."+zone, 1, nil)
		cancel()
		if err == nil {
			return s, nil
		}
		select {
		case <-ended:
			text, _ := os.ReadFile(log.Name())
			return nil, fmt.Errorf("%s ended: %s", cmd.Path, text)
		case <-time.After(10 * time.Millisecond):
		}
	}
	s.stop()
	return nil, fmt.Errorf("%s does not answer: %w", cmd.Path, err)
}
