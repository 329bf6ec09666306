package zonestore

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"nullspf/internal/wire"
)

// Errors of [Builder], wrapped with the record at fault.
var (
	// errOutOfZone: the owner name is not in the zone.
	errOutOfZone = errors.New("the record is not in the zone")
	// errNoData: a record that no zone can have, such as OPT, or one of another
	// class.
	errNoData = errors.New("a record that no zone can have")
	// errNotThere: the record that is to be removed is not there.
	errNotThere = errors.New("the record to be removed is not there")
	// errZone: the records make no zone.
	errZone = errors.New("invalid zone")
)

// maxIterations is the greatest number of iterations of NSEC3 that a zone may
// have. RFC 9276 section 3.1 asks for 0; each costs a hash for each negative
// answer.
const maxIterations = 500

// entry is a record on its way. The owner name is relative to the apex, the
// topmost label first.
type entry struct {
	labels string
	rrtype uint16
	ttl    uint32
	data   string
	// key is data with its names in lower case: records that differ in nothing
	// else are the same (RFC 4343).
	key string
}

func (a *entry) compare(b *entry) int {
	return cmp.Or(compareLabels(a.labels, b.labels), cmp.Compare(a.rrtype, b.rrtype), strings.Compare(a.key, b.key))
}

// id returns what identifies the record: neither TTL nor case.
func (a *entry) id() entry { return entry{labels: a.labels, rrtype: a.rrtype, key: a.key} }

// compareLabels compares names whose topmost label stands first, in canonical
// order: label by label, a shorter label before a longer one that begins with
// it.
func compareLabels(a, b string) int {
	for a != "" && b != "" {
		m, n := int(a[0]), int(b[0])
		if c := strings.Compare(a[1:1+m], b[1:1+n]); c != 0 {
			return c
		}
		a, b = a[1+m:], b[1+n:]
	}
	return len(a) - len(b)
}

// Builder collects the records of a version of a zone. It is used by one
// goroutine.
type Builder struct {
	apex wire.Name
	// base is the version that is edited, nil for none.
	base *Zone
	// removed are records of base, added others, by what identifies them.
	removed map[entry]bool
	added   map[entry]entry
	// entries are all records when there is no base.
	entries []entry
}

// NewBuilder returns a builder of a zone without records.
func NewBuilder(apex wire.Name) *Builder { return &Builder{apex: apex} }

// Edit returns a builder that begins with the records of z.
func Edit(z *Zone) *Builder {
	return &Builder{apex: z.apex, base: z, removed: make(map[entry]bool), added: make(map[entry]entry)}
}

// entryOf checks a record and returns it as an entry.
func (b *Builder) entryOf(r *wire.Record) (e entry, err error) {
	if !r.Name.Within(b.apex) {
		return e, fmt.Errorf("%s %s: %w %s", r.Name.Text(), wire.TypeString(r.Type), errOutOfZone, b.apex.Text())
	}
	// Types 128 to 255 are QTYPEs and metatypes (RFC 6895 section 3.1), OPT is
	// one too.
	if r.Class != dns.ClassINET || r.Type == 0 || r.Type == dns.TypeOPT || r.Type >= 128 && r.Type <= 255 {
		return e, fmt.Errorf("%s %s: %w", r.Name.Text(), wire.TypeString(r.Type), errNoData)
	}
	relative := r.Name[:len(r.Name)-len(b.apex)]
	e = entry{labels: reverseLabels(string(relative)), rrtype: r.Type, ttl: r.TTL, data: string(r.Data)}
	e.key = wire.FoldData(r.Type, e.data)
	return e, nil
}

// reverseLabels reverses the order of labels.
func reverseLabels(name string) string {
	if name == "" || 1+int(name[0]) == len(name) {
		return name
	}
	var b [wire.MaxName]byte
	at := len(name)
	for rest := name; rest != ""; {
		size := 1 + int(rest[0])
		at -= size
		copy(b[at:], rest[:size])
		rest = rest[size:]
	}
	return string(b[:len(name)])
}

