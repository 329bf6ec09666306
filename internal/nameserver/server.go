package nameserver

import (
	"crypto/rand"
	"errors"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"nullspf/internal/conns"
	"nullspf/internal/secondary"
	"nullspf/internal/xfr"
	"nullspf/nolisting"
)

// Options are what a server needs beside its configuration.
type Options struct {
	Logger zerolog.Logger
	// Version is said in the metrics.
	Version string
	// Workers is the number of sockets and goroutines at each address; 0 is
	// one for each processor.
	Workers int
	// TCP is [defaultTCPLimits] when zero.
	TCP conns.Limits
	// OpenJournal opens the recorder for a number of workers; nil is
	// [openJournal].
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
	smtp     *nolisting.Listener
	queryLog *queryLog
	registry metricsRegistry
	started  time.Time
	// notifier tells others of the changes of zones that may be transferred.
	notifier *xfr.Notifier
	served   servedTransfers
	// secondary has the secondary zones.
	secondary *secondary.Engine
	lists     *listFiles
	drops     dropCounter

	reloads, failedReloads atomic.Uint64
	// lastFailure is why the last reload failed, "" when it did not.
	lastFailure atomic.Pointer[string]
	// ports are the open interfaces of xdp, for those who do not wait for mu.
	ports atomic.Pointer[[]*xdpPort]
	// serving serves nothing until the start is complete.
	serving atomic.Pointer[serving]

	// reloading is held from the loading of a configuration to its end, which
	// may take long. It is taken before mu.
	reloading sync.Mutex
	// mu is held while what follows changes: by the one who holds reloading, and
	// at the end. Neither an answer nor the control socket nor a page waits for
	// it.
	mu        sync.Mutex
	stopped   bool
	listeners map[netip.AddrPort]*listener
	xdp       map[string]*xdpPort
	web       map[netip.AddrPort]*webServer
	control   *controlServer // nil is none
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
	if o.TCP == (conns.Limits{}) {
		o.TCP = defaultTCPLimits
	}
	if o.OpenJournal == nil {
		o.OpenJournal = openJournal
	}
	s := &Server{
		options:   o,
		log:       o.Logger,
		secrets:   make([]Secret, 1),
		recorder:  new(discard),
		started:   time.Now(),
		listeners: make(map[netip.AddrPort]*listener),
		xdp:       make(map[string]*xdpPort),
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
	s.smtp = newSMTP(s.recorder.Shared(), s.log)
	s.queryLog = newQueryLog(s.log)
	s.serving.Store(&serving{config: new(Config)})
	s.notifier = xfr.NewNotifier(s.source(), s.log)
	s.secondary = secondary.New(secondary.Options{Logger: s.log, Clock: secondary.Clock{Boot: secondary.MachineBoot}, Changed: s.notifier.Notify})
	s.lists = newListFiles(s.log)
	s.registry = newMetricsRegistry(s)
	s.reloading.Lock()
	defer s.reloading.Unlock()
	p, err := s.prepare(c)
	if err != nil {
		return nil, errors.Join(err, s.end())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.commit(p)
	s.log.Info().Strs("listen", s.serving.Load().addresses()).Str("version", o.Version).Msg("ready")
	return s, nil
}

// Stop answers what has arrived, closes all sockets, stores all events and
// returns. It does not wait for a reload that is being prepared, which then
// fails. The server cannot be used again.
func (s *Server) Stop() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = true
	s.log.Info().Msg("stopping")
	return s.end()
}

// end stops whatever is running.
func (s *Server) end() error {
	for _, port := range s.xdp {
		s.closeXDP(port)
	}
	for _, l := range s.listeners {
		s.closeListener(l)
	}
	s.slow.close()
	s.tcp.conns.Close(stopGrace)
	s.smtp.Close(stopGrace)
	s.queryLog.close()
	s.lists.close()
	err := s.secondary.Close()
	s.notifier.Close()
	err = errors.Join(err, s.recorder.Close())
	if s.control != nil {
		err = errors.Join(err, s.control.close())
	}
	for _, w := range s.web {
		err = errors.Join(err, w.close())
	}
	return err
}
