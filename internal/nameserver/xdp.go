package nameserver

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/rs/zerolog"

	"nullspf/internal/xdp"
)

// xdpPort is an interface at which messages are answered beside the kernel. It
// stays open as long as a configuration names the interface.
type xdpPort struct {
	name   string
	device *xdp.Device
	filter *xdp.Filter
	log    zerolog.Logger
	routes atomic.Pointer[[]xdpRoute]
	// running are the workers.
	running sync.WaitGroup
	// gone: there is no such interface any more.
	gone atomic.Bool
}

// xdpRoute says whose messages those to an address are.
type xdpRoute struct {
	at netip.AddrPort
	l  *listener
}

// xdpPlan is what a configuration wants of an interface.
type xdpPlan struct {
	position string
	vlans    []uint16
	routes   []xdpRoute
	filter   *xdp.Filter
	// One of these is made in preparation: a port, or a program for the open one.
	port    *xdpPort
	program *xdp.Program
}

// planXDP finds out what is wanted of each interface. The listeners are open.
func (s *Server) planXDP(p *prepared) (map[string]*xdpPlan, error) {
	plans := make(map[string]*xdpPlan)
	for i := range p.config.Blocks {
		b := &p.config.Blocks[i]
		for _, x := range b.XDP {
			plan := plans[x.Interface]
			if plan == nil {
				plan = &xdpPlan{position: x.Position}
				plans[x.Interface] = plan
			}
			plan.vlans = append(plan.vlans, x.VLANs...)
			for _, at := range b.Listen {
				l := cmp.Or(p.listeners[at], s.listeners[at])
				plan.routes = append(plan.routes, xdpRoute{l.at, l})
			}
		}
	}
	for name, plan := range plans {
		slices.Sort(plan.vlans)
		plan.vlans = slices.Compact(plan.vlans)
		around, err := xdp.Surround(name, plan.vlans)
		if err != nil {
			return nil, fmt.Errorf("%s: xdp: %w", plan.position, err)
		}
		plan.expand(around.Addresses)
		plan.filter = &xdp.Filter{VLANs: plan.vlans, Kernel: around.Elsewhere}
		for _, r := range plan.routes {
			plan.filter.Local = append(plan.filter.Local, r.at)
		}
	}
	return plans, nil
}

// expand puts the addresses of an interface in the place of all addresses. Who
// listens at one of them by name has it, as with sockets.
func (p *xdpPlan) expand(addresses []netip.Addr) {
	var routes, everywhere []xdpRoute
	for _, r := range p.routes {
		if !r.at.Addr().IsUnspecified() {
			routes = append(routes, r)
			continue
		}
		for _, a := range addresses {
			if a.Is4() == r.at.Addr().Is4() {
				everywhere = append(everywhere, xdpRoute{netip.AddrPortFrom(a.WithZone(""), r.at.Port()), r.l})
			}
		}
	}
	routes = append(routes, everywhere...)
	slices.SortStableFunc(routes, func(a, b xdpRoute) int { return a.at.Compare(b.at) })
	p.routes = slices.CompactFunc(routes, func(a, b xdpRoute) bool { return a.at == b.at })
}

// openXDP opens interfaces, and makes programs for those that are open.
func (s *Server) openXDP(p *prepared) (err error) {
	if p.xdp, err = s.planXDP(p); err != nil {
		return err
	}
	for name, plan := range p.xdp {
		now := s.xdp[name]
		switch {
		case now == nil || now.gone.Load():
			var d *xdp.Device
			if d, err = xdp.Open(name, plan.filter); err == nil {
				plan.port = &xdpPort{name: name, device: d, filter: plan.filter, log: s.log.With().Str("interface", name).Logger()}
			} else if now != nil {
				s.log.Warn().Err(err).Str("interface", name).Msg("xdp: an interface that was gone is not back; sockets answer")
				err = nil
			}
		case !reflect.DeepEqual(now.filter, plan.filter):
			plan.program, err = now.device.Compile(plan.filter)
		}
		if err != nil {
			return fmt.Errorf("%s: xdp: %s: %w", plan.position, name, err)
		}
	}
	return nil
}

// discard closes what was made in preparation.
func (p *xdpPlan) discard() error {
	switch {
	case p.port != nil:
		return p.port.device.Close()
	case p.program != nil:
		return p.program.Close()
	}
	return nil
}

// switchXDP has the interfaces of a configuration answer, and others not. The
// listeners of both configurations are open.
func (s *Server) switchXDP(plans map[string]*xdpPlan) {
	for name, port := range s.xdp {
		if plan := plans[name]; plan == nil || plan.port != nil {
			delete(s.xdp, name)
			s.closeXDP(port)
		}
	}
	for name, plan := range plans {
		port := s.xdp[name]
		if plan.port != nil {
			port = plan.port
			s.xdp[name] = port
		}
		port.routes.Store(&plan.routes)
		if plan.program != nil {
			if err := port.device.Use(plan.program); err != nil {
				port.log.Error().Err(err).Msg("xdp: messages to new addresses go through sockets")
			} else {
				port.filter = plan.filter
			}
		}
		if plan.port != nil {
			port.serve(s)
		}
	}
	ports := slices.Collect(maps.Values(s.xdp))
	s.ports.Store(&ports)
	// Whoever answers by earlier routes holds its shard.
	for _, sh := range s.shards {
		sh.wait()
	}
}