// Add adds a record, of which it takes a copy. One that is there already stays
// as it is. The error wraps [errOutOfZone] or [errNoData]; then nothing was
// added.
func (b *Builder) Add(r wire.Record) error {
	e, err := b.entryOf(&r)
	if err != nil {
		return err
	}
	if b.base == nil {
		b.entries = append(b.entries, e)
		return nil
	}
	b.added[e.id()] = e
	return nil
}

// Remove removes a record; neither TTLs nor the case of names are compared. The error wraps [errNotThere]
// when there is no such record.
func (b *Builder) Remove(r wire.Record) error {
	e, err := b.entryOf(&r)
	if err != nil {
		return err
	}
	if b.base == nil {
		i := slices.IndexFunc(b.entries, func(o entry) bool { return o.compare(&e) == 0 })
		if i < 0 {
			return fmt.Errorf("%s %s: %w", r.Name.Text(), wire.TypeString(r.Type), errNotThere)
		}
		b.entries = slices.Delete(b.entries, i, i+1)
		return nil
	}
	id := e.id()
	_, wasAdded := b.added[id]
	inBase := b.base.holds(&e) && !b.removed[id]
	if !wasAdded && !inBase {
		return fmt.Errorf("%s %s: %w", r.Name.Text(), wire.TypeString(r.Type), errNotThere)
	}
	delete(b.added, id)
	if inBase {
		b.removed[id] = true
	}
	return nil
}

// holds reports whether the zone has a record.
func (z *Zone) holds(e *entry) bool {
	list := z.nodes
	i, ok := z.search(list, e.labels)
	if !ok {
		list = z.hashed
		if i, ok = z.search(list, e.labels); !ok {
			return false
		}
	}
	n := z.nodeAt(list[i])
	for s := range n.each {
		b := s.data
		for i := range s.count + s.sigs {
			var data []byte
			data, b = nextData(b)
			if s.typeOf(i) == e.rrtype && (string(data) == e.data || len(data) == len(e.data) && wire.FoldData(e.rrtype, string(data)) == e.key) {
				return true
			}
		}
	}
	return false
}

// search finds the node with an owner name, and else the place where it would
// stand.
func (z *Zone) search(list []uint32, labels string) (i int, ok bool) {
	return slices.BinarySearchFunc(list, labels, func(at uint32, labels string) int {
		b := z.blob[at:]
		return compareLabels(string(b[1:1+int(b[0])]), labels)
	})
}

// maxBlob is the size of the largest zone, in bytes.
const maxBlob = 1<<32 - 1

// Build returns the zone. The error wraps [errZone] and says what is wrong. The
// builder is not to be used any more.
func (b *Builder) Build() (*Zone, error) {
	var z *Zone
	var err error
	if b.base != nil {
		z, err = b.splice()
	} else {
		z = &Zone{apex: b.apex}
		err = z.encode(b.sorted())
	}
	if err != nil {
		return nil, err
	}
	return z, nil
}

// sorted returns all records in order, none twice.
func (b *Builder) sorted() []entry {
	order := func(x, y entry) int { return x.compare(&y) }
	if !slices.IsSortedFunc(b.entries, order) {
		slices.SortFunc(b.entries, order)
	}
	return slices.CompactFunc(b.entries, func(x, y entry) bool { return order(x, y) == 0 })
}

// covered returns the type that a RRSIG record covers.
func covered(data string) uint16 {
	if len(data) < 2 {
		return 0
	}
	return uint16(data[0])<<8 | uint16(data[1])
}

// encode makes the blob of sorted entries.
func (z *Zone) encode(entries []entry) error {
	size := 0
	nodes := 0
	for i := range entries {
		e := &entries[i]
		size += lengthSize + len(e.data)
		if i == 0 || entries[i-1].labels != e.labels {
			size += 3 + len(e.labels)
			nodes++
		}
		// Signatures stand in the RRsets that they cover, but for odd ones.
		if e.rrtype != dns.TypeRRSIG && (i == 0 || entries[i-1].labels != e.labels || entries[i-1].rrtype != e.rrtype) {
			size += rrsetHeader
		}
	}
	if size > maxBlob {
		return z.fault("it takes more than 4 GiB")
	}
	z.blob = make([]byte, 0, size)
	z.nodes = make([]uint32, 0, nodes)
	for len(entries) > 0 {
		n := 1
		for n < len(entries) && entries[n].labels == entries[0].labels {
			n++
		}
		if err := z.encodeNode(entries[:n]); err != nil {
			return err
		}
		entries = entries[n:]
	}
	z.trim()
	return z.check()
}

