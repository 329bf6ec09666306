package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"nullspf/internal/bench/unsealed"
	"nullspf/internal/peers"
)

const zone = "_spf.example.net"

// server is a started one.
type server struct {
	pid  int
	stop func()
	// stored returns how many events the server has stored, and fails when it has
	// lost some; nil for one that stores none.
	stored func() (uint64, error)
}

// start starts a server by its name in the server's namespace.
func start(w *peers.Wire, name, dir string) (*server, error) {
	switch name {
	case "knot+xdp":
		return startKnot(w, dir, "xdp:\n  listen: eth0@53\n")
	case "knot":
		return startKnot(w, dir, "")
	case "nullspfd+xdp", "nullspfd":
		self, err := os.Executable()
		if err != nil {
			return nil, err
		}
		if name == "nullspfd" {
			return startNullspfd(w, dir, self, address.Port(), "")
		}
		return startNullspfd(w, dir, self, address.Port(), "xdp eth0")
	}
	return nil, fmt.Errorf("no such server; there are %v", allServers)
}

// zoneFile holds a wildcard of another type, so that every query gets NODATA there
// too.
const zoneFile = `@ 60 SOA @ @ 1 7200 900 2419200 60
@ 60 NS ns1.example.net.
* 60 HINFO "x" "y"
`

const knotConf = `server:
  rundir: %[1]q
  listen: 192.0.2.1@53
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
%[2]sdatabase:
  storage: %[1]q
  journal-db-max-size: 100M
  kasp-db-max-size: 20M
  timer-db-max-size: 10M
  catalog-db-max-size: 20M
zone:
  - domain: %[3]s
    file: %[4]q
`

func startKnot(w *peers.Wire, dir, xdp string) (*server, error) {
	file, conf := filepath.Join(dir, "zone"), filepath.Join(dir, "knot.conf")
	if err := os.WriteFile(file, []byte(zoneFile), 0o644); err != nil {
		return nil, err
	}
	if err := os.WriteFile(conf, fmt.Appendf(nil, knotConf, dir, xdp, zone, file), 0o644); err != nil {
		return nil, err
	}
	program, err := peers.Program("knotd")
	if err != nil {
		return nil, err
	}
	return launch(w, dir, address.Port(), program, "-c", conf)
}

const corefileText = `%s:%d {
    bind 192.0.2.1
    %s
    rrl off
    spftrack {
        nameservers ns1.example.net
    }
    journal %s
    health 192.0.2.1:%d
}
`

// startNullspfd starts the nullspfd of a build of this benchmark at a port, with
// another line of configuration.
func startNullspfd(w *peers.Wire, dir, program string, port uint16, directive string) (*server, error) {
	conf := filepath.Join(dir, "Corefile")
	health := port + 8000
	text := fmt.Sprintf(corefileText, zone, port, directive, filepath.Join(dir, "var"), health)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		return nil, err
	}
	s, err := launch(w, dir, port, program, "-serve", conf)
	if err != nil {
		return nil, err
	}
	s.stored = func() (uint64, error) { return stored(w, health) }
	return s, nil
}

// stored asks the nullspfd with a port for its health for the events that it stored,
// and fails when some were lost.
func stored(w *peers.Wire, health uint16) (uint64, error) {
	time.Sleep(100 * time.Millisecond) // for the last of them
	client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, at string) (c net.Conn, err error) {
		err = w.Server.Do(func() (err error) {
			c, err = new(net.Dialer).DialContext(ctx, network, at)
			return err
		})
		return c, err
	}, DisableKeepAlives: true}}
	return unsealed.Stored(&client, netip.AddrPortFrom(address.Addr(), health))
}

// launch starts a program and waits until it answers at a port.
func launch(w *peers.Wire, dir string, port uint16, argv ...string) (*server, error) {
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := w.Server.Do(cmd.Start); err != nil {
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
		err = w.Client.Do(func() error {
			ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
			defer cancel()
			_, err := peers.Query(ctx, netip.AddrPortFrom(address.Addr(), port), "x."+zone, 1, nil)
			return err
		})
		if err == nil {
			return s, nil
		}
		select {
		case <-ended:
			text, _ := os.ReadFile(log.Name())
			return nil, fmt.Errorf("%s ended: %s", argv[0], text)
		case <-time.After(10 * time.Millisecond):
		}
	}
	s.stop()
	return nil, fmt.Errorf("%s does not answer: %w", argv[0], err)
}
