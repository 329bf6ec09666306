package journal

import (
	"encoding/binary"
	"math"
	"net/netip"
	"time"

	"nullspf/spftrack"
)

// Session is what the SMTP listener knows of a session. Its texts are raw bytes that
// a stranger chose, in lower case.
type Session struct {
	// Time is when the client connected, in nanoseconds since 1970-01-01 UTC.
	Time int64
	// Client is never IPv4-mapped.
	Client netip.AddrPort
	// HELO, SenderLocal and SenderDomain are those of [spftrack.Parsed].
	HELO, SenderLocal, SenderDomain string
	spftrack.Session
}

// A session stands where a query has its name, in at most 255 bytes:
//
//	flags       uint8: sessionTLS, sessionCut
//	duration    uvarint, in nanoseconds
//	recipients  uvarint
//	HELO, local part and domain of the sender, domain of the first recipient:
//	            of each its length uint8, and its bytes
const (
	sessionTLS = 1 << 0
	// sessionCut: texts had no room in full.
	sessionCut = 1 << 1

	sessionTexts = 4
)

// SessionBuffer is memory for a packed session.
type SessionBuffer [maxName]byte

// Packet returns the session as a packet, whose memory is buf.
func (s *Session) Packet(buf *SessionBuffer) *Packet {
	b := append(buf[:0], 0)
	if s.TLS {
		b[0] |= sessionTLS
	}
	b = binary.AppendUvarint(b, uint64(max(s.Duration, 0)))
	b = binary.AppendUvarint(b, uint64(s.Recipients))
	texts := [sessionTexts]string{s.HELO, s.SenderLocal, s.SenderDomain, s.RecipientDomain}
	if cutTexts(&texts, maxName-len(b)-sessionTexts) {
		b[0] |= sessionCut
	}
	for _, text := range texts {
		b = append(append(b, byte(len(text))), text...)
	}
	return &Packet{
		Time: s.Time, Resolver: s.Client, Name: b, Zone: noZone, Session: true,
		Transport: spftrack.TransportTCP, Verified: true,
	}
}

// cutTexts makes texts fit into room, the longest shorter first, and reports whether
// it had to. Names lose what stands leftmost, as RFC 7208 section 7.3 has it, and the
// local part its end.
func cutTexts(texts *[sessionTexts]string, room int) (cut bool) {
	for {
		longest, second, sum := 0, 0, 0
		for i, text := range texts {
			sum += len(text)
			if len(text) > len(texts[longest]) {
				longest = i
			}
		}
		if sum <= room {
			return cut
		}
		for i, text := range texts {
			if i != longest {
				second = max(second, len(text))
			}
		}
		text := texts[longest]
		keep := max(len(text)-(sum-room), min(second, len(text)-1))
		if longest == 1 {
			texts[longest] = text[:keep]
		} else {
			texts[longest] = text[len(text)-keep:]
		}
		cut = true
	}
}

// unpackSession completes the event of a session. One that cannot be read, which no
// journal writes, is unparsed.
func unpackSession(p *Packet, e *spftrack.Event) {
	r := packedReader{b: p.Name}
	flags := r.bytes(1)[0]
	duration, recipients := r.uvarint(), r.uint16()
	texts := [sessionTexts]string{}
	for i := range texts {
		texts[i] = string(r.text())
	}
	e.Name = nil
	e.Kind = spftrack.KindSMTP
	if r.bad || len(r.b) > 0 || duration > math.MaxInt64 {
		e.Flags = spftrack.FlagUnparsed
		return
	}
	if flags&sessionCut != 0 {
		e.Flags = spftrack.FlagTruncated
	}
	e.ClientIP = p.Resolver.Addr()
	e.HELO, e.SenderLocal, e.SenderDomain = texts[0], texts[1], texts[2]
	e.Session = &spftrack.Session{
		Recipients: recipients, RecipientDomain: texts[3], TLS: flags&sessionTLS != 0, Duration: time.Duration(duration),
	}
}
