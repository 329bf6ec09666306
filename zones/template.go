package zones

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/miekg/dns"
)

// Hash identifies the content of a zone file apart from its serial number:
// the first half of a SHA-256 sum.
type Hash [16]byte

// Template is the compiled form of a group, for one mail mode, SPF layout and
// set of addresses. It is safe for concurrent use.
//
//	"; " <domain> " (group generic) ..." <domain> "...SOA ... " <serial> " 7200 ..."
type Template struct {
	segments []segment
}

// segment is a run of bytes and what follows them.
type segment struct {
	literal []byte
	then    slot
	// text holds the pieces of a TXT string around its domains: how it is
	// split into strings of 255 bytes depends on the name's length.
	text []string
}

type slot uint8

const (
	slotEnd slot = iota
	slotDomain
	slotSerial
	slotText
)

// ownerWidth and typeWidth are the columns of a zone file.
const (
	ownerWidth = 15
	typeWidth  = 5
)

// newTemplate compiles the zone of a group.
func newTemplate(g *Group, mail MailMode, layout string, addresses []netip.Addr) *Template {
	b := &templateBuilder{group: g.Name}
	b.literal("; ")
	b.slot(slotDomain)
	b.literal(" (group " + g.Name + "), written by nullspf: change the list or the configuration, not this file\n$ORIGIN ")
	b.slot(slotDomain)
	b.literal(".\n$TTL " + strconv.FormatInt(int64(g.TTL.Seconds()), 10) + "\n")
	before, after := g.soaData()
	b.literal(columns(ownerApex, "SOA") + before)
	b.slot(slotSerial)
	b.literal(after + "\n")
	for _, r := range g.zoneRecords(mail, layout, addresses) {
		owner := r.owner
		if ttl := g.ttl(r.rrtype); ttl != g.ttl("") {
			owner = fmt.Sprintf("%-*s %d", ownerWidth-5, owner, ttl)
		}
		b.literal(columns(owner, r.rrtype))
		b.data(r)
		b.literal("\n")
	}
	b.slot(slotEnd)
	return &Template{b.segments}
}

func columns(owner, rrtype string) string {
	return fmt.Sprintf("%-*s IN %-*s ", ownerWidth, owner, typeWidth, rrtype)
}

type templateBuilder struct {
	segments []segment
	run      bytes.Buffer
	group    string
}

func (b *templateBuilder) literal(s string) { b.run.WriteString(s) }

func (b *templateBuilder) slot(s slot) {
	b.segments = append(b.segments, segment{literal: bytes.Clone(b.run.Bytes()), then: s})
	b.run.Reset()
}

func (b *templateBuilder) data(r record) {
	if r.rrtype != "TXT" {
		b.literal(r.data)
		return
	}
	pieces := strings.Split(strings.ReplaceAll(r.data, "{group}", b.group), "{domain}")
	if len(pieces) == 1 {
		b.run.Write(appendStrings(nil, pieces, ""))
		return
	}
	b.slot(slotText)
	b.segments[len(b.segments)-1].text = pieces
}

// Append appends the zone file of a name and tells where in the result its
// serial number stands.
func (t *Template) Append(dst []byte, name string, serial uint32) (out []byte, serialStart, serialEnd int) {
	for i := range t.segments {
		s := &t.segments[i]
		dst = append(dst, s.literal...)
		switch s.then {
		case slotDomain:
			dst = append(dst, name...)
		case slotSerial:
			serialStart = len(dst)
			dst = strconv.AppendUint(dst, uint64(serial), 10)
			serialEnd = len(dst)
		case slotText:
			dst = appendStrings(dst, s.text, name)
		}
	}
	return dst, serialStart, serialEnd
}

// Records returns the records of a name's zone, the SOA first.
func (t *Template) Records(name string, serial uint32) ([]dns.RR, error) {
	text, _, _ := t.Append(nil, name, serial)
	return parseZone(bytes.NewReader(text), name, ZoneFile(name))
}

// contentHash sums up a zone file apart from its serial number.
func contentHash(file []byte, serialStart, serialEnd int) Hash {
	h := sha256.New()
	h.Write(file[:serialStart])
	h.Write(file[serialEnd:])
	var sum [sha256.Size]byte
	h.Sum(sum[:0])
	return Hash(sum[:len(Hash{})])
}

// appendStrings appends the text that pieces make with name between them as
// character-strings of at most 255 bytes (RFC 1035 section 3.3.14), quoted
// and escaped (section 5.1).
func appendStrings(dst []byte, pieces []string, name string) []byte {
	dst = append(dst, '"')
	n := 0
	put := func(s string) {
		for i := range len(s) {
			if n == maxString {
				dst = append(dst, '"', ' ', '"')
				n = 0
			}
			n++
			switch c := s[i]; {
			case c == '"' || c == '\\':
				dst = append(dst, '\\', c)
			case c < ' ' || c > '~':
				dst = append(dst, '\\', '0'+c/100, '0'+c/10%10, '0'+c%10)
			default:
				dst = append(dst, c)
			}
		}
	}
	for i, p := range pieces {
		if i > 0 {
			put(name)
		}
		put(p)
	}
	return append(dst, '"')
}

const maxString = 255

// variant is what a template depends on besides its group.
type variant struct {
	group     uint16
	mail      MailMode
	spf       string
	addresses string
}

// templates compiles templates when they are first needed. It is not safe for
// concurrent use: each worker has one.
type templates struct {
	set      *Set
	compiled map[variant]*Template
}

// maxTemplates bounds the memory of templates for lists in which every line
// has addresses of its own.
const maxTemplates = 256

func newTemplates(s *Set) *templates {
	return &templates{set: s, compiled: make(map[variant]*Template)}
}

func (ts *templates) of(e *Entry) *Template {
	g := ts.set.Group(e)
	v := variant{group: e.group, mail: ts.set.Mail(e), spf: ts.set.SPF(e)}
	var addresses []netip.Addr
	if e.Override != nil && len(e.Override.Addresses) > 0 {
		addresses = e.Override.Addresses
		for _, a := range addresses {
			v.addresses += string(a.AsSlice())
		}
	}
	if t := ts.compiled[v]; t != nil {
		return t
	}
	if addresses == nil {
		addresses = g.addresses()
	}
	if len(ts.compiled) >= maxTemplates {
		clear(ts.compiled)
	}
	t := newTemplate(g, v.mail, v.spf, addresses)
	ts.compiled[v] = t
	return t
}

// Template returns the template of e.
func (s *Set) Template(e *Entry) *Template { return newTemplates(s).of(e) }
