package nameserver

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/miekg/dns"

	"nullspf/internal/dnsname"
	"nullspf/internal/secondary"
	"nullspf/internal/xfr"
)

// table is what is served at one address: a compiled part of a configuration,
// which a reload replaces as a whole. It never changes.
type table struct {
	responders []limitedResponder
	// limit holds for what no responder answers.
	limit   compiledLimit
	cookies *cookieJar // nil is none
	// keys are those of signed messages.
	keys xfr.Keys
	// out answers requests for transfers; nil refuses them.
	out    *xfr.Out
	served *servedTransfers
	// secondaries are networks of servers that may transfer zones, from which any
	// number of connections is taken.
	secondaries []netip.Prefix
	// proxies are networks from which everything begins with a header of the
	// PROXY protocol.
	proxies []netip.Prefix
	// notified takes NOTIFY messages; nil is not implemented.
	notified notifyTaker
	log      *queryLog
	mode     LogMode
}

// limitedResponder is a responder with the limit on its answers.
type limitedResponder struct {
	responder
	limit *compiledLimit
}

// compiledLimit is a limit as one worker applies it.
type compiledLimit struct {
	RateLimit
	// interval is the time between two answers; 0 means no limit.
	interval time.Duration
}

// compileLimit shares a limit out among workers: the kernel spreads the ports
// of a resolver over all of them.
func compileLimit(l RateLimit, workers int) compiledLimit {
	c := compiledLimit{RateLimit: l}
	if l.Rate > 0 {
		c.interval = min(time.Second, time.Second*time.Duration(workers)/time.Duration(l.Rate))
	}
	return c
}

// compiler makes the tables of a configuration.
type compiler struct {
	*serving
	// secrets are those of cookies when the configuration has none.
	secrets []Secret
	log     *queryLog
	workers int
	// source has the zones that may be transferred.
	source xfr.Source
	served *servedTransfers
	// secondary has the secondary zones; nil for a check.
	secondary *secondary.Engine
	// list returns the file of a block list.
	list func(path string) *listFile
	// number gives each zone the number that it has in events.
	number func(zone string) (uint16, error)
}

// compile makes the table of every address.
func (c *compiler) compile() (map[netip.AddrPort]*table, error) {
	var jar *cookieJar
	if !c.config.Cookies.Off {
		jar = &cookieJar{secrets: c.config.Cookies.Secrets}
		if len(jar.secrets) == 0 {
			jar.secrets = c.secrets
		}
	}
	tables := make(map[netip.AddrPort]*table)
	zones, err := c.zones()
	if err != nil {
		return nil, err
	}
	for _, z := range zones {
		for _, at := range z.block.Listen {
			t := tables[at]
			if t == nil {
				t = &table{cookies: jar, log: c.log, mode: c.config.Log, keys: c.config.Keys, proxies: c.config.Proxies}
				tables[at] = t
			}
			if len(z.block.Zones) == 0 && c.config.Transfer != nil {
				t.out, t.served = xfr.NewOut(c.source, c.config.Transfer.acl()), c.served
				t.secondaries = c.config.Transfer.connecting()
			}
			if z.block.Secondary && c.secondary != nil {
				t.notified = c.secondary
			}
			t.responders = append(t.responders, limitedResponder{z.responder, z.limit})
			// Refused queries are limited unless every block at the address
			// says off, and then by the strictest limit.
			if t.limit.interval < z.limit.interval {
				t.limit = *z.limit
			}
		}
	}
	for _, t := range tables {
		t.limit.Exempt = slices.Concat(t.limit.Exempt, c.config.peers())
	}
	return tables, nil
}

// servedZone is a tracking zone, a block list, or all zones of other kinds, with what its
// block says.
type servedZone struct {
	responder
	// size is that of the zone's name.
	size  int
	block *Block
	limit *compiledLimit
}

