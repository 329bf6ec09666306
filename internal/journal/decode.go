package journal

import (
	"cmp"
	"math"

	"nullspf/internal/dnsname"
	"nullspf/spftrack"
)

// knownFunc gives the function Known of a zone, or nil.
type knownFunc func(zone string) func(domain string) bool

// noZone is the index of no zone.
const noZone = math.MaxUint16

// decoder turns the records of one wal file into events.
type decoder struct {
	server  string
	zones   []walZone
	parsers []*spftrack.Parser
	texts   spftrack.Memory
	batch   []spftrack.Event
}

// batchEvents is how many events are decoded at a time.
const batchEvents = 64

func newDecoder(h *walHeader, known knownFunc) *decoder {
	d := &decoder{server: h.server, zones: h.zones, parsers: make([]*spftrack.Parser, len(h.zones))}
	for i, z := range h.zones {
		var k func(string) bool
		if known != nil {
			k = known(z.name)
		}
		d.parsers[i] = spftrack.NewParser(dnsname.Name(z.name), z.layouts, k)
	}
	return d
}

// events calls yield with the events of a block whose sequence numbers are at
// least from, until yield returns an error: some at a time, in memory that is used
// again. Names, and with an arena all texts, refer to the block's memory.
func (d *decoder) events(blk *block, from uint64, yield func([]spftrack.Event) error) error {
	var p Packet
	if d.batch == nil {
		d.batch = make([]spftrack.Event, 0, batchEvents)
	}
	defer func() { d.batch = d.batch[:0] }()
	rest := blk.records
	d.texts.Use(blk.spare)
	for i := range blk.count {
		n, err := getRecord(rest, &p)
		if n == 0 {
			return cmp.Or(yield(d.batch), err)
		}
		if err != nil {
			// The block's sum is right, so the record was written that way: all
			// that can be told is that there was an event.
			p = Packet{Zone: noZone}
		}
		rest = rest[n:]
		seq := blk.first + uint64(i)
		if seq < from {
			continue
		}
		d.batch = d.batch[:len(d.batch)+1]
		d.event(&p, seq, &d.batch[len(d.batch)-1])
		if len(d.batch) == batchEvents {
			if err := yield(d.batch); err != nil {
				return err
			}
			d.batch = d.batch[:0]
		}
	}
	return yield(d.batch)
}

func (d *decoder) event(p *Packet, seq uint64, e *spftrack.Event) {
	*e = spftrack.Event{
		Seq:            seq,
		Time:           p.Time,
		Server:         d.server,
		Resolver:       p.Resolver,
		Transport:      p.Transport,
		QType:          p.Qtype,
		ClientSubnet:   p.ECS,
		SourceVerified: p.Verified,
		Name:           p.Name,
	}
	if p.Session {
		unpackSession(p, e)
		return
	}
	if int(p.Zone) >= len(d.zones) {
		e.Flags = spftrack.FlagUnparsed
		return
	}
	e.Zone = d.zones[p.Zone].name
	e.Parsed = d.parsers[p.Zone].ParseIn(&d.texts, p.Name, p.Qtype)
}
