package eventrow

import (
	"bytes"
	"net/netip"
	"unsafe"

	"nullspf/internal/attempt"
	"nullspf/spftrack"
)

// Builder makes rows of events. Their texts share pieces of memory.
type Builder struct {
	texts []byte
	// client and resolver are the last ones, which the queries of a check have in common, server
	// and zone those that whole files have.
	client, resolver address
	server, zone     escaped
}

// escaped is a text and what [printable] makes of it.
type escaped struct{ raw, text string }

// of is printable, from memory when it can.
func (m *escaped) of(raw string) string {
	if raw != m.raw {
		*m = escaped{raw, printable(raw)}
	}
	return m.text
}

// address is an address and its text.
type address struct {
	addr netip.Addr
	text string
}

const (
	// chunk is the size of a piece.
	chunk = 512 << 10
	// maxAddr bounds the text of an address.
	maxAddr = 64
)

// Fill sets all columns of a row. Its texts refer to those of the event.
func (b *Builder) Fill(r *Row, e *spftrack.Event) {
	*r = Row{}
	r.Seq, r.TS = int64(e.Seq), e.Time
	r.ServerID, r.Zone = b.server.of(e.Server), b.zone.of(e.Zone)
	r.Kind = e.Kind.String()
	r.ClientIP = b.addr(&b.client, e.ClientIP)
	r.SenderLocal = printable(e.SenderLocal)
	r.ForgedDomain = printable(e.Forged)
	if r.SenderDomain = r.ForgedDomain; e.SenderDomain != e.Forged {
		r.SenderDomain = printable(e.SenderDomain)
	}
	r.HELO = printable(e.HELO)
	r.Resolver, r.ResolverPort = b.addr(&b.resolver, e.Resolver.Addr()), int32(e.Resolver.Port())
	if e.Kind != spftrack.KindDMARC {
		r.Transport = e.Transport.String()
	}
	r.Qtype = int32(e.QType)
	r.ClientSubnet = prefixText(e.ClientSubnet)
	r.SourceVerified = e.SourceVerified
	r.Flags = flagTexts[e.Flags]
	r.Attempt = attempt.Is(e)
	r.RawName = b.name(e.Name, r)
	r.Cause, r.Software = printable(e.Cause), printable(e.Software)
	if s := e.Session; s != nil {
		r.Recipients, r.RecipientDomain = int32(s.Recipients), printable(s.RecipientDomain)
		r.TLS, r.Duration = s.TLS, int64(s.Duration)
	}
	if p := e.Report; p != nil {
		r.Messages, r.RangeEnd = int64(p.Messages), p.End
		r.RecipientDomain += printable(p.RecipientDomain)
		r.Disposition, r.SPF, r.DKIM = printable(p.Disposition), printable(p.SPF), printable(p.DKIM)
		r.Override, r.Reporter, r.ReportID = printable(p.Override), printable(p.Reporter), printable(p.ID)
	}
}

// Reset uses the memory again: no row that was filled before is used any more.
func (b *Builder) Reset() {
	b.texts = b.texts[:0]
	b.client, b.resolver, b.server, b.zone = address{}, address{}, escaped{}, escaped{}
}

// text returns the bytes from start on as a string. They are not changed before
// Reset.
func (b *Builder) text(start int) string {
	if start == len(b.texts) {
		return ""
	}
	return unsafe.String(&b.texts[start], len(b.texts)-start)
}

// room makes place for n bytes without moving those in use.
func (b *Builder) room(n int) {
	if cap(b.texts)-len(b.texts) < n {
		b.texts = make([]byte, 0, chunk)
	}
}

func (b *Builder) addr(last *address, a netip.Addr) string {
	if a == last.addr {
		return last.text
	}
	*last = address{addr: a}
	if a.IsValid() {
		b.room(maxAddr)
		start := len(b.texts)
		b.texts = a.AppendTo(b.texts)
		last.text = b.text(start)
	}
	return last.text
}

// name is [spftrack.AppendName], shortened.
func (b *Builder) name(name []byte, r *Row) string {
	b.room(4 * len(name))
	start := len(b.texts)
	b.texts = spftrack.AppendName(b.texts, name)
	if bytes.IndexByte(b.texts[start:], '\\') >= 0 {
		return b.text(start)
	}
	return b.shorten(start, r)
}
