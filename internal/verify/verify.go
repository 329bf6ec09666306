package verify

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"nullspf/internal/serial"
	"nullspf/zones"
)

// The defaults of [Settings], and the bound of its Concurrency.
const (
	DefaultConcurrency = 64
	DefaultTimeout     = 2 * time.Second
	DefaultRetries     = 2
	maxConcurrency     = 4096
)

// Settings say which servers to query, and how.
type Settings struct {
	// Servers are the addresses of the nameservers, with port. One that is
	// listed twice is queried once.
	Servers []netip.AddrPort
	// Concurrency is how many queries may be unanswered at a time, up to
	// MaxConcurrency. Each server gets an equal share, at least one. 0 means
	// DefaultConcurrency.
	Concurrency int
	// Timeout is how long an answer may take, each time that a query is sent; 0
	// means DefaultTimeout.
	Timeout time.Duration
	// Retries is how often a query without an answer is sent again.
	Retries int
	// SignedSerials is for zones that are signed at the primary, which raises
	// their serial numbers: these need not be those of the manifest then, but
	// neither lower nor different among the servers.
	SignedSerials bool
	// Progress is called now and then with how many pairs of a zone and a
	// server are done; nil for none. It may be called from several goroutines.
	Progress func(done, total int)
}

// Summary counts what a run did.
type Summary struct {
	// Zones is the number of zones of the set.
	Zones int `json:"zones"`
	// Checked is the number of zones for which every server has answered.
	Checked int `json:"checked"`
	// Unanswered is the number of pairs of a zone and a server that did not
	// answer for it, or was given up before.
	Unanswered int `json:"unanswered"`
	// Findings is the number of deviations.
	Findings int `json:"-"`
	// Servers are in the order of the settings.
	Servers []ServerSummary `json:"servers"`
}

// ServerSummary counts what a run did with one server.
type ServerSummary struct {
	Address    string `json:"address"`
	Checked    int    `json:"checked"` // zones
	Unanswered int    `json:"unanswered"`
	// Findings leaves out those about a zone at no particular server.
	Findings int `json:"findings"`
	// Queries counts queries sent over UDP, retries included.
	Queries uint64 `json:"queries"`
}

