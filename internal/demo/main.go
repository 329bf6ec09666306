// Command demo shows the main jobs on the examples: it publishes their domains
// with a real BIND primary and a real BIND secondary on loopback, and with a
// nullspfd primary and a nullspfd secondary beside them, has a real SPF
// implementation check forged messages, and shows what nullspfd recorded, as text and as
// pages.
//
//	go run ./internal/demo [-nullspf bin/nullspf] [-nullspfd bin/nullspfd] [-examples examples] [-dir demo] [-picture demo/page.png] [-keep]
package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"nullspf/internal/peers"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	d := &demo{}
	flag.StringVar(&d.nullspf, "nullspf", "bin/nullspf", "the program")
	flag.StringVar(&d.nullspfd, "nullspfd", "bin/nullspfd", "the nameserver")
	flag.StringVar(&d.examples, "examples", "examples", "directory of the example configuration")
	flag.StringVar(&d.dir, "dir", "demo", "directory to work in, emptied first")
	flag.StringVar(&d.picture, "picture", "demo/page.png", "file for the screenshot, where chromium is installed")
	flag.BoolVar(&d.keep, "keep", false, "keep the pages and the servers until the demo is interrupted")
	flag.Parse()
	if err := d.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

type demo struct {
	nullspf, nullspfd, examples, dir, picture string
	keep                                      bool
	// primary and secondary are the BIND servers, tracker and follower the
	// nullspfd servers.
	primary, secondary, tracker, follower netip.AddrPort
	names                                 []string
}

func (d *demo) run(ctx context.Context) error {
	if missing := peers.Missing("named", "rndc", "named-checkconf", "dig", "unbound", "python3"); len(missing) > 0 {
		return fmt.Errorf("not installed: %s; scripts/install-peers installs them on Debian and Ubuntu", strings.Join(missing, ", "))
	}
	if err := d.prepare(); err != nil {
		return err
	}
	d.say("1. From the list to zone files, server configurations and mail tables")
	if err := d.command(ctx, d.nullspf, "zones", "-c", filepath.Join(d.dir, "nullspf.yaml")); err != nil {
		return err
	}
	if err := d.readNames(); err != nil {
		return err
	}
	if err := d.command(ctx, "sh", "-c", "ls "+d.dir+"/build; cat "+d.dir+"/build/zones/"+d.names[len(d.names)/2]+".zone"); err != nil {
		return err
	}

	d.say("2. BIND checks all of it")
	if err := d.checkconf(ctx); err != nil {
		return err
	}

	d.say("3. A BIND primary and a BIND secondary, each with its generated configuration")
	primary, err := d.start(ctx, d.primary, "primary.conf")
	if err != nil {
		return err
	}
	defer primary.Stop()
	secondary, err := d.start(ctx, d.secondary, "secondary.conf")
	if err != nil {
		return err
	}
	defer secondary.Stop()
	if err := d.waitTransfers(ctx, d.primary, d.secondary); err != nil {
		return fmt.Errorf("%w\nlog of the secondary:\n%s", err, secondary.Log())
	}

	d.say("4. What the secondary answers")
	name := d.names[len(d.names)/2]
	for _, q := range [][]string{
		{"MX", name}, {"TXT", name}, {"TXT", "_dmarc." + name}, {"MX", "anything." + name}, {"TXT", "selector._domainkey." + name},
	} {
		port := fmt.Sprint(d.secondary.Port())
		if err := d.command(ctx, "dig", "+noall", "+answer", "@"+d.secondary.Addr().String(), "-p", port, q[1], q[0]); err != nil {
			return err
		}
	}

	d.say("5. Every domain at both servers, as planned")
	if err := d.command(ctx, d.nullspf, "verify", "-c", filepath.Join(d.dir, "nullspf.yaml"),
		"--server", d.primary.String(), "--server", d.secondary.String()); err != nil {
		return err
	}
	return d.serve(ctx)
}