// closeXDP has an interface's messages go to the sockets, answers those that it
// has, and closes it.
func (s *Server) closeXDP(port *xdpPort) {
	port.device.End()
	port.running.Wait()
	s.drops.remove(port)
	if err := port.device.Close(); err != nil {
		port.log.Error().Err(err).Msg("closing an interface failed")
	}
}

// serve starts the workers.
func (x *xdpPort) serve(s *Server) {
	queues := len(x.device.Queues)
	// Each queue has an equal part of the messages.
	weight := int64(max(1, fullWeight*min(queues, len(s.shards))/len(s.shards)))
	for i, queue := range x.device.Queues {
		shard := i % len(s.shards)
		w := &udpWorker{
			shard:  s.shards[shard],
			inbox:  &xdpInbox{Queue: queue, port: x, shard: shard, counters: &s.shards[shard].counters},
			slow:   s.slow,
			log:    x.log,
			weight: weight,
		}
		x.running.Go(func() {
			// Never unlocked: the thread ends with the worker.
			runtime.LockOSThread()
			_ = xdp.Pin(i)
			w.run()
		})
	}
	s.drops.add(x)
	mode := "native"
	if x.device.Generic {
		mode = "generic"
	}
	if err := x.device.Begin(); err != nil {
		x.log.Error().Err(err).Msg("xdp: sockets answer instead")
		return
	}
	addresses := make([]string, len(*x.routes.Load()))
	for i, r := range *x.routes.Load() {
		addresses[i] = r.at.String()
	}
	x.log.Info().Str("mode", mode).Bool("zero_copy", x.device.ZeroCopy).Int("queues", queues).Strs("addresses", addresses).Msg("xdp: answering beside the kernel")
}

// drops implements [dropper].
func (x *xdpPort) drops() (n uint64) {
	for _, q := range x.device.Queues {
		n += q.Dropped()
	}
	return n
}

// lost says once that the interface is gone, or fails, and has all messages go to
// the sockets.
func (x *xdpPort) lost(err error) {
	if !x.gone.Swap(true) {
		x.device.End()
		x.log.Error().Err(err).Msg("xdp: sockets answer from now on; a reload tries the interface again")
	}
}

// xdpProblems says which interfaces are not served as they should be.
func (s *Server) xdpProblems() (problems []string) {
	ports := s.ports.Load()
	if ports == nil {
		return nil
	}
	for _, x := range *ports {
		if x.gone.Load() {
			problems = append(problems, fmt.Sprintf("xdp: %s is gone or has failed; sockets answer, see the log. A reload tries it again", x.name))
		}
	}
	return problems
}

// xdpInbox is a queue of an interface as an inbox.
type xdpInbox struct {
	*xdp.Queue
	port *xdpPort
	// shard is the number of the worker's shard.
	shard    int
	counters *counters

	message xdp.Message
	// listener is that of the message that was read last.
	listener *listener
	queued   int
	stopped  bool
}

// receive implements [inbox]. After the device's end it goes on until all that has
// arrived is answered.
func (x *xdpInbox) receive() (n int, ended bool) {
	if n = x.Receive(); n > 0 {
		x.counters.beside.Add(uint64(n))
		return n, false
	}
	if x.stopped {
		return 0, true
	}
	stopped, err := x.Wait()
	if err != nil {
		x.port.lost(err)
		return 0, true
	}
	x.stopped = stopped
	return 0, false
}

// read implements [inbox].
func (x *xdpInbox) read(i int, q *query) *table {
	m := &x.message
	if !x.Message(i, m) {
		return nil
	}
	for _, r := range *x.port.routes.Load() {
		if r.at == m.Local {
			x.listener = r.l
			q.client = m.Source
			q.reset(m.Buffer, m.Size)
			return r.l.table.Load()
		}
	}
	return nil
}

// queue implements [inbox].
func (x *xdpInbox) queue(i, size int) {
	x.Reply(i, size)
	x.queued++
}

// hand implements [inbox]: what takes the slow path is answered by a socket.
func (x *xdpInbox) hand(_ int, job *slowJob) {
	job.socket = x.listener.udp[x.shard]
	job.addressSize = job.packet.setClient(x.message.Source, x.port.device.Index)
	job.controlSize = 0
	if job.socket.controls {
		job.controlSize = job.packet.setDestination(x.message.Local.Addr(), x.port.device.Index)
	}
}

// send implements [inbox].
func (x *xdpInbox) send(int) (failed int) {
	if x.Flush() != nil {
		failed = x.queued
	}
	x.queued = 0
	return failed
}
