package nameserver

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"nullspf/internal/secondary"
	"nullspf/internal/xfr"
)

// Options are what a server needs beside its configuration.
type Options struct {
	Logger zerolog.Logger
	// Version is said in the metrics.
	Version string
	// Workers is the number of sockets and goroutines at each address; 0 is
	// one for each processor.
	Workers int
	// TCP is [DefaultTCPLimits] when zero.
	TCP TCPLimits
	// OpenJournal opens the recorder for a number of workers; nil is
	// [OpenJournal].
	OpenJournal func(j *Journal, workers int, log zerolog.Logger) (Recorder, error)
	// Load loads the configuration anew, for a reload that is asked for at the
	// control socket.
	Load func() (*Config, error)
}

// Server is a running nameserver. What outlives a configuration belongs to it:
// sockets, recorder, counters, the state of the rate limit.
type Server struct {
	options  Options
	log      zerolog.Logger
	secrets  []Secret
	recorder Recorder
	shards   []*shard
	slow     *slowPath
	tcp      *tcpServer
	queryLog *queryLog
	registry metricsRegistry
	started  time.Time
	// source has the zones that may be transferred, notifier tells others of
	// their changes.
	source   currentSource
	notifier *xfr.Notifier
	served   servedTransfers
	// secondary has the zones of primaries, applied the configuration that says
	// which names are served otherwise.
	secondary *secondary.Engine
	applied   atomic.Pointer[Config]

	reloads, failedReloads atomic.Uint64
	// lastFailure is why the last reload failed, "" when it did not.
	lastFailure atomic.Pointer[string]
	// serving is nil until the start is complete.
	serving atomic.Pointer[serving]

	// mu is held while the configuration changes.
	mu        sync.Mutex
	config    *Config
	listeners map[netip.AddrPort]*listener
	web       map[netip.AddrPort]*webServer
	control   *controlServer // nil is none
	// closedDrops are the kernel's drops at sockets that are closed.
	closedDrops uint64
}

// stopGrace bounds how long TCP clients hold up the end.
const stopGrace = 2 * time.Second

// background is the number of threads that may run beside one for each
// processor.
const background = 2

// ClaimProcessors returns the number of workers for this machine, and lets the
// Go runtime use more threads than that. The kernel, which knows the threads'
// priorities, then divides the processors among answering, writing and sealing,
// and not the Go scheduler, which lets each run for 10 ms. A program calls it
// once.
func ClaimProcessors() int {
	workers := runtime.GOMAXPROCS(0)
	runtime.GOMAXPROCS(workers + background)
	return workers
}

// Start opens the journal and the sockets of a configuration and serves it. The
// error says what could not be opened; then nothing is left open.
func Start(c *Config, o Options) (*Server, error) {
	if o.Workers == 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if o.TCP == (TCPLimits{}) {
		o.TCP = DefaultTCPLimits
	}
	if o.OpenJournal == nil {
		o.OpenJournal = OpenJournal
	}
	s := &Server{
		options:   o,
		log:       o.Logger,
		secrets:   make([]Secret, 1),
		recorder:  new(discard),
		started:   time.Now(),
		listeners: make(map[netip.AddrPort]*listener),
		web:       make(map[netip.AddrPort]*webServer),
	}
	_, _ = rand.Read(s.secrets[0][:]) // never fails
	if c.Journal != nil {
		r, err := o.OpenJournal(c.Journal, o.Workers, o.Logger)
		if err != nil {
			return nil, err
		}
		s.recorder = r
	} else if c.tracks() {
		s.log.Warn().Msg("no journal is configured: events are not stored")
	}
	for i := range o.Workers {
		s.shards = append(s.shards, &shard{rates: newRateTable(), events: s.recorder.Worker(i)})
	}
	s.slow = newSlowPath(o.Workers, s.recorder.Shared(), s.log)
	s.tcp = newTCPServer(o.TCP, s.recorder.Shared(), s.log)
	s.queryLog = newQueryLog(s.log)
	s.source.Store(new(transferSource))
	s.notifier = xfr.NewNotifier(&s.source, s.log)
	s.secondary = s.newSecondary()
	s.registry = newMetricsRegistry(s)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.apply(c); err != nil {
		return nil, errors.Join(err, s.end())
	}
	s.log.Info().Strs("listen", s.addresses()).Str("version", o.Version).Msg("ready")
	return s, nil
}

// Check does all that [Start] does before it opens a journal or a socket.
func Check(c *Config) error {
	if err := c.loadParked(); err != nil {
		return err
	}
	if err := c.checkSecondary(); err != nil {
		return err
	}
	k := compiler{config: c, workers: 1, number: new(discard).Zone, secrets: make([]Secret, 1)}
	_, err := k.compile()
	return err
}