// prepare writes the example configuration with loopback addresses and a key.
func (d *demo) prepare() error {
	if err := os.RemoveAll(d.dir); err != nil {
		return err
	}
	if err := os.MkdirAll(d.dir, 0o755); err != nil {
		return err
	}
	loopback := netip.MustParseAddr("127.0.0.1")
	var err error
	for _, a := range []*netip.AddrPort{&d.primary, &d.secondary, &d.tracker, &d.follower} {
		if *a, err = peers.FreePort(loopback); err != nil {
			return err
		}
	}
	list, err := os.ReadFile(filepath.Join(d.examples, "generic.txt"))
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(d.dir, "generic.txt"), list, 0o644); err != nil {
		return err
	}
	if err := d.configure("nullspf.yaml", map[string]string{
		"output: ":    "build",
		"primary: ":   fmt.Sprintf("{addresses: [%q], allow_transfer: [127.0.0.1], also_notify: [%q, %q]}", d.primary, d.secondary, d.follower),
		"  listen: ":  fmt.Sprintf("[%q]", d.tracker),
		"journals: ":  "[var]\n" + key + "nullspfd: {control: primary.sock}",
		"servers: [b": "ind, nsd, knot, nullspfd]",
	}); err != nil {
		return err
	}
	// The secondary's machine has other addresses and directories.
	if err := d.configure("secondary.yaml", map[string]string{
		"output: ":    "build-secondary",
		"primary: ":   fmt.Sprintf("{addresses: [%q], allow_transfer: [127.0.0.1], also_notify: [%q]}", d.tracker, d.follower),
		"  listen: ":  fmt.Sprintf("[%q]", d.follower),
		"journals: ":  "[var-secondary]\n" + key + "nullspfd: {control: secondary.sock}",
		"servers: [b": "ind, nullspfd]",
	}); err != nil {
		return err
	}
	secret := make([]byte, 32)
	if _, err := rand.Read(secret); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(d.dir, "tsig.key"), []byte(base64.StdEncoding.EncodeToString(secret)+"\n"), 0o600)
}

// key is the TSIG key in the configuration.
const key = "tsig: {name: xfr.example.net, algorithm: hmac-sha256, secret_file: tsig.key}\n"

// configure writes the example configuration with other values.
func (d *demo) configure(file string, values map[string]string) error {
	text, err := os.ReadFile(filepath.Join(d.examples, "nullspf.yaml"))
	if err != nil {
		return err
	}
	config := string(text)
	for key, value := range values {
		if config, err = replaceValue(config, key, value); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(d.dir, file), []byte(config), 0o644)
}

// replaceValue replaces what follows the one line that begins with key.
func replaceValue(text, key, value string) (string, error) {
	before, after, ok := strings.Cut(text, "\n"+key)
	if !ok || strings.Contains(after, "\n"+key) {
		return "", fmt.Errorf("the example configuration has not exactly one line %q", key)
	}
	_, rest, _ := strings.Cut(after, "\n")
	return before + "\n" + key + value + "\n" + rest, nil
}

// readNames takes the domains from the manifest.
func (d *demo) readNames() error {
	text, err := os.ReadFile(filepath.Join(d.dir, "build", "manifest"))
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(text)) {
		name, _, _ := strings.Cut(line, "\t")
		d.names = append(d.names, name)
	}
	if len(d.names) == 0 {
		return errors.New("the manifest is empty")
	}
	return nil
}

// checkconf runs named-checkconf -z, which says a line a zone, and counts.
func (d *demo) checkconf(ctx context.Context) error {
	file := filepath.Join(d.dir, "build", "named", "primary.conf")
	fmt.Println("$ named-checkconf -z", file)
	program, err := peers.Program("named-checkconf")
	if err != nil {
		return err
	}
	out, err := exec.CommandContext(ctx, program, "-z", file).CombinedOutput()
	if err != nil {
		return fmt.Errorf("named-checkconf: %w\n%s", err, out)
	}
	loaded := strings.Count(string(out), ": loaded serial ")
	fmt.Printf("%d zones loaded, the catalog zone among them\n", loaded)
	if loaded != len(d.names)+1 {
		return fmt.Errorf("named-checkconf loaded %d zones of %d", loaded, len(d.names)+1)
	}
	return nil
}

func (d *demo) start(ctx context.Context, address netip.AddrPort, fragment string) (*peers.Server, error) {
	file, err := filepath.Abs(filepath.Join(d.dir, "build", "named", fragment))
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(d.dir, "build", "secondary"), 0o755); err != nil {
		return nil, err
	}
	s, err := peers.Start(ctx, peers.Config{Kind: peers.BIND, Address: address, Include: []string{file}})
	if err == nil {
		fmt.Printf("named with %s answers at %v\n", filepath.Join("named", fragment), address)
	}
	return s, err
}

// waitTransfers waits until a secondary serves every zone with the primary's
// serial number.
func (d *demo) waitTransfers(ctx context.Context, primary, secondary netip.AddrPort) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	start := time.Now()
	for _, name := range d.names {
		for {
			want, serves := peers.Serial(ctx, primary, name)
			got, follows := peers.Serial(ctx, secondary, name)
			if serves && follows && got == want {
				break
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("the secondary does not serve %s as the primary does", name)
			case <-time.After(50 * time.Millisecond):
			}
		}
	}
	fmt.Printf("the secondary serves all %d zones after %.1f s\n", len(d.names), time.Since(start).Seconds())
	return nil
}

func (d *demo) say(title string) { fmt.Printf("\n== %s\n\n", title) }

// command shows a command and runs it.
func (d *demo) command(ctx context.Context, name string, args ...string) error {
	fmt.Println("$", name, strings.Join(args, " "))
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}
