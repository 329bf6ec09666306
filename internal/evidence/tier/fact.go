package tier

import (
	"encoding/binary"
	"net/netip"
	"time"
)

// A fact is a text to be counted: the subject's address in 16 bytes, a kind, and what
// belongs to the kind. In order of these texts, the facts about a subject stand
// together, in the order of the kinds below.
type fact byte

const (
	// claim is a query that does not count, with the reason.
	claim fact = 'a'
	// aboutDomain has a listed domain, inHour a clock hour of a query that counts.
	aboutDomain fact = 'd'
	inHour      fact = 'h'
	// knock has the clock hour of a session with a sender in a listed domain, visit
	// that of another session.
	knock fact = 'k'
	visit fact = 'l'
	// fromNetwork has a network of resolvers, fromPublic is one that anybody may use.
	fromNetwork fact = 'n'
	fromPublic  fact = 'p'
	// byReporter has the name of a trusted reporter.
	byReporter fact = 'r'
)

// reason is why a query does not count.
type reason byte

const (
	// unverified: its source may be spoofed.
	unverified reason = 'a'
	// unreadable: its name is not whole, or can be read in several ways.
	unreadable reason = 'b'
	// unlisted: it is about no listed domain.
	unlisted reason = 'c'
	// unplaced: it has no time or no resolver.
	unplaced reason = 'd'
)

const subjectSize = 16

// appendFact appends the beginning of a fact.
func appendFact(b []byte, subject netip.Prefix, kind fact) []byte {
	a := subject.Addr().As16()
	return append(append(b, a[:]...), byte(kind))
}

// subjectOf reads the subject of a fact.
func subjectOf(text string) netip.Prefix {
	return Subject(netip.AddrFrom16([subjectSize]byte([]byte(text[:subjectSize]))))
}

func appendNetwork(b []byte, network netip.Prefix) []byte {
	a := network.Addr().As16()
	return append(append(b, a[:]...), byte(network.Bits()))
}

func readNetwork(text string) netip.Prefix {
	a := netip.AddrFrom16([16]byte([]byte(text[:16]))).Unmap()
	return netip.PrefixFrom(a, int(text[16]))
}

// hours are clock hours since 1970-01-01 UTC.
type hours uint32

func hourOf(ns int64) hours { return hours(ns / int64(time.Hour)) }

func appendHour(b []byte, h hours) []byte { return binary.BigEndian.AppendUint32(b, uint32(h)) }

func readHour(text string) hours { return hours(binary.BigEndian.Uint32([]byte(text))) }

// begin is when the clock hour begins.
func (h hours) begin() time.Time { return time.Unix(int64(h)*3600, 0).UTC() }
