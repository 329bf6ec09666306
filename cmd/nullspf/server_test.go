package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/rs/zerolog"

	"nullspf/internal/control"
	"nullspf/internal/corefile"
	"nullspf/internal/nameserver"
)

// runNullspfd is a command of the scripts, nullspfd itself:
//
//	nullspfd [-check] -conf COREFILE
func runNullspfd() {
	conf := flag.String("conf", "", "")
	check := flag.Bool("check", false, "")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	load := func() (*nameserver.Config, error) { return corefile.Load(*conf) }
	if err := serveUntil(ctx, load, *check); err != nil {
		fmt.Fprintln(os.Stderr, "nullspfd:", err)
		os.Exit(1)
	}
}

func serveUntil(ctx context.Context, load func() (*nameserver.Config, error), check bool) error {
	c, err := load()
	if err != nil {
		return err
	}
	if check {
		return nameserver.Check(c)
	}
	s, err := nameserver.Start(c, nameserver.Options{Logger: zerolog.Nop(), Version: "1.2.3", Workers: 1, Load: load})
	if err != nil {
		return err
	}
	<-ctx.Done()
	return s.Stop()
}

// answering waits until somebody answers at a socket: answering PATH.
func answering(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: answering PATH")
	}
	waitFor(ts, args[0], func(c *control.Client) error {
		_, err := c.Status(context.Background())
		return err
	})
}

// served waits until a zone is served with a serial number: served PATH ZONE
// SERIAL.
func served(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: served PATH ZONE SERIAL")
	}
	waitFor(ts, args[0], func(c *control.Client) error {
		z, err := c.Zone(context.Background(), args[1])
		if err == nil && (z.State != control.Serving || fmt.Sprint(z.Serial) != args[2]) {
			err = fmt.Errorf("%+v", z)
		}
		return err
	})
}

// waitFor repeats a request at a socket until it returns no error.
func waitFor(ts *testscript.TestScript, socket string, request func(*control.Client) error) {
	client := control.NewClient(ts.MkAbs(socket))
	defer client.Close()
	var err error
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if err = request(client); err == nil {
			return
		}
	}
	ts.Fatalf("after 20 s: %v", err)
}

func TestWriteStatus(t *testing.T) {
	var out bytes.Buffer
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	err := writeStatus(&out, &control.Status{
		Version: "1.2.3", PID: 17, Started: now.Add(-90 * time.Minute), Config: "/etc/nullspf/Corefile",
		Listen: []string{"127.0.0.1:53", "[::1]:53"}, Problems: []string{"reload: a\x1b[31mb\nc"},
		Reloads:     control.Reloads{Done: 3, Failed: 1, Error: "x"},
		Zones:       []control.ZoneCount{{Kind: control.Parked, Serving: 1000000}, {Kind: control.Secondary, Serving: 12, Waiting: 3, Expired: 1}},
		TransfersIn: control.Transfers{Running: 2, Done: 900, Failed: map[string]uint64{"timeout": 2, "refused": 1, "tsig": 0}},
		Notifies:    control.Notifies{Sent: 11, Acknowledged: 5, Refused: 1, Failed: 2, Received: 7, Ignored: 4},
	}, now)
	const want = `nullspfd       1.2.3, process 17
started        2026-11-20T10:30:00Z, 1h30m0s ago
configuration  /etc/nullspf/Corefile
listens at     127.0.0.1:53 [::1]:53
reloads        3 done, 1 failed
transfers in   900 done, 2 running, 3 failed (1 refused, 2 timeout)
transfers out  0 done, 0 failed
notifications  5 acknowledged, 1 refused, 2 failed; 7 received, 4 ignored
problem        reload: a?[31mb?c

      zones  serving  waiting  expired
     parked  1000000        0        0
  secondary       12        3        1
`
	if err != nil || out.String() != want {
		t.Errorf("%v, got\n%s\nwant\n%s", err, out.String(), want)
	}
}

func TestWriteZone(t *testing.T) {
	var out bytes.Buffer
	at := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	err := writeZone(&out, &control.ZoneDetail{
		Zone: control.Zone{
			Name: "brand.example", Kind: control.Secondary, State: control.Expired, Serial: 7, Catalog: "catalog.invalid",
			Primary: "192.0.2.1:53", Refreshed: at, Expires: at.Add(time.Hour), Error: "192.0.2.1:53: refused",
		},
		Records: 12, Bytes: 900, Primaries: []string{"192.0.2.1:53", "192.0.2.3:53"},
		Secondaries: []string{"192.0.2.9:53"},
	})
	const want = `zone          brand.example
kind          secondary
state         expired
serial        7
records       12
memory        900 bytes
catalog       catalog.invalid
primary       192.0.2.1:53
primary       192.0.2.3:53
confirmed by  192.0.2.1:53
confirmed at  2026-11-20T12:00:00Z
expires       2026-11-20T13:00:00Z
last error    192.0.2.1:53: refused
notified      192.0.2.9:53
`
	if err != nil || out.String() != want {
		t.Errorf("%v, got\n%s\nwant\n%s", err, out.String(), want)
	}
}

func TestServerNeedsOneZone(t *testing.T) {
	for _, args := range [][]string{{"zone"}, {"retransfer"}, {"notify", "a", "b"}, {"status", "x"}, {"zone", "a", "--text", "--json"}} {
		root := rootCommand()
		root.SetArgs(append([]string{"server"}, args...))
		if err := root.Execute(); err == nil || strings.Contains(err.Error(), "socket") {
			t.Errorf("%v: %v", args, err)
		}
	}
}