// String returns a line for all servers and a line for each.
func (s Summary) String() string {
	text := fmt.Sprintf("%d of %d zones checked at %s, %s\n", s.Checked, s.Zones,
		count(len(s.Servers), "server"), count(s.Findings, "deviation"))
	for _, v := range s.Servers {
		text += fmt.Sprintf("%s: %d zones checked, %d without an answer, %s\n",
			v.Address, v.Checked, v.Unanswered, count(v.Findings, "deviation"))
	}
	return text
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// Run queries every server about every zone of the set and yields the
// deviations, one call at a time, in any order. serials gives the
// serial number that a zone has in the manifest; it is called by one goroutine.
//
// The error is one of the settings, of a zone whose planned records are
// unusable, or that of ctx. The summary counts what was done until then.
// Neither a deviation nor a server that does not answer is an error.
func Run(ctx context.Context, s Settings, set *zones.Set, serials func(name string) (uint32, bool), yield func(Finding)) (Summary, error) {
	if err := s.complete(); err != nil {
		return Summary{}, err
	}
	r := &run{Settings: s, set: set, plan: newPlan(set), yield: yield}
	for i, address := range s.Servers {
		r.servers = append(r.servers, newServer(r, address, s.share(i)))
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	for _, v := range r.servers {
		v.start(ctx, &wg, cancel)
	}
	wg.Wait()
	for _, v := range r.servers {
		v.finish(ctx)
	}
	r.checkSerials(serials)
	if s.Progress != nil && ctx.Err() == nil {
		s.Progress(r.total(), r.total())
	}
	return r.summary(), context.Cause(ctx)
}

// complete sets the defaults and checks the settings.
func (s *Settings) complete() error {
	if s.Concurrency == 0 {
		s.Concurrency = DefaultConcurrency
	}
	if s.Timeout == 0 {
		s.Timeout = DefaultTimeout
	}
	switch {
	case len(s.Servers) == 0:
		return errors.New("no servers are given")
	case s.Concurrency < 0 || s.Concurrency > maxConcurrency:
		return fmt.Errorf("the concurrency is %d; it must be between 1 and %d", s.Concurrency, maxConcurrency)
	case s.Timeout < 0:
		return fmt.Errorf("the timeout is %v; it must be positive", s.Timeout)
	case s.Retries < 0:
		return fmt.Errorf("the number of retries is %d; it must not be negative", s.Retries)
	}
	var servers []netip.AddrPort
	for _, a := range s.Servers {
		if !a.IsValid() || a.Port() == 0 {
			return fmt.Errorf("%v is not an address with port", a)
		}
		a = netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
		if !slices.Contains(servers, a) {
			servers = append(servers, a)
		}
	}
	s.Servers = servers
	return nil
}

// share is how many queries a server may have unanswered at a time.
func (s *Settings) share(server int) int {
	n := s.Concurrency / len(s.Servers)
	if server < s.Concurrency%len(s.Servers) {
		n++
	}
	return max(n, 1)
}

// run is what the workers of all servers share.
type run struct {
	Settings
	set     *zones.Set
	plan    *plan
	servers []*server
	done    atomic.Int64

	mu       sync.Mutex // serialises yield
	yield    func(Finding)
	findings int
}

func (r *run) report(f Finding) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.findings++
	r.yield(f)
}

func (r *run) total() int { return len(r.servers) * len(r.set.Entries) }

// step counts a zone that is done at one server.
func (r *run) step() {
	const every = 32
	done := int(r.done.Add(1))
	if r.Progress != nil && done%every == 0 {
		r.Progress(done, r.total())
	}
}

// checkSerials compares the serial numbers of each zone with each other and
// with the manifest.
func (r *run) checkSerials(serials func(name string) (uint32, bool)) {
	for i := range r.set.Entries {
		newest, served := r.newest(i)
		if !served {
			continue
		}
		name := r.set.Entries[i].Name
		planned, known := serials(name)
		if !known {
			r.report(Finding{Zone: name, Name: name, Check: CheckSerial,
				Reason: "the zone is not in the manifest; run nullspf zones to write it"})
		}
		for _, s := range r.servers {
			if s.states[i] != stateServed {
				continue
			}
			want, reason := newest, ""
			switch have := s.serials[i]; {
			case known && have != planned && !serial.Greater(have, planned):
				want, reason = planned, "the serial number is lower than in the manifest"
			case known && !r.SignedSerials && have != planned:
				want, reason = planned, "the serial number is higher than in the manifest"
			case (!known || r.SignedSerials) && have != newest:
				reason = "another server has a higher serial number"
			}
			if reason != "" {
				s.report(Finding{Zone: name, Name: name, Check: CheckSerial,
					Want: fmt.Sprint(want), Have: fmt.Sprint(s.serials[i]), Reason: reason})
			}
		}
	}
}

// newest returns the highest serial number that a server has of a zone
// (RFC 1982), and whether any serves it.
func (r *run) newest(zone int) (highest uint32, served bool) {
	for _, s := range r.servers {
		if s.states[zone] == stateServed && (!served || serial.Greater(s.serials[zone], highest)) {
			highest, served = s.serials[zone], true
		}
	}
	return highest, served
}

func (r *run) summary() Summary {
	sum := Summary{Zones: len(r.set.Entries), Findings: r.findings}
	for _, s := range r.servers {
		n := s.answered()
		sum.Unanswered += sum.Zones - n
		sum.Servers = append(sum.Servers, ServerSummary{
			Address: s.address.String(), Checked: n, Unanswered: sum.Zones - n,
			Findings: int(s.findings.Load()), Queries: s.queries.Load(),
		})
	}
	for i := range r.set.Entries {
		if !slices.ContainsFunc(r.servers, func(s *server) bool { return s.states[i] == stateUnknown }) {
			sum.Checked++
		}
	}
	return sum
}
