package main

import (
	"context"
	"fmt"
	"net/netip"
	"path/filepath"
	"time"

	"nullspf/internal/peers"
)

// serve starts a nullspfd as primary without zone files and another as its
// secondary, lets them follow a change, and goes on with the tracking zone,
// which both answer.
func (d *demo) serve(ctx context.Context) error {
	d.say("6. The same domains from nullspfd, as primary without zone files and as secondary")
	primary, err := d.startNullspfd(ctx, filepath.Join("build", "nullspfd", "primary.Corefile"), d.tracker)
	if err != nil {
		return err
	}
	defer primary.Stop()
	if err := d.command(ctx, d.nullspf, "zones", "-c", filepath.Join(d.dir, "secondary.yaml")); err != nil {
		return err
	}
	secondary, err := d.startNullspfd(ctx, filepath.Join("build-secondary", "nullspfd", "secondary.Corefile"), d.follower)
	if err != nil {
		return err
	}
	defer secondary.Stop()
	if err := d.waitTransfers(ctx, d.tracker, d.follower); err != nil {
		return fmt.Errorf("%w\nlog of the secondary:\n%s", err, secondary.Log())
	}
	if err := d.follow(ctx); err != nil {
		return fmt.Errorf("%w\nlog of the primary:\n%s\nlog of the secondary:\n%s", err, primary.Log(), secondary.Log())
	}
	name := d.names[len(d.names)/2]
	for _, file := range []string{"nullspf.yaml", "secondary.yaml"} {
		if err := d.command(ctx, d.nullspf, "server", "status", "-c", filepath.Join(d.dir, file)); err != nil {
			return err
		}
	}
	if err := d.command(ctx, d.nullspf, "server", "zone", name, "-c", filepath.Join(d.dir, "secondary.yaml")); err != nil {
		return err
	}
	if err := d.command(ctx, "dig", "+noall", "+answer", "@"+d.follower.Addr().String(), "-p", fmt.Sprint(d.follower.Port()), name, "TXT"); err != nil {
		return err
	}
	if err := d.command(ctx, d.nullspf, "verify", "-c", filepath.Join(d.dir, "nullspf.yaml"),
		"--server", d.tracker.String(), "--server", d.follower.String()); err != nil {
		return err
	}
	return d.track(ctx)
}

// startNullspfd starts nullspfd with a Corefile, which it shows.
func (d *demo) startNullspfd(ctx context.Context, file string, address netip.AddrPort) (*peers.Server, error) {
	corefile, err := filepath.Abs(filepath.Join(d.dir, file))
	if err != nil {
		return nil, err
	}
	if err := d.command(ctx, "cat", corefile); err != nil {
		return nil, err
	}
	program, err := filepath.Abs(d.nullspfd)
	if err != nil {
		return nil, err
	}
	s, err := peers.Start(ctx, peers.Config{Kind: peers.Nullspfd, Address: address, Include: []string{corefile}, Program: program})
	if err == nil {
		fmt.Printf("nullspfd with %s answers at %v\n", file, address)
	}
	return s, err
}

// follow adds a domain to the list, and waits until the secondary serves it.
func (d *demo) follow(ctx context.Context) error {
	const added = "added-by-the-demo.example"
	list := filepath.Join(d.dir, "generic.txt")
	if err := d.command(ctx, "sh", "-c", "echo "+added+" >>"+list); err != nil {
		return err
	}
	config := filepath.Join(d.dir, "nullspf.yaml")
	for _, command := range [][]string{{"zones"}, {"server", "reload"}} {
		if err := d.command(ctx, d.nullspf, append(command, "-c", config)...); err != nil {
			return err
		}
	}
	start := time.Now()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		if _, ok := peers.Serial(ctx, d.follower, added); ok {
			fmt.Printf("the secondary serves %s after %.1f s\n", added, time.Since(start).Seconds())
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the secondary does not serve %s", added)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
