package zonestore

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"

	"nullspf/internal/ascii"
	"nullspf/internal/wire"
	"nullspf/zones"
)

// template is the compiled content of zones that are alike but for their name,
// their serial number and their addresses: a tree of names with RRsets in wire
// format, into which the rest is filled when an answer is made.
//
//	"@"            NS MX TXT, addresses, soa
//	"www"          MX TXT, addresses
//	"*"            MX TXT
//	"_domainkey"   (no records: an empty non-terminal)
//	"*._domainkey" TXT
//
// No answer holds more than one RRset: names in the records are never in a
// published zone, so that there are no additional addresses.
type template struct {
	ttl  uint32
	apex *node
	// soa is the SOA record of an answer, negative that of an authority
	// section, whose TTL is the least of its own and MINIMUM (RFC 2308 section
	// 3).
	soa, negative soaRecord
	// records are all but addresses, in the order of a zone file; addressed are
	// the owners of those, as in templateRecord.
	records   []templateRecord
	addressed []string
}

// node is a name of a template.
type node struct {
	// label is the first label of the name, with its length, in lower case;
	// nil at the apex.
	label []byte
	apex  bool
	// addressed: the addresses of the zone stand here.
	addressed bool
	rrsets    []parkedRRset
	children  []*node
	// wildcard is the child "*", nil without one.
	wildcard *node
}

// templateRecord is a record of a template.
type templateRecord struct {
	// owner is the part of the owner name before the zone's name, in wire
	// format; "" is the apex.
	owner  string
	rrtype uint16
	// data is RDATA without compression; nil when it follows from text.
	data []byte
	text parkedText
}

// ownedHeader is the length of a record before RDATA, its owner name a
// compression pointer.
const ownedHeader = 12

func compileTemplate(z *zones.ParkedTemplate) (*template, error) {
	t := &template{ttl: uint32(z.TTL / time.Second), apex: &node{apex: true}}
	if err := t.compileSOA(z); err != nil {
		return nil, err
	}
	for _, owner := range z.Addresses {
		n, relative, err := t.node(owner)
		if err != nil {
			return nil, err
		}
		n.addressed = true
		t.addressed = append(t.addressed, relative)
	}
	byOwner := make(map[*node]map[uint16][]templateRecord)
	var order []*node
	for _, r := range z.Records {
		n, owner, err := t.node(r.Owner)
		if err != nil {
			return nil, err
		}
		made, err := compileRecord(owner, &r)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", r.Owner, r.Type, err)
		}
		if slices.ContainsFunc(t.records, made.equal) {
			continue
		}
		t.records = append(t.records, made)
		if byOwner[n] == nil {
			byOwner[n] = make(map[uint16][]templateRecord)
			order = append(order, n)
		}
		byOwner[n][made.rrtype] = append(byOwner[n][made.rrtype], made)
	}
	for _, n := range order {
		for rrtype, records := range byOwner[n] {
			n.rrsets = append(n.rrsets, compileRRset(rrtype, t.ttl, records))
		}
		slices.SortFunc(n.rrsets, func(a, b parkedRRset) int { return int(a.rrtype) - int(b.rrtype) })
	}
	return t, nil
}

// node returns the node of an owner name relative to the zone, which is made
// with those above it when it is not there.
func (t *template) node(owner string) (n *node, relative string, err error) {
	n = t.apex
	if owner == "@" {
		return n, "", nil
	}
	name, err := wire.ParseName(owner)
	if err != nil {
		return nil, "", fmt.Errorf("owner name %q: %w", owner, err)
	}
	var labels []string
	for rest := name; len(rest) > 1; rest = rest.Parent() {
		labels = append(labels, string(rest[:1+rest[0]]))
	}
	for _, label := range slices.Backward(labels) {
		child := n.child([]byte(label))
		if child == nil {
			child = &node{label: []byte(label)}
			n.children = append(n.children, child)
			if label == "\x01*" {
				n.wildcard = child
			}
		}
		n = child
	}
	return n, string(name[:len(name)-1]), nil
}

// child returns the child with a label, nil when there is none.
func (n *node) child(label []byte) *node {
	for _, c := range n.children {
		if ascii.EqualFold(label, c.label) {
			return c
		}
	}
	return nil
}

// find returns the node that answers for QNAME, whose last labels are the
// zone's name (RFC 1034 section 4.3.2, RFC 4592 section 3.3.1); ok is false
// when the name does not exist.
func (t *template) find(r *Reply, labels int) (n *node, ok bool) {
	n = t.apex
	for i := r.QName.Count - labels - 1; i >= 0; i-- {
		at := headerSize + int(r.QName.At[i])
		c := n.child(r.Buf[at : at+1+int(r.Buf[at])])
		if c == nil {
			return n.wildcard, n.wildcard != nil
		}
		n = c
	}
	return n, true
}

func compileRecord(owner string, r *zones.ParkedRecord) (out templateRecord, err error) {
	out.owner = owner
	if r.Type == "TXT" {
		out.rrtype = dns.TypeTXT
		out.text = strings.Split(r.Data, "{domain}")
		if len(out.text) == 1 {
			out.data = out.text.append(nil, nil)
		}
		return out, nil
	}
	rr, err := dns.NewRR(". IN " + r.Type + " " + r.Data)
	if err != nil || rr == nil {
		return out, fmt.Errorf("%q is not data of this type", r.Data)
	}
	record, err := wire.FromRR(rr)
	out.rrtype, out.data = record.Type, record.Data
	return out, err
}

func (r *templateRecord) equal(o templateRecord) bool {
	return r.owner == o.owner && r.rrtype == o.rrtype && string(r.data) == string(o.data) && slices.Equal(r.text, o.text)
}

// putHeader writes a record up to its data of a size; its owner name is a
// compression pointer.
func putHeader(b []byte, at, owner int, rrtype uint16, ttl uint32, size int) int {
	b = b[at : at+ownedHeader : at+ownedHeader]
	binary.BigEndian.PutUint16(b, 0xc000|uint16(owner))
	binary.BigEndian.PutUint16(b[2:], rrtype)
	binary.BigEndian.PutUint16(b[4:], dns.ClassINET)
	binary.BigEndian.PutUint32(b[6:], ttl)
	binary.BigEndian.PutUint16(b[10:], uint16(size))
	return at + ownedHeader
}
