package journal

import (
	"net/netip"
	"strings"
	"unsafe"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"

	"nullspf/internal/attempt"
	"nullspf/spftrack"
)

// Row is a row of a segment. Octets that a stranger chose are stored in the
// form of [spftrack.Printable], so that every text is ASCII.
type Row struct {
	// Seq and TS rise and nearly rise; TS is nanoseconds since 1970-01-01 UTC.
	Seq int64 `parquet:"seq,delta"`
	TS  int64 `parquet:"ts,delta"`
	// ServerID and Zone are those of the event.
	ServerID string `parquet:"server_id,dict"`
	Zone     string `parquet:"zone,dict"`
	Kind     string `parquet:"kind,dict"`
	// ClientIP is "" when unknown.
	ClientIP     string `parquet:"client_ip"`
	SenderLocal  string `parquet:"sender_local"`
	SenderDomain string `parquet:"sender_domain,dict"`
	ForgedDomain string `parquet:"forged_domain,dict"`
	HELO         string `parquet:"helo"`
	Resolver     string `parquet:"resolver,dict"`
	ResolverPort int32  `parquet:"resolver_port"`
	Transport    string `parquet:"transport,dict"`
	Qtype        int32  `parquet:"qtype,dict"`
	// ClientSubnet is a prefix such as 192.0.2.0/24, "" for none.
	ClientSubnet   string `parquet:"client_subnet,dict"`
	SourceVerified bool   `parquet:"source_verified"`
	// Flags are names with commas between.
	Flags string `parquet:"flags,dict"`
	// Attempt is that of [attempt.Is].
	Attempt bool `parquet:"attempt"`
	// RawName is the query name as [spftrack.PrintableName] writes it, "" for
	// no question.
	RawName string `parquet:"raw_name"`
}

const (
	rowGroupRows = 122880
	bloomBits    = 10
)

// writerOptions are the parameters of every segment.
func writerOptions() []parquet.WriterOption {
	return []parquet.WriterOption{
		parquet.Compression(&zstd.Codec{Level: zstd.SpeedFastest, Concurrency: 1}),
		parquet.MaxRowsPerRowGroup(rowGroupRows),
		parquet.BloomFilters(parquet.SplitBlockFilter(bloomBits, "client_ip")),
		parquet.SortingWriterConfig(parquet.SortingColumns(parquet.Ascending("seq"))),
		// The index of pages and the footer have them already.
		parquet.DataPageStatistics(false),
		parquet.CreatedBy("nullspf", "", ""),
	}
}

// rowBuilder turns events into rows. The texts of a batch share one piece of
// memory.
type rowBuilder struct {
	rows  []Row
	texts []byte
	flags [256]string
}

// batchRows is how many rows are written at once.
const batchRows = 1024

// add appends the row of an event. Its texts stay valid until reset.
func (b *rowBuilder) add(e *spftrack.Event) {
	if b.texts == nil {
		b.texts = make([]byte, 0, batchRows*maxRowText)
		b.rows = make([]Row, 0, batchRows)
	}
	b.rows = append(b.rows, Row{
		Seq:            int64(e.Seq),
		TS:             e.Time,
		ServerID:       b.printable(e.Server),
		Zone:           b.printable(e.Zone),
		Kind:           e.Kind.String(),
		ClientIP:       b.addr(e.ClientIP),
		SenderLocal:    b.printable(e.SenderLocal),
		SenderDomain:   b.printable(e.SenderDomain),
		ForgedDomain:   b.printable(e.Forged),
		HELO:           b.printable(e.HELO),
		Resolver:       b.addr(e.Resolver.Addr()),
		ResolverPort:   int32(e.Resolver.Port()),
		Transport:      e.Transport.String(),
		Qtype:          int32(e.QType),
		ClientSubnet:   b.prefix(e.ClientSubnet),
		SourceVerified: e.SourceVerified,
		Flags:          b.flagText(e.Flags),
		Attempt:        attempt.Is(e),
		RawName:        b.name(e.Name),
	})
}

func (b *rowBuilder) full() bool { return len(b.rows) == batchRows }

func (b *rowBuilder) reset() { b.rows, b.texts = b.rows[:0], b.texts[:0] }

// maxRowText bounds the texts of a row: addresses and escaped octets. The raw
// name and its parts are at most 253 octets each, four when escaped; server and
// zone are kept as they are when printable.
const maxRowText = 512