// zones compiles all zones. The longest stands first, so that a zone below
// another is found; zones of other kinds come last.
func (c *compiler) zones() ([]servedZone, error) {
	type place struct {
		zone dnsname.Name
		at   netip.AddrPort
	}
	served := make(map[place]*Block)
	var zones []servedZone
	for i := range c.config.Blocks {
		b := &c.config.Blocks[i]
		limit := compileLimit(b.Limit, c.workers)
		if len(b.Zones) == 0 {
			for _, at := range b.Listen {
				if other := served[place{"", at}]; other != nil {
					return nil, fmt.Errorf("%s: the block at %s serves %s already; make one block of both", b.Position, other.Position, at)
				}
				served[place{"", at}] = b
			}
			limit.Exempt = slices.Concat(limit.Exempt, c.config.peers())
			zones = append(zones, servedZone{c.stored(b), 0, b, &limit})
		}
		for k := range b.DNSBL {
			d := &b.DNSBL[k]
			z, err := newDNSBLZone(d, c.list(d.File))
			if err == nil && c.parked != nil && c.parked.Version(z.apex) != nil {
				err = fmt.Errorf("%s is a parked zone already", d.Zone)
			}
			if err != nil {
				return nil, fmt.Errorf("%s: dnsbl: %w", d.Position, err)
			}
			zones = append(zones, servedZone{z, len(z.apex), b, &limit})
			for _, at := range b.Listen {
				if other := served[place{d.Zone, at}]; other != nil {
					return nil, fmt.Errorf("%s: dnsbl: zone %s is already served at %s, by the block at %s", d.Position, d.Zone, at, other.Position)
				}
				served[place{d.Zone, at}] = b
			}
		}
		if err := b.checkAddresses(); err != nil {
			return nil, fmt.Errorf("%s: spftrack: %w", b.Track.Position, err)
		}
		for _, name := range b.Zones {
			number, err := c.number(string(name))
			if err != nil {
				return nil, fmt.Errorf("%s: %w", b.Position, err)
			}
			z, err := newTrackZone(name, number, &b.Track)
			if err != nil {
				return nil, fmt.Errorf("%s: spftrack: %w", b.Track.Position, err)
			}
			zones = append(zones, servedZone{z, len(z.apex), b, &limit})
			for _, at := range b.Listen {
				if other := served[place{name, at}]; other != nil {
					return nil, fmt.Errorf("%s: zone %s is already served at %s, by the block at %s", b.Position, name, at, other.Position)
				}
				served[place{name, at}] = b
			}
		}
	}
	slices.SortStableFunc(zones, func(a, b servedZone) int {
		return cmp.Compare(b.size, a.size)
	})
	return zones, nil
}

// isSecondary reports whether an address is that of a secondary.
func (t *table) isSecondary(a netip.Addr) bool {
	return slices.ContainsFunc(t.secondaries, func(p netip.Prefix) bool { return p.Contains(a) })
}

// answer answers a plain query and says how. rates is nil where no limit
// holds; now is in ns since 1970.
func (t *table) answer(q *query, rates *rateTable, now int64) outcome {
	t.applyCookie(q, now)
	result, limit := t.respond(q)
	if rates != nil && limit.exceeded(q, rates) {
		q.truncate()
		q.tracked = false
		return limited
	}
	return result
}

// respond answers a query whose cookie was applied, and returns the limit
// that holds for the answer.
func (t *table) respond(q *query) (outcome, *compiledLimit) {
	for i := range t.responders {
		if r := &t.responders[i]; r.Respond(q) {
			if q.buf[3]&0x0f == dns.RcodeServerFailure {
				return servFail, r.limit
			}
			return answered, r.limit
		}
	}
	q.refuse()
	return refused, &t.limit
}

// applyCookie checks the cookie of a query, if there is one.
func (t *table) applyCookie(q *query, now int64) {
	switch {
	case q.edns.cookieSize == 0:
	case t.cookies == nil:
		q.edns.cookieSize = 0
	default:
		t.cookies.apply(q, uint32(now/int64(time.Second)))
	}
}

// exceeded counts an answer and reports whether it exceeds the limit.
func (l *compiledLimit) exceeded(q *query, rates *rateTable) bool {
	return l.interval > 0 && !q.verified &&
		!rates.allow(q.client.Addr(), l.interval) && !l.exempt(q.client.Addr())
}
