package shipping

import (
	"encoding/hex"
	"net/netip"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"

	"nullspf/internal/clickhouse"
	"nullspf/internal/eventrow"
	"nullspf/internal/tally"
)

// Schema is the statement that makes the table of events, in a form that ClickHouse
// 18.16 and later ones take. Its columns are those of segments, ts in nanoseconds, and
// before them
//
//	date        the UTC day of the event
//	client_net  24 bits of client_ip, 48 of an IPv6 address
//	client_hex  the bytes of client_ip as 32 hexadecimal digits, IPv4 as ::ffff:0:0/96
func Schema(table string) string {
	var b strings.Builder
	b.WriteString("CREATE TABLE IF NOT EXISTS " + table + " (\n    date Date,\n    client_net String,\n    client_hex String")
	for _, c := range eventrow.Columns {
		b.WriteString(",\n    " + c.Name + " " + typeOf(c))
	}
	b.WriteString("\n) ENGINE = MergeTree PARTITION BY toYYYYMM(date) ORDER BY (date, server_id, seq)")
	return b.String()
}

func typeOf(c *eventrow.Column) string {
	switch c.Kind {
	case parquet.Boolean:
		return "UInt8"
	case parquet.Int32:
		return "Int32"
	case parquet.Int64:
		return "Int64"
	}
	return "String"
}

// columns are the names of all columns of the table.
func columns() string {
	names := []string{"date", "client_net", "client_hex"}
	for _, c := range eventrow.Columns {
		names = append(names, c.Name)
	}
	return strings.Join(names, ", ")
}

// encoder writes rows of the table.
type encoder struct {
	net func(*eventrow.Row) string
}

func newEncoder() *encoder { return &encoder{tally.ClientNet.Of()} }

func (e *encoder) write(w *clickhouse.Writer, r *eventrow.Row) {
	w.Uint16(uint16(dayOf(r.TS)))
	w.Text(e.net(r))
	w.Text(clientHex(r.ClientIP))
	for _, c := range eventrow.Columns {
		switch c.Kind {
		case parquet.Boolean:
			w.Bool(c.Bool(r))
		case parquet.Int32:
			w.Int32(c.Int32(r))
		case parquet.Int64:
			w.Int64(c.Int64(r))
		case parquet.ByteArray:
			if c == eventrow.RawName {
				w.Text(r.Name())
			} else {
				w.Text(c.Text(r))
			}
		}
	}
}

// The days that a Date can be.
const (
	firstDay = 0
	lastDay  = 1<<16 - 1
)

// dayOf is the UTC day of a time in nanoseconds since 1970-01-01, as far as a Date
// reaches.
func dayOf(ts int64) int64 {
	const day = int64(24 * time.Hour)
	n := ts / day
	if ts%day < 0 {
		n--
	}
	return min(max(n, firstDay), lastDay)
}

// monthOf is the partition of a time, YYYYMM.
func monthOf(ts int64) int {
	t := time.Unix(dayOf(ts)*24*60*60, 0).UTC()
	return t.Year()*100 + int(t.Month())
}

// clientHex is the column client_hex of an address, or of a network its first address;
// "" for none.
func clientHex(text string) string {
	text, _, _ = strings.Cut(text, "/")
	addr, err := netip.ParseAddr(text)
	if err != nil {
		return ""
	}
	b := addr.As16()
	return hex.EncodeToString(b[:])
}
