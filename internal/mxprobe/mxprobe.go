// Package mxprobe connects to the hosts of MX tiers and tells whether they do at
// port 25 what their roles promise: dead hosts refuse, live hosts accept mail for
// postmaster and refuse the rest, tempfail hosts defer.
//
// No message is sent: a session ends after RCPT. Whatever a host answers is bounded
// in size and time.
package mxprobe

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"nullspf/internal/dnsname"
	"nullspf/nolisting"
)

// The defaults of [Settings].
const (
	DefaultPort        = 25
	DefaultConcurrency = 8
	DefaultRate        = 10
	// DefaultTimeout is longer than the pauses before the greeting that mail
	// servers make to catch clients which do not wait (6 s in postscreen).
	DefaultTimeout = 15 * time.Second
	maxConcurrency = 256
	maxRate        = 1000
)

// Unknown is the role of a host whose tier nobody has named.
const Unknown nolisting.Role = ""

// Target is an address of a host to probe.
type Target struct {
	Host       dnsname.Name   `json:"host"`
	Preference uint16         `json:"preference"`
	Role       nolisting.Role `json:"role"`
	Address    netip.Addr     `json:"address"`
	// Domain is one whose mail the host should handle; "" asks for no recipient.
	Domain dnsname.Name `json:"domain,omitempty"`
	// Below: names below the domain have MX records, too.
	Below bool `json:"below"`
}

// Settings say how to probe.
type Settings struct {
	// Port to connect to; 0 means DefaultPort.
	Port uint16
	// HELO is the name for EHLO.
	HELO string
	// Concurrency is how many addresses are probed at a time; 0 means
	// DefaultConcurrency. An address has one connection at a time.
	Concurrency int
	// Rate is how many connections are opened a second; 0 means DefaultRate.
	Rate int
	// Timeout is how long connecting, and each reply, may take; 0 means
	// DefaultTimeout.
	Timeout time.Duration
}

// Result is what a target did and what is wrong with it.
type Result struct {
	Target
	Session  Session   `json:"session"`
	Findings []Finding `json:"findings"`
}

// Run probes targets and returns the results in the same order. The error is one
// of the settings or that of ctx.
func Run(ctx context.Context, s Settings, targets []Target) ([]Result, error) {
	if err := s.complete(); err != nil {
		return nil, err
	}
	results := make([]Result, len(targets))
	// A queue for each address.
	var queues [][]int
	queue := make(map[netip.Addr]int)
	for i, t := range targets {
		at, ok := queue[t.Address]
		if !ok {
			at = len(queues)
			queue[t.Address] = at
			queues = append(queues, nil)
		}
		queues[at] = append(queues[at], i)
	}
	pace := time.NewTicker(time.Second / time.Duration(s.Rate))
	defer pace.Stop()
	work := make(chan []int)
	var wg sync.WaitGroup
	for range min(s.Concurrency, len(queues)) {
		wg.Go(func() {
			for indexes := range work {
				for _, i := range indexes {
					p := prober{Settings: &s, target: &targets[i], pace: pace.C}
					session := p.run(ctx)
					results[i] = Result{Target: targets[i], Session: session, Findings: judge(&targets[i], &session)}
				}
			}
		})
	}
feed:
	for _, q := range queues {
		select {
		case work <- q:
		case <-ctx.Done():
			break feed
		}
	}
	close(work)
	wg.Wait()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return results, nil
}

// complete sets the defaults and checks the settings.
func (s *Settings) complete() error {
	if s.Port == 0 {
		s.Port = DefaultPort
	}
	if s.Concurrency == 0 {
		s.Concurrency = DefaultConcurrency
	}
	if s.Rate == 0 {
		s.Rate = DefaultRate
	}
	if s.Timeout == 0 {
		s.Timeout = DefaultTimeout
	}
	switch {
	case s.Concurrency < 0 || s.Concurrency > maxConcurrency:
		return fmt.Errorf("the concurrency is %d; it must be between 1 and %d", s.Concurrency, maxConcurrency)
	case s.Rate < 0 || s.Rate > maxRate:
		return fmt.Errorf("the rate is %d connections a second; it must be between 1 and %d", s.Rate, maxRate)
	case s.Timeout < 0:
		return fmt.Errorf("the timeout is %v; it must be positive", s.Timeout)
	case s.HELO == "":
		return errors.New("the name for HELO is empty")
	}
	return nil
}