func (z *Zone) fault(format string, args ...any) error {
	return fmt.Errorf("%s: %w: %s", z.apex.Text(), errZone, fmt.Sprintf(format, args...))
}

// encodeNode appends the node of entries with one owner name.
func (z *Zone) encodeNode(entries []entry) error {
	at := uint32(len(z.blob))
	labels := entries[0].labels
	z.count += len(entries)
	sigs := entries[len(entries):]
	if i := slices.IndexFunc(entries, func(e entry) bool { return e.rrtype == dns.TypeRRSIG }); i >= 0 {
		j := i
		for j < len(entries) && entries[j].rrtype == dns.TypeRRSIG {
			j++
		}
		sigs = entries[i:j]
		entries = slices.Concat(entries[:i], entries[j:])
	}
	z.blob = append(z.blob, byte(len(labels)))
	z.blob = append(z.blob, labels...)
	counter := len(z.blob)
	z.blob = append(z.blob, 0, 0)
	count := 0
	hashed, plain := false, false
	for len(entries) > 0 {
		n := 1
		for n < len(entries) && entries[n].rrtype == entries[0].rrtype {
			n++
		}
		rrtype := entries[0].rrtype
		if rrtype == dns.TypeNSEC3 {
			hashed = true
		} else {
			plain = true
		}
		if rrtype == dns.TypeSOA {
			z.soa = uint32(len(z.blob))
		}
		first, _ := slices.BinarySearchFunc(sigs, rrtype, func(e entry, t uint16) int { return cmp.Compare(covered(e.data), t) })
		last := first
		for last < len(sigs) && covered(sigs[last].data) == rrtype {
			last++
		}
		if n > 0xffff || last-first > 0xffff {
			return z.fault("%s has more than 65535 records of type %s", z.owner([]byte(labels)).Text(), wire.TypeString(rrtype))
		}
		z.encodeRRset(rrtype, entries[:n], sigs[first:last])
		sigs = slices.Concat(sigs[:first], sigs[last:])
		count++
		entries = entries[n:]
	}
	if len(sigs) > 0 {
		plain = plain || !hashed
		z.encodeRRset(dns.TypeRRSIG, sigs, nil)
		count++
	}
	if hashed && plain {
		return z.fault("%s has NSEC3 records beside others", z.owner([]byte(labels)).Text())
	}
	if count > 0xffff {
		return z.fault("%s has more than 65535 RRsets", z.owner([]byte(labels)).Text())
	}
	binary.LittleEndian.PutUint16(z.blob[counter:], uint16(count))
	if hashed {
		z.hashed = append(z.hashed, at)
	} else {
		z.nodes = append(z.nodes, at)
	}
	return nil
}

// encodeRRset appends an RRset. Its TTL is the least of its records' (RFC 2181
// section 5.2).
func (z *Zone) encodeRRset(rrtype uint16, records, sigs []entry) {
	at := len(z.blob)
	ttl := records[0].ttl
	z.blob = append(z.blob, make([]byte, rrsetHeader)...)
	for _, list := range [][]entry{records, sigs} {
		for i := range list {
			ttl = min(ttl, list[i].ttl)
			z.blob = binary.BigEndian.AppendUint16(z.blob, uint16(len(list[i].data)))
			z.blob = append(z.blob, list[i].data...)
		}
	}
	b := z.blob[at:]
	binary.LittleEndian.PutUint16(b, rrtype)
	binary.LittleEndian.PutUint32(b[2:], ttl)
	binary.LittleEndian.PutUint16(b[6:], uint16(len(records)))
	binary.LittleEndian.PutUint16(b[8:], uint16(len(sigs)))
	binary.LittleEndian.PutUint32(b[10:], uint32(len(b)-rrsetHeader))
}

