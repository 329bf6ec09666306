package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"nullspf/internal/files"
	"nullspf/spftrack"
)

// Who marks the events that are not sealed needs the latest sealed ones. They are in a
// file of their own, so that nobody has to look for them in segments:
//
//	"nullrec1", server, number of the first event that is not sealed, uint64
//	of each event: differences of number and time to the event before, kind, flags,
//	type, client and resolver, zone, sender, domain, HELO, name
//	sum of all before (CRC-32C), uint32
//
// A text is its length and its bytes; lengths and numbers are of variable length
// (LEB128), uint64 and uint32 are little-endian. The file can be made again at any time: one that is
// missing, damaged or of another moment is as good as none.
const (
	recentName  = "RECENT"
	recentMagic = "nullrec1"
	// maxRecent bounds the events in the file. When more come within primeSpan, the
	// events that are not sealed cost far more than segments.
	maxRecent = 32 << 10
	// maxRecentBytes bounds the file: an event has some 150 bytes.
	maxRecentBytes = 64 << 20
)

func recentPath(dir string) string { return filepath.Join(dir, segDir, recentName) }

// writeRecent writes the file. It is not synced. A failure costs time only.
func writeRecent(dir string, m *Manifest) error {
	if recentEvents(m) > maxRecent {
		return nil
	}
	b := beginRecent(m)
	var before spftrack.Event
	n := 0
	var bad error
	err := eachRecent(dir, m, func(e *spftrack.Event) {
		if n++; n <= maxRecent {
			b = appendRecent(b, e, &before)
			before.Seq, before.Time = e.Seq, e.Time
		}
	}, func(_ uint64, err error) { bad = err })
	if err = errors.Join(err, bad); err != nil || n > maxRecent {
		return err
	}
	b = binary.LittleEndian.AppendUint32(b, sum(b))
	f, err := os.CreateTemp(filepath.Join(dir, segDir), "*"+files.TemporarySuffix)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Chmod(0o640), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), recentPath(dir))
	}
	if err != nil {
		removeQuietly(f.Name())
	}
	return err
}

// recentEvents is about how many events eachRecent yields.
func recentEvents(m *Manifest) (n uint64) {
	for _, s := range m.Segments[len(m.Segments)-primed(m.Segments):] {
		span := time.Duration(max(s.MaxTime-s.MinTime, 0))
		n += uint64(float64(s.Rows) * min(1, float64(primeSpan)/float64(max(span, 1))))
	}
	return n
}

func beginRecent(m *Manifest) []byte {
	b := appendString([]byte(recentMagic), m.Server)
	return binary.LittleEndian.AppendUint64(b, m.Next)
}

func appendString[T string | []byte](b []byte, text T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

func appendRecent(b []byte, e, before *spftrack.Event) []byte {
	b = binary.AppendUvarint(b, e.Seq-before.Seq)
	b = binary.AppendVarint(b, e.Time-before.Time)
	b = appendString(b, e.Kind.String())
	b = appendString(b, e.Flags.String())
	b = binary.AppendUvarint(b, uint64(e.QType))
	for _, addr := range []netip.Addr{e.ClientIP, e.Resolver.Addr()} {
		b = appendString(b, addr.AsSlice())
	}
	for _, text := range []string{e.Zone, e.SenderLocal, e.SenderDomain, e.Forged, e.HELO} {
		b = appendString(b, text)
	}
	return appendString(b, e.Name)
}

// readRecent returns the latest sealed events; ok is false when the file is of no use.
func readRecent(dir string, m *Manifest) (events []spftrack.Event, ok bool) {
	info, err := os.Stat(recentPath(dir))
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxRecentBytes {
		return nil, false
	}
	b, err := os.ReadFile(recentPath(dir))
	if err != nil {
		return nil, false
	}
	return parseRecent(b, m)
}

func parseRecent(b []byte, m *Manifest) (events []spftrack.Event, ok bool) {
	body := len(b) - 4
	if body < 0 || sum(b[:body]) != binary.LittleEndian.Uint32(b[body:]) {
		return nil, false
	}
	p := recentParser{b: b[:body]}
	begin := beginRecent(m)
	if !bytes.HasPrefix(p.b, begin) {
		return nil, false
	}
	p.b = p.b[len(begin):]
	var before spftrack.Event
	for len(p.b) > 0 && len(events) < maxRecent {
		e := p.event(&before)
		if p.bad {
			return nil, false
		}
		events = append(events, e)
		before.Seq, before.Time = e.Seq, e.Time
	}
	return events, len(p.b) == 0
}

// recentParser reads events.
type recentParser struct {
	b   []byte
	bad bool
}

func (p *recentParser) event(before *spftrack.Event) (e spftrack.Event) {
	e.Seq = before.Seq + p.number()
	distance, k := binary.Varint(p.b)
	p.skip(k)
	e.Time = before.Time + distance
	p.parsed(e.Kind.UnmarshalText(p.text()))
	flags, err := spftrack.ParseFlags(string(p.text()))
	p.parsed(err)
	e.Flags, e.QType = flags, uint16(p.number())
	e.ClientIP = p.addr()
	e.Resolver = netip.AddrPortFrom(p.addr(), 0)
	for _, text := range []*string{&e.Zone, &e.SenderLocal, &e.SenderDomain, &e.Forged, &e.HELO} {
		*text = string(p.text())
	}
	e.Name = p.text()
	return e
}

func (p *recentParser) parsed(err error) { p.bad = p.bad || err != nil }

// skip goes behind a number of k bytes; k is not positive for none.
func (p *recentParser) skip(k int) {
	if k <= 0 {
		p.b, p.bad = nil, true
		return
	}
	p.b = p.b[k:]
}

func (p *recentParser) number() uint64 {
	n, k := binary.Uvarint(p.b)
	p.skip(k)
	return n
}

func (p *recentParser) text() []byte {
	n := p.number()
	if n > uint64(len(p.b)) {
		p.b, p.bad = nil, true
		return nil
	}
	text := p.b[:n:n]
	p.b = p.b[n:]
	return text
}

// addr reads an address, which may be none.
func (p *recentParser) addr() netip.Addr {
	text := p.text()
	addr, ok := netip.AddrFromSlice(text)
	p.bad = p.bad || !ok && len(text) > 0
	return addr
}
