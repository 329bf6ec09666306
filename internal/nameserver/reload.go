package nameserver

import (
	"errors"
	"net/http"
	"net/netip"
	"slices"

	"nullspf/internal/journal"
	"nullspf/internal/secondary"
	"nullspf/internal/wire"
	"nullspf/internal/zonestore"
)

// errStopped is the error of a reload during which the server was stopped.
var errStopped = errors.New("the server has been stopped")

// Reload loads a configuration and serves it instead of the present one. No
// query and no event is lost: addresses that stay keep their sockets. When
// anything fails, the present configuration stays, and the error, which is
// logged and counted, says why. Of several reloads, one runs after the other.
func (s *Server) Reload(load func() (*Config, error)) error {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	err := s.reload(load)
	if err != nil {
		s.failedReloads.Add(1)
		reason := err.Error()
		s.lastFailure.Store(&reason)
		s.log.Error().Err(err).Msg("reload failed; the configuration stays as it was")
		return err
	}
	s.reloads.Add(1)
	s.lastFailure.Store(nil)
	s.log.Info().Strs("listen", s.serving.Load().addresses()).Msg("reloaded")
	return nil
}

func (s *Server) reload(load func() (*Config, error)) error {
	c, err := load()
	if err != nil {
		return err
	}
	if !sameJournal(s.serving.Load().config.Journal, c.Journal) {
		return errors.New("journal: only max_size and retain can change while nullspfd runs; restart it")
	}
	p, err := s.prepare(c)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return p.discard(errStopped)
	}
	s.commit(p)
	return nil
}

// Check does all that [Start] does before it opens a journal or a socket. Block lists may
// come later, so it does not read them.
func Check(c *Config) error {
	next, err := c.read()
	if err != nil {
		return err
	}
	k := compiler{serving: next, workers: 1, number: new(discard).Zone, secrets: make([]Secret, 1), list: unreadList}
	_, err = k.compile()
	return err
}

// prepared is a configuration with all that it takes to serve it.
type prepared struct {
	*serving
	// succession is how the parked zones differ from those that are served, tell
	// the zones whose secondaries are to be notified.
	succession zonestore.Succession
	tell       []wire.Name
	groups     *secondary.Prepared
	tables     map[netip.AddrPort]*table
	pages      map[netip.AddrPort]http.Handler
	// What follows is open, and new.
	listeners map[netip.AddrPort]*listener
	web       map[netip.AddrPort]*webServer
	control   *controlServer // nil is none
	xdp       map[string]*xdpPlan
}

// prepare reads, makes and opens all that a configuration needs. It may take
// long, and fail; it changes nothing of what is served. Sockets come last: what
// arrives at them waits until they are served.
func (s *Server) prepare(c *Config) (*prepared, error) {
	next, err := c.read()
	if err != nil {
		return nil, err
	}
	p := &prepared{
		serving:   next,
		pages:     s.pages(c),
		listeners: make(map[netip.AddrPort]*listener),
		web:       make(map[netip.AddrPort]*webServer),
	}
	p.succeed(s.serving.Load())
	k := compiler{
		serving: next, secrets: s.secrets, log: s.queryLog, workers: s.options.Workers, number: s.recorder.Zone,
		source: s.source(), served: &s.served, secondary: s.secondary, list: s.lists.open,
	}
	if p.tables, err = k.compile(); err != nil {
		return nil, err
	}
	if p.groups, err = secondary.Prepare(c.groups(), next.beside); err != nil {
		return nil, err
	}
	if err := s.open(p); err != nil {
		return nil, p.discard(err)
	}
	return p, nil
}

// succeed makes the parked zones the successors of those that are served, and
// tells the secondaries of those that have changed, or of all at the start.
func (p *prepared) succeed(now *serving) {
	zones := p.parked
	if zones == nil {
		return
	}
	old := now.parked
	p.succession = zones.Succeed(old)
	if len(p.config.notifyTargets()) == 0 {
		return
	}
	if name := zones.CatalogName(); name != "" && (old == nil || p.succession.Catalog) {
		p.tell = append(p.tell, name)
	}
	if old == nil {
		for i := range zones.Len() {
			p.tell = append(p.tell, zones.Name(i))
		}
	}
	for _, i := range p.succession.Changed {
		p.tell = append(p.tell, zones.Name(int(i)))
	}
}

// open opens the sockets of a configuration that are not open already.
func (s *Server) open(p *prepared) error {
	for at := range p.tables {
		l := s.listeners[at]
		if l == nil {
			var err error
			if l, err = openListener(at, s.options.Workers); err != nil {
				return err
			}
			p.listeners[at] = l
		}
		p.listen = append(p.listen, l.at)
	}
	slices.SortFunc(p.listen, netip.AddrPort.Compare)
	for at := range p.pages {
		if s.web[at] != nil {
			continue
		}
		w, err := openWeb(at)
		if err != nil {
			return err
		}
		p.web[at] = w
	}
	c, err := s.openControl(p.config)
	p.control = c
	if err != nil {
		return err
	}
	return s.openXDP(p)
}

// discard closes what is open and will not be served, and returns err with the
// errors of that.
func (p *prepared) discard(err error) error {
	for _, l := range p.listeners {
		err = errors.Join(err, l.closeUnused())
	}
	for _, x := range p.xdp {
		err = errors.Join(err, x.discard())
	}
	for _, w := range p.web {
		err = errors.Join(err, w.close())
	}
	if p.control != nil {
		err = errors.Join(err, p.control.closeUnused())
	}
	return err
}

// commit makes what is prepared what is served. It cannot fail. mu is held.
func (s *Server) commit(p *prepared) {
	for _, b := range p.config.Blocks {
		for _, zone := range b.Zones {
			s.recorder.SetLayouts(string(zone), b.Track.Layouts)
		}
	}
	if j := p.config.Journal; j != nil {
		s.recorder.SetLimits(journal.Limits{MaxSize: j.MaxSize, Retain: j.Retain, RetainRaw: j.RetainRaw})
	}
	s.secondary.Configure(p.groups)
	s.serving.Store(p.serving)
	for at, t := range p.tables {
		if l := p.listeners[at]; l != nil {
			l.table.Store(t)
			l.serve(s)
			s.listeners[at] = l
		} else {
			s.listeners[at].table.Store(t)
		}
	}
	s.switchXDP(p.xdp)
	s.notifier.SetTargets(p.config.notifyTargets())
	s.notifier.Notify(p.tell)
	for at, l := range s.listeners {
		if p.tables[at] == nil {
			delete(s.listeners, at)
			s.closeListener(l)
		}
	}
	s.switchPages(p)
	s.switchControl(p)
	s.smtp.Configure(p.smtp)
	s.reserveDescriptors(p.config)
	if p.parked != nil {
		s.log.Info().Int("zones", p.parked.Len()).Int("changed", len(p.succession.Changed)).Int("removed", p.succession.Removed).
			Str("directory", p.config.Parked.Dir).Msg("parked zones loaded")
	}
}

// closeListener answers what has arrived at an address, and closes it.
func (s *Server) closeListener(l *listener) {
	if err := l.close(&s.drops); err != nil {
		s.log.Error().Err(err).Stringer("listen", l.at).Msg("closing a socket failed")
	}
}

func sameJournal(a, b *Journal) bool {
	if a == nil || b == nil {
		return a == b
	}
	x, y := *a, *b
	x.MaxSize, x.Retain, x.RetainRaw = y.MaxSize, y.Retain, y.RetainRaw
	return x == y
}
