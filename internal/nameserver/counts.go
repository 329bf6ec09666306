package nameserver

// Counts are the counters of a server. Those that belong together agree as
// soon as all that was received is answered.
type Counts struct {
	UDP, TCP TransportCounts
	// Beside are the messages over UDP that came beside the kernel.
	Beside uint64
	// Tracked queries, and sessions of the SMTP listener, are events.
	Tracked                 uint64
	SendErrors, SocketDrops uint64
}

// TransportCounts count the messages over one transport.
type TransportCounts struct {
	Received, Answered, Dropped uint64
	outcomes                    [numOutcomes]uint64
}

func (t *TransportCounts) add(c *counters) {
	t.Received += c.received.Load()
	for o := range c.outcomes {
		n := c.outcomes[o].Load()
		t.outcomes[o] += n
		if outcome(o) < firstDropped {
			t.Answered += n
		} else {
			t.Dropped += n
		}
	}
}

// Counts adds up the counters of all workers.
func (s *Server) Counts() Counts {
	var out Counts
	for _, sh := range s.shards {
		out.UDP.add(&sh.counters)
		out.Beside += sh.beside.Load()
		out.Tracked += sh.tracked.Load()
		out.SendErrors += sh.sendErrors.Load()
	}
	out.UDP.add(&s.slow.counters)
	out.TCP.add(&s.tcp.counters)
	out.Tracked += s.slow.counters.tracked.Load() + s.tcp.tracked.Load() + s.smtp.Stats().Sessions
	out.SendErrors += s.slow.counters.sendErrors.Load()
	out.SocketDrops = s.drops.count()
	return out
}

// zoneCounts counts the zones that are served, by kind.
func (s *Server) zoneCounts() map[string]int {
	now := s.serving.Load()
	n := map[string]int{"tracking": 0, "parked": 0, "secondary": s.secondary.Table().Len(), "dnsbl": len(listZones{now.config, s.lists}.all())}
	for _, b := range now.config.Blocks {
		n["tracking"] += len(b.Zones)
	}
	if now.parked != nil {
		n["parked"] = now.parked.Len()
	}
	return n
}
