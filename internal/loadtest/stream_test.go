package loadtest

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"nullspf/spftrack"
)

// Patterns of names below the tracking zone. They hold the mark, a label that
// tells stream and number.
const (
	existsPattern = "198.51.100.7.in-addr.CL.{mark}.example.FD.1"
	expPattern    = "Mail.Example.ORG.HE.{mark}.LP.198.51.100.7.in-addr.CL.shop.example.FD.2"
	barePattern   = "{mark}"
)

// longPattern makes events large, which fills rings and disks sooner.
var longPattern = strings.Repeat(strings.Repeat("x", 48)+".", 3) + expPattern

// epoch is when time began, for times in one number.
var epoch = time.Now()

// now is the time since epoch, in ns; never 0.
func now() int64 { return int64(time.Since(epoch)) }

// stream is a sequence of queries that differ in their names alone.
type stream struct {
	id    int
	qtype uint16
	// query is the message of number 0, digits the offset of the eight
	// hexadecimal digits of the number.
	query  []byte
	digits int
	// prefix and suffix enclose the digits in the name as the journal prints
	// it.
	prefix, suffix string
	rcode          byte
	// transport and local are how it is asked, as the journal tells.
	transport spftrack.Transport
	local     netip.AddrPort

	// sent is how many queries were sent, or tried to; sentAt and answeredAt
	// are when, 0 for never.
	sent               atomic.Int64
	sentAt, answeredAt []atomic.Int64
	answered           atomic.Int64
	// truncated is how many were answered with TC, which are not events.
	truncated atomic.Int64
}

// shape is what a stream asks.
type shape struct {
	// pattern is existsPattern by default, qtype A.
	pattern string
	qtype   uint16
	// change changes the message before it is packed.
	change func(*dns.Msg)
	rcode  byte
}

// ledger knows all that was asked.
type ledger struct {
	streams []*stream
	// torn: power was lost, or a disk did not keep what it took, so a range of a file
	// may be missing that was written before another which is there. It is named; what
	// it held counts as lost.
	torn bool
}

// add makes a stream of at most limit queries.
func (l *ledger) add(t *testing.T, limit int, s shape) *stream {
	t.Helper()
	if s.pattern == "" {
		s.pattern = existsPattern
	}
	if s.qtype == 0 {
		s.qtype = dns.TypeA
	}
	st := &stream{
		id:         len(l.streams),
		qtype:      s.qtype,
		rcode:      s.rcode,
		sentAt:     make([]atomic.Int64, limit),
		answeredAt: make([]atomic.Int64, limit),
	}
	mark := fmt.Sprintf("q%04x", st.id)
	name := strings.Replace(s.pattern, "{mark}", mark+"00000000", 1) + "." + trackingZone
	i := strings.Index(name, mark) + len(mark)
	st.prefix, st.suffix = name[:i], name[i+8:]
	m := new(dns.Msg)
	m.SetQuestion(name+".", s.qtype)
	if s.change != nil {
		s.change(m)
	}
	var err error
	if st.query, err = m.Pack(); err != nil {
		t.Fatal(err)
	}
	if len(name) > 253 {
		t.Fatalf("%s has %d bytes", name, len(name))
	}
	// Labels and dots take the same room.
	st.digits = 12 + 1 + i
	l.streams = append(l.streams, st)
	return st
}

const hexDigits = "0123456789abcdef"

// put writes the query with a number into b and returns its length.
func (s *stream) put(b []byte, number int64) int {
	n := copy(b, s.query)
	binary.BigEndian.PutUint16(b, uint16(number))
	for i := range 8 {
		b[s.digits+i] = hexDigits[number>>(28-4*i)&15]
	}
	return n
}

// next takes the next number and notes that it is sent now; false when the
// stream is at its end.
func (s *stream) next() (number int64, ok bool) {
	number = s.sent.Add(1) - 1
	if number >= int64(len(s.sentAt)) {
		s.sent.Add(-1)
		return 0, false
	}
	s.sentAt[number].Store(now())
	return number, true
}

// take notes an answer. The error says what is wrong with it.
func (s *stream) take(b []byte) error {
	end := s.digits + 8
	if len(b) < end {
		return fmt.Errorf("an answer of %d bytes", len(b))
	}
	number, err := strconv.ParseInt(string(b[s.digits:end]), 16, 64)
	if err != nil || number >= s.sent.Load() {
		return fmt.Errorf("an answer to what was not asked: %q", b)
	}
	switch {
	case binary.BigEndian.Uint16(b) != uint16(number):
		return fmt.Errorf("the answer to query %d has the ID %d", number, binary.BigEndian.Uint16(b))
	case b[2]&0x80 == 0 || b[3]&15 != s.rcode:
		return fmt.Errorf("the answer to query %d has the flags %02x%02x", number, b[2], b[3])
	case string(b[12:s.digits]) != string(s.query[12:s.digits]):
		return fmt.Errorf("the answer to query %d has another query: %q", number, b)
	case b[2]&0x02 != 0:
		s.truncated.Add(1)
		return nil
	case !s.answeredAt[number].CompareAndSwap(0, now()):
		return fmt.Errorf("query %d was answered twice", number)
	}
	s.answered.Add(1)
	return nil
}

// number returns which query of the stream a name is, false for none.
func (s *stream) number(name string) (number int64, ok bool) {
	if len(name) != len(s.prefix)+8+len(s.suffix) || name[:len(s.prefix)] != s.prefix || name[len(s.prefix)+8:] != s.suffix {
		return 0, false
	}
	number, err := strconv.ParseInt(name[len(s.prefix):len(s.prefix)+8], 16, 64)
	return number, err == nil && number < s.sent.Load()
}

// find returns the stream to which a name claims to belong, nil for none.
func (l *ledger) find(name string) *stream {
	for rest := name; ; {
		i := strings.IndexByte(rest, 'q')
		if i < 0 || len(rest) < i+13 {
			return nil
		}
		id, err := strconv.ParseUint(rest[i+1:i+5], 16, 16)
		if err == nil && int(id) < len(l.streams) {
			return l.streams[id]
		}
		rest = rest[i+1:]
	}
}

// totals returns how many queries were sent and how many answered, of all
// streams over a transport.
func (l *ledger) totals(transport spftrack.Transport) (sent, answered uint64) {
	for _, s := range l.streams {
		if s.transport == transport {
			sent += uint64(s.sent.Load())
			answered += uint64(s.answered.Load())
		}
	}
	return sent, answered
}