// check refuses records that make no zone, and notes what answers depend on.
func (z *Zone) check() error {
	if len(z.nodes) == 0 || len(z.node(0).labels) > 0 {
		return z.fault("there is no record at the apex")
	}
	apex := z.node(0)
	soa, ok := apex.find(dns.TypeSOA)
	if !ok || soa.count != 1 {
		return z.fault("there is not exactly one SOA record at the apex")
	}
	data, _ := soa.first()
	parsed, err := wire.ParseSOA(data)
	if err != nil {
		return z.fault("the SOA record is malformed")
	}
	z.serial = parsed.Serial
	if _, ok := apex.find(dns.TypeNS); !ok {
		return z.fault("there is no NS record at the apex")
	}
	for i, at := range z.nodes {
		n := z.nodeAt(at)
		_, ns := n.find(dns.TypeNS)
		dname, hasDNAME := n.find(dns.TypeDNAME)
		cname, hasCNAME := n.find(dns.TypeCNAME)
		_, again := n.find(dns.TypeSOA)
		z.cuts = z.cuts || hasDNAME || ns && i > 0
		switch {
		case again && i > 0:
			return z.fault("there is a SOA record at %s", z.owner(n.labels).Text())
		case hasCNAME && (cname.count > 1 || hasOthers(&n)):
			return z.fault("%s has a CNAME record beside others", z.owner(n.labels).Text())
		case hasDNAME && dname.count > 1:
			return z.fault("%s has several DNAME records", z.owner(n.labels).Text())
		}
	}
	if params, ok := apex.find(dns.TypeNSEC3PARAM); ok && len(z.hashed) > 0 {
		return z.findChain(&params)
	}
	return nil
}

// findChain finds the NSEC3 records that belong together: while a zone gets
// another salt, those of a second chain, not yet or no longer complete, stand
// between them. Records with flags say nothing (RFC 5155 section 4.1.2).
func (z *Zone) findChain(params *zoneRRset) error {
	var data []byte // algorithm, flags, iterations, salt
	b := params.data
	for range params.count {
		data, b = nextData(b)
		if data[1] != 0 {
			continue
		}
		if data[0] != 1 {
			return z.fault("NSEC3 records of algorithm %d are not supported", data[0])
		}
		p := &nsec3Params{iterations: binary.BigEndian.Uint16(data[2:]), salt: bytes.Clone(data[5:]), chain: z.hashed}
		if p.iterations > maxIterations {
			return z.fault("NSEC3 records with %d iterations; %d are allowed, RFC 9276 asks for 0", p.iterations, maxIterations)
		}
		stranger := func(at uint32) bool { return !z.inChain(at, data) }
		if slices.ContainsFunc(p.chain, stranger) {
			p.chain = slices.Clip(slices.DeleteFunc(slices.Clone(p.chain), stranger))
		}
		if len(p.chain) > 0 {
			z.nsec3 = p
			return nil
		}
	}
	return nil
}

// inChain reports whether the node at an offset has a NSEC3 record with the
// parameters of a NSEC3PARAM record, at a name that is the hash of another.
func (z *Zone) inChain(at uint32, params []byte) bool {
	n := z.nodeAt(at)
	s, _ := n.find(dns.TypeNSEC3)
	data, _ := s.first()
	return len(n.labels) == 1+hashLabel && int(n.labels[0]) == hashLabel && data[0] == params[0] && bytes.HasPrefix(data[2:], params[2:])
}

// hasOthers reports whether a node has what no CNAME record may stand beside
// (RFC 2181 section 10.1, RFC 4034 section 3).
func hasOthers(n *zoneNode) bool {
	for s := range n.each {
		switch s.rrtype {
		case dns.TypeCNAME, dns.TypeRRSIG, dns.TypeNSEC, dns.TypeKEY:
		default:
			return true
		}
	}
	return false
}
