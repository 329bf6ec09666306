package spftrack

import (
	"slices"
	"strings"

	"nullspf/internal/dnsname"
	"nullspf/internal/wire"
)

// The longest label that a cut can have taken from the left, by what stands
// leftmost. A local part has at most 64 bytes (RFC 5321 section 4.5.3.1.1);
// as a label it would be too long, but a receiver that cuts does not care.
const (
	nextNone   = 0
	nextNibble = 1
	nextMarker = 2 // LP
	nextByte   = 2
	nextOctet  = 3
	nextFamily = 7 // in-addr
	nextText   = 64
)

// Parser reads the query names of one tracking zone. It is safe for concurrent
// use when known is.
type Parser struct {
	zone       string
	zoneLabels int
	classic    bool
	known      func(string) bool
}

// NewParser returns a parser for a tracking zone. Whole names of every layout
// are recognised, also of one that the zone no longer serves; layouts says
// what may stand behind the rest: with Classic in it, each name in the zone may
// be the right part of a classic name.
//
// known reports whether a domain, in lower case without final dot, is listed:
// it and the names below it carry our records. It decides between several
// possible readings. nil knows nothing.
func NewParser(zone dnsname.Name, layouts []Layout, known func(domain string) bool) *Parser {
	return &Parser{
		zone:       string(zone),
		zoneLabels: strings.Count(string(zone), ".") + 1,
		classic:    slices.Contains(layouts, Classic),
		known:      known,
	}
}

// ParseText is [Parser.Parse] for a name in presentation format; the error is
// that of [wire.PackName].
func (p *Parser) ParseText(name string, qtype uint16) (Parsed, error) {
	packed, err := wire.PackName(name)
	if err != nil {
		return Parsed{}, err
	}
	return p.Parse(packed, qtype), nil
}

// Parse reads a query name in uncompressed wire format, root label included.
// It never fails: what it cannot read is KindOther with FlagUnparsed.
//
// A query of the type that a check asks, A or AAAA for exists: and TXT for
// exp=, is of that kind when the name is whole. When labels are missing on its
// left, the name was either cut by the receiver or minimised by its resolver.
// It counts as cut if one label more could have exceeded 253 bytes, and as
// minimised if not. NS queries, and those for A or AAAA of exp= names, come
// from minimising resolvers. Other types make KindOther, fields filled.
//
// Of a minimised name only those fields are set that the next layout word shows
// to be complete, and a domain that known knows.
func (p *Parser) Parse(name []byte, qtype uint16) Parsed {
	return p.ParseIn(&Memory{make([]byte, len(name))}, name, qtype)
}

// ParseIn is [Parser.Parse] with memory for the texts.
func (p *Parser) ParseIn(memory *Memory, name []byte, qtype uint16) Parsed {
	unparsed := Parsed{Flags: FlagUnparsed}
	var l labels
	if !l.load(name, memory) || !l.trimZone(p.zone, p.zoneLabels) {
		return unparsed
	}
	if l.Count == 0 {
		return Parsed{}
	}
	// Some minimising resolvers ask for A of "_" below the part they tell. In
	// a name that may have been cut, "_" belongs to a sender or HELO.
	if l.Count > 1 && l.is(0, "_") && qtype != TypeTXT && !l.cut(nextText) {
		l.dropFirst()
		qtype = TypeNS
	}
	kind, fd := l.marker()
	if l.unexpanded(fd) {
		unparsed.Flags |= FlagUnexpanded
		return unparsed
	}
	classic := l.head()
	classic.whole = classic.whole && l.lastWord("he") > classic.fr
	switch {
	case kind != KindOther && !(p.classic && classic.whole && qtype != TypeTXT):
		if parsed, ok := p.tracked(&l, kind, fd, qtype); ok {
			return parsed
		}
		if !p.classic && !classic.whole {
			return unparsed
		}
	case kind == KindOther && !p.classic && !classic.whole:
		if l.Count == 1 && (l.is(0, "1") || l.is(0, "2")) {
			return Parsed{Kind: minimised(qtype)}
		}
		return unparsed
	}
	parsed := p.parseClassic(&l, classic, qtype)
	if kind != KindOther {
		// HELO looks like the right part of the layout Track, or the HELO of
		// an exp= name looks like the left part of a classic one.
		parsed.Flags |= FlagAmbiguous
	}
	return parsed
}

// within reports whether a domain is known, or lies below one that is.
func (p *Parser) within(domain string) bool {
	if p.known == nil {
		return false
	}
	for domain != "" && !p.known(domain) {
		_, domain, _ = strings.Cut(domain, ".")
	}
	return domain != ""
}

// marker finds FD.1 or FD.2, which end the names of Track, Exists and Beacon; fd is
// the index of FD.
func (l *labels) marker() (kind Kind, fd int) {
	fd = l.Count - 2
	if fd < 0 || !l.is(fd, "fd") {
		return KindOther, 0
	}
	switch {
	case l.is(fd+1, "1"):
		return KindExists, fd
	case l.is(fd+1, "2"):
		return KindExp, fd
	}
	return KindOther, 0
}

// unexpanded reports whether a name holds a macro where the domain ends, or
// where a classic name has its address. What a stranger chooses may look like a
// macro, but does not stand there.
func (l *labels) unexpanded(fd int) bool {
	return fd > 0 && l.is(fd-1, "%{d}") || l.Count > 2 && l.is(1, "%{i}") && l.is(0, "cl") && l.is(2, "fr")
}

// lastWord returns the index of the rightmost label equal to word, -1 for
// none.
func (l *labels) lastWord(word string) int {
	for i := l.Count - 1; i >= 0; i-- {
		if l.is(i, word) {
			return i
		}
	}
	return -1
}

// asks reports whether a check asks names of this kind with this type. Some
// software asks AAAA beside A.
func asks(kind Kind, qtype uint16) bool {
	if kind == KindExp {
		return qtype == TypeTXT
	}
	return qtype == TypeA || qtype == TypeAAAA
}

// minimised returns the kind of a name that lacks labels on its left.
func minimised(qtype uint16) Kind {
	switch qtype {
	case TypeA, TypeAAAA, TypeNS, TypeTXT:
		return KindMinimised
	}
	return KindOther
}

// settle decides between a whole, a cut and a minimised name. whole: no part
// of the form is missing. next bounds the label that may be missing on the
// left, nextNone for none.
func (p *Parsed) settle(l *labels, kind Kind, whole bool, next int, qtype uint16) {
	cut := next > nextNone && l.cut(next)
	switch {
	case !asks(kind, qtype):
		p.Kind = minimised(qtype)
		if kind != KindExp && qtype == TypeTXT {
			p.Kind = KindOther
		}
	case whole || cut:
		p.Kind = kind
		if cut {
			p.Flags |= FlagTruncated
		}
	default:
		p.Kind = KindMinimised
	}
}

// cut reports whether a label of next bytes more would have made the name too
// long, so that a receiver may have cut it.
func (l *labels) cut(next int) bool { return l.size+1+next > maxText }