// Reload loads a configuration and serves it instead of the present one. No
// question and no event is lost: addresses that stay keep their sockets. When
// anything fails, the present configuration stays, and the error, which is
// logged and counted, says why.
func (s *Server) Reload(load func() (*Config, error)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := load()
	if err == nil {
		err = s.apply(c)
	}
	if err != nil {
		s.failedReloads.Add(1)
		reason := err.Error()
		s.lastFailure.Store(&reason)
		s.log.Error().Err(err).Msg("reload failed; the configuration stays as it was")
		return err
	}
	s.reloads.Add(1)
	s.lastFailure.Store(nil)
	s.log.Info().Strs("listen", s.addresses()).Msg("reloaded")
	return nil
}

// apply makes c the configuration, or changes nothing.
func (s *Server) apply(c *Config) error {
	if s.config != nil && !sameJournal(s.config.Journal, c.Journal) {
		return fmt.Errorf("journal: its settings cannot change while the server runs; restart it")
	}
	if err := Check(c); err != nil {
		return err
	}
	opened := make(map[netip.AddrPort]*listener)
	openedWeb := make(map[netip.AddrPort]*webServer)
	undo := func(err error) error {
		for _, l := range opened {
			err = errors.Join(err, l.closeUnused())
		}
		for _, w := range openedWeb {
			err = errors.Join(err, w.close())
		}
		return err
	}
	for _, b := range c.Blocks {
		for _, at := range b.Listen {
			if s.listeners[at] != nil || opened[at] != nil {
				continue
			}
			l, err := openListener(at, s.options.Workers)
			if err != nil {
				return undo(err)
			}
			opened[at] = l
		}
	}
	pages := s.pages(c)
	for at := range pages {
		if s.web[at] == nil {
			w, err := openWeb(at)
			if err != nil {
				return undo(err)
			}
			openedWeb[at] = w
		}
	}
	k := compiler{config: c, secrets: s.secrets, log: s.queryLog, workers: s.options.Workers, number: s.recorder.Zone, source: &s.source, served: &s.served, secondary: s.secondary}
	tables, err := k.compile()
	if err != nil {
		return undo(err)
	}
	groups, err := secondary.Prepare(c.groups())
	if err != nil {
		return undo(err)
	}
	openedControl, err := s.openControl(c)
	if err != nil {
		return undo(err)
	}

	// Nothing can fail from here on.
	changed := s.succeedParked(c)
	s.source.Store(c.transferSource(s.secondary))
	s.config = c
	s.applied.Store(c)
	s.secondary.Configure(groups)
	for at, t := range tables {
		if l := opened[at]; l != nil {
			l.table.Store(t)
			l.serve(s)
			s.listeners[at] = l
		} else {
			s.listeners[at].table.Store(t)
		}
	}
	s.notifier.SetTargets(c.notifyTargets())
	s.notifier.Notify(changed)
	for at, l := range s.listeners {
		if tables[at] == nil {
			s.closeListener(at, l)
		}
	}
	s.serving.Store(&serving{c, s.addresses(), s.secondary})
	for at, w := range openedWeb {
		s.web[at] = w
	}
	for at, w := range s.web {
		if h := pages[at]; h != nil {
			w.handler.Store(&h)
			if openedWeb[at] != nil {
				w.serve(s.log)
			}
			continue
		}
		delete(s.web, at)
		if err := w.close(); err != nil {
			s.log.Error().Err(err).Msg("closing the HTTP server failed")
		}
	}
	s.switchControl(c, openedControl)
	return nil
}

func sameJournal(a, b *Journal) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

// closeListener answers what has arrived at an address, and closes it.
func (s *Server) closeListener(at netip.AddrPort, l *listener) {
	delete(s.listeners, at)
	drops, err := l.close()
	s.closedDrops += drops
	if err != nil {
		s.log.Error().Err(err).Stringer("listen", at).Msg("closing a socket failed")
	}
}

// Stop answers what has arrived, closes all sockets, stores all events and
// returns. The server cannot be used again.
func (s *Server) Stop() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log.Info().Msg("stopping")
	return s.end()
}

// end stops whatever is running.
func (s *Server) end() error {
	for at, l := range s.listeners {
		s.closeListener(at, l)
	}
	s.slow.close()
	s.tcp.close(stopGrace)
	s.queryLog.close()
	err := s.secondary.Close()
	s.notifier.Close()
	err = errors.Join(err, s.recorder.Close())
	if s.control != nil {
		err = errors.Join(err, s.control.close())
		s.control = nil
	}
	for at, w := range s.web {
		delete(s.web, at)
		err = errors.Join(err, w.close())
	}
	return err
}

// Addresses returns the addresses that are served over UDP and TCP, sorted.
func (s *Server) Addresses() []netip.AddrPort {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []netip.AddrPort
	for _, l := range s.listeners {
		out = append(out, l.at)
	}
	slices.SortFunc(out, netip.AddrPort.Compare)
	return out
}

// addresses returns [Server.Addresses] for a log, while mu is held.
func (s *Server) addresses() []string {
	var out []string
	for _, l := range s.listeners {
		out = append(out, l.at.String())
	}
	slices.Sort(out)
	return out
}