// text returns the octets from start on as a string. They are not changed
// before reset, after which no row is used any more.
func (b *rowBuilder) text(start int) string {
	if start == len(b.texts) {
		return ""
	}
	return unsafe.String(&b.texts[start], len(b.texts)-start)
}

// room makes place for n octets without moving those in use.
func (b *rowBuilder) room(n int) {
	if cap(b.texts)-len(b.texts) < n {
		b.texts = make([]byte, 0, batchRows*maxRowText)
	}
}

func (b *rowBuilder) addr(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	b.room(64)
	start := len(b.texts)
	b.texts = a.AppendTo(b.texts)
	return b.text(start)
}

func (b *rowBuilder) prefix(p netip.Prefix) string {
	if !p.IsValid() {
		return ""
	}
	return p.String()
}

// printable escapes octets that are not printable.
func (b *rowBuilder) printable(s string) string {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || c == '\\' {
			return spftrack.Printable(s)
		}
	}
	return s
}

// name is spftrack.PrintableName with a short way for ordinary names.
func (b *rowBuilder) name(wire []byte) string {
	if len(wire) == 0 {
		return ""
	}
	b.room(maxName)
	start := len(b.texts)
	for i := 0; i < len(wire); {
		n := int(wire[i])
		if n == 0 && i == len(wire)-1 && i > 0 {
			b.texts = b.texts[:len(b.texts)-1]
			return b.text(start)
		}
		if n == 0 || n > 63 || i+1+n > len(wire) {
			break
		}
		label := wire[i+1 : i+1+n]
		for _, c := range label {
			if c <= ' ' || c >= 0x7f || c == '\\' || c == '.' {
				b.texts = b.texts[:start]
				return spftrack.PrintableName(wire)
			}
		}
		b.texts = append(append(b.texts, label...), '.')
		i += 1 + n
	}
	b.texts = b.texts[:start]
	return spftrack.PrintableName(wire)
}

func (b *rowBuilder) flagText(f spftrack.Flags) string {
	if f == 0 {
		return ""
	}
	if b.flags[f] == "" {
		b.flags[f] = f.String()
	}
	return b.flags[f]
}

// Event returns what the row was made of. Texts that cannot be read, which no
// journal writes, are left empty.
func (r *Row) Event() spftrack.Event {
	e := spftrack.Event{
		Seq:    uint64(r.Seq),
		Time:   r.TS,
		Server: Unescape(r.ServerID),
		Zone:   Unescape(r.Zone),
		Parsed: spftrack.Parsed{
			SenderLocal:  Unescape(r.SenderLocal),
			SenderDomain: Unescape(r.SenderDomain),
			Forged:       Unescape(r.ForgedDomain),
			HELO:         Unescape(r.HELO),
		},
		QType:          uint16(r.Qtype),
		SourceVerified: r.SourceVerified,
	}
	e.Kind, _ = spftrack.ParseKind(r.Kind)
	e.Flags, _ = spftrack.ParseFlags(r.Flags)
	e.Transport, _ = spftrack.ParseTransport(r.Transport)
	if r.ClientIP != "" {
		e.ClientIP, _ = netip.ParseAddr(r.ClientIP)
	}
	if addr, err := netip.ParseAddr(r.Resolver); err == nil {
		e.Resolver = netip.AddrPortFrom(addr, uint16(r.ResolverPort))
	}
	if r.ClientSubnet != "" {
		e.ClientSubnet, _ = netip.ParsePrefix(r.ClientSubnet)
	}
	if r.RawName != "" {
		e.Name, _ = spftrack.ParseName(r.RawName)
	}
	return e
}

// Unescape resolves the \DDD and \\ of [spftrack.Printable].
func Unescape(s string) string {
	i := strings.IndexByte(s, '\\')
	if i < 0 {
		return s
	}
	out := append(make([]byte, 0, len(s)), s[:i]...)
	for ; i < len(s); i++ {
		c := s[i]
		if c == '\\' && i+1 < len(s) {
			if s[i+1] == '\\' {
				i++
			} else if n, ok := decimal(s[i+1:]); ok {
				c = n
				i += 3
			}
		}
		out = append(out, c)
	}
	return string(out)
}

// decimal reads three digits.
func decimal(s string) (c byte, ok bool) {
	if len(s) < 3 {
		return 0, false
	}
	n := 0
	for _, d := range []byte(s[:3]) {
		if d < '0' || d > '9' {
			return 0, false
		}
		n = n*10 + int(d-'0')
	}
	return byte(n), n <= 255
}
