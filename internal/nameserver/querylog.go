package nameserver

import (
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"
	"github.com/rs/zerolog"

	"nullspf/internal/wire"
)

// logRoom is the number of lines that wait for a slow log; further ones are
// counted and left out.
const logRoom = 1024

// logPatience bounds how long the log holds up the end of the server.
const logPatience = 2 * time.Second

// queryLog writes one line a query, from a goroutine of its own, so that no
// answer waits for whoever reads the log.
type queryLog struct {
	lines chan logLine
	// suppressed counts lines that were left out.
	suppressed atomic.Uint64
	done       chan struct{}
}

// logLine is what a line says. It holds the name itself, so that handing it
// over does not allocate.
type logLine struct {
	client  netip.AddrPort
	qtype   uint16
	outcome outcome
	tcp     bool
	size    uint8
	name    [wire.MaxName]byte
}

func newQueryLog(logger zerolog.Logger) *queryLog {
	l := &queryLog{lines: make(chan logLine, logRoom), done: make(chan struct{})}
	go l.run(logger)
	return l
}

func (l *queryLog) run(logger zerolog.Logger) {
	defer close(l.done)
	var told uint64
	for line := range l.lines {
		line.write(logger)
		if n := l.suppressed.Load(); len(l.lines) == 0 && n != told {
			logger.Warn().Uint64("lines", n-told).Msg("lines of the query log were dropped: whoever reads it is too slow")
			told = n
		}
	}
}

func (line *logLine) write(logger zerolog.Logger) {
	event := logger.Info()
	transport := "udp"
	if line.tcp {
		transport = "tcp"
	}
	event.Str("client", line.client.String()).Str("transport", transport)
	if line.size > 0 {
		// The presentation format of the name has no control characters.
		if name, _, err := dns.UnpackDomainName(line.name[:line.size], 0); err == nil {
			event.Str("qname", name).Str("qtype", dns.Type(line.qtype).String())
		}
	}
	switch {
	case line.outcome >= firstDropped:
		event.Str("dropped", outcomeNames[line.outcome])
	case line.outcome >= refused:
		event.Str("rcode", strings.ToUpper(outcomeNames[line.outcome]))
	default:
		event.Str("rcode", "NOERROR").Bool("limited", line.outcome == limited)
	}
	event.Msg("query")
}

// close writes what waits, unless whoever reads the log hangs. Nothing may be
// put any more.
func (l *queryLog) close() {
	close(l.lines)
	select {
	case <-l.done:
	case <-time.After(logPatience):
	}
}

// note logs what became of a query, if the mode asks for it. For messages
// that could not be parsed q holds no name.
func (t *table) note(q *query, o outcome) {
	if t.mode == LogNone || t.mode == LogErrors && o < refused {
		return
	}
	line := logLine{client: q.client, qtype: q.qtype, outcome: o, tcp: q.tcp}
	if q.end > headerSize {
		line.size = uint8(copy(line.name[:], q.name()))
	}
	select {
	case t.log.lines <- line:
	default:
		t.log.suppressed.Add(1)
	}
}
