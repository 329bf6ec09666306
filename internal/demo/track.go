package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"nullspf/internal/peers"
)

// debianPython is the Python that has the modules of Debian's packages.
const debianPython = "/usr/bin/python3"

// message is a forged message as pyspf.py takes it.
type message struct{ IP, Sender, HELO string }

// forged makes some hundred messages that pretend to come from domains, sent
// by a few hosts of which the first are the busiest.
func forged(domains []string) []message {
	var ms []message
	for host := range 12 {
		ip := netip.AddrFrom4([4]byte{203, 0, 113, byte(10 + host)}).String()
		if host%4 == 3 {
			ip = fmt.Sprintf("2001:db8:bad::%x", host)
		}
		for i := range 120 / (host + 1) {
			sender := fmt.Sprintf("%s%d@%s", []string{"invoice", "ceo", "no-reply+", "sales."}[i%4], i, domains[(i+host)%len(domains)])
			ms = append(ms, message{ip, sender, fmt.Sprintf("host%d.botnet.example", host)})
		}
	}
	return ms
}

// track has a real SPF implementation check forged messages, by way of a real
// resolver, and shows the forgery log.
func (d *demo) track(ctx context.Context) error {
	d.say("7. Receivers check forged mail, nullspfd records it")
	domains := d.forgedDomains()
	resolver, err := d.startResolver(ctx, domains)
	if err != nil {
		return err
	}
	defer resolver.Stop()
	if err := d.check(ctx, resolver.Address, forged(domains)); err != nil {
		return err
	}

	d.say("8. The forgery log: who, when, whom, from where")
	// An event is visible to queries within a second.
	time.Sleep(time.Second)
	config := filepath.Join(d.dir, "nullspf.yaml")
	for _, args := range [][]string{
		{"top", "ip", "-n", "5"}, {"top", "domain", "-n", "5"}, {"timeline", "--per", "minute"}, {"events", "--limit", "5"},
	} {
		if err := d.command(ctx, d.nullspf, append(append([]string{"log"}, args...), "-c", config)...); err != nil {
			return err
		}
	}
	return d.web(ctx)
}

// forgedDomains are some of the published domains.
func (d *demo) forgedDomains() []string {
	var domains []string
	for i := 0; i < len(d.names) && len(domains) < 8; i += 1 + len(d.names)/20 {
		if strings.HasSuffix(d.names[i], ".example") {
			domains = append(domains, d.names[i])
		}
	}
	return domains
}

// startResolver starts Unbound, which finds the domains at the primary and the
// tracking zone at nullspfd.
func (d *demo) startResolver(ctx context.Context, domains []string) (*peers.Server, error) {
	address, err := peers.FreePort(d.primary.Addr())
	if err != nil {
		return nil, err
	}
	stub := func(zone string, server netip.AddrPort) string {
		return fmt.Sprintf("stub-zone:\n\tname: %q\n\tstub-addr: \"%v@%d\"\n", zone, server.Addr(), server.Port())
	}
	stubs := stub("_spf.example.net", d.tracker)
	for _, domain := range domains {
		stubs += stub(domain, d.primary)
	}
	return peers.Start(ctx, peers.Config{Kind: peers.Unbound, Address: address, Options: stubs})
}

// check has pyspf check the messages.
func (d *demo) check(ctx context.Context, resolver netip.AddrPort, messages []message) error {
	var in bytes.Buffer
	for _, m := range messages {
		if err := json.NewEncoder(&in).Encode(m); err != nil {
			return err
		}
	}
	script := filepath.Join(d.examples, "..", "internal", "interop", "testdata", "pyspf.py")
	cmd := exec.CommandContext(ctx, debianPython, script, resolver.Addr().String(), fmt.Sprint(resolver.Port()))
	cmd.Stdin = &in
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("pyspf: %w\n%s", err, complaint.String())
	}
	results := make(map[string]int)
	explanation := ""
	for line := range strings.Lines(string(out)) {
		var answer []any
		if err := json.Unmarshal([]byte(line), &answer); err != nil || len(answer) < 2 {
			return fmt.Errorf("pyspf said %q", line)
		}
		results[fmt.Sprint(answer[0])]++
		explanation = fmt.Sprint(answer[len(answer)-1])
	}
	fmt.Printf("pyspf checked %d forged messages: %v\nIts explanation for the last one: %s\n", len(messages), results, explanation)
	if results["fail"] != len(messages) {
		return fmt.Errorf("%d of %d checks ended in fail", results["fail"], len(messages))
	}
	return nil
}
