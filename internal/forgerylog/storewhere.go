package forgerylog

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"

	"nullspf/internal/clickhouse"
	"nullspf/internal/tally"
	"nullspf/spftrack"
)

// where is the condition by which a query selects events in SQL.
func where(q Query) string {
	var all []string
	add := func(is bool, format string, args ...any) {
		if is {
			all = append(all, fmt.Sprintf(format, args...))
		}
	}
	if !q.Since.IsZero() {
		ts := nanoseconds(q.Since)
		add(true, "date >= toDate(%d) AND ts >= %d", sqlDay(ts), ts)
	}
	if !q.Until.IsZero() {
		ts := nanoseconds(q.Until)
		add(true, "date <= toDate(%d) AND ts < %d", sqlDay(ts), ts)
	}
	attempts := q.Attempts()
	add(attempts, "attempt = 1")
	add(q.Verified, "source_verified = 1")
	kinds := func(list []spftrack.Kind) {
		var names []string
		for _, k := range list {
			names = append(names, clickhouse.Quote(k.String()))
		}
		also := ""
		if attempts && slices.Contains(list, spftrack.KindExists) {
			also = " OR flags LIKE '%" + flagExists + "'"
		}
		add(len(list) > 0, "(kind IN (%s)%s)", strings.Join(names, ", "), also)
	}
	if q.Source != "" && !attempts {
		kinds(q.Source.kinds())
	}
	kinds(q.Kinds)
	if q.Client.IsValid() {
		if q.Client.IsSingleIP() {
			add(true, "client_ip = %s", clickhouse.Quote(q.Client.Addr().String()))
		} else {
			first, last := hexRange(q.Client)
			add(true, "client_hex BETWEEN '%s' AND '%s'", first, last)
			// A network whose addresses were removed is only in what includes it.
			add(q.Client.Bits() > tally.NetBits(q.Client.Addr()), "position(client_ip, '/') = 0")
		}
	}
	if len(q.Clients) > 0 {
		var list []string
		for _, client := range q.Clients {
			list = append(list, clickhouse.Quote(client.String()))
		}
		add(true, "client_ip IN (%s)", strings.Join(list, ", "))
	}
	add(q.Resolver.IsValid(), "resolver = %s", clickhouse.Quote(q.Resolver.String()))
	for _, t := range []struct {
		Text
		column string
	}{
		{q.Domain, "forged_domain"},
		{q.Sender, "if(sender_local = '' AND sender_domain = '', '', concat(sender_local, '@', sender_domain))"},
		{q.HELO, "helo"},
	} {
		add(t.Text != Text{}, "%s", t.condition(t.column))
	}
	if len(all) == 0 {
		return "1"
	}
	return strings.Join(all, " AND ")
}

// condition is matches in SQL.
func (t Text) condition(column string) string {
	shown := spftrack.Printable(t.Value)
	switch {
	case t.Exact:
		return column + " = " + clickhouse.Quote(shown)
	case shown == "":
		return "1"
	case strings.IndexByte(`\0123456789`, shown[0]) < 0:
		return "position(" + column + ", " + clickhouse.Quote(shown) + ") > 0"
	}
	// The text must not begin inside an escape.
	pattern := `^(?:[^\\]|\\\\|\\[0-9][0-9][0-9])*` + regexp.QuoteMeta(shown)
	return "match(" + column + ", " + clickhouse.Quote(pattern) + ")"
}

// sqlDay is the day of a time as the column date has it.
func sqlDay(ts int64) int64 {
	return min(max(floor(ts, int64(24*time.Hour))/int64(24*time.Hour), 0), 1<<16-1)
}

// hexRange is the first and the last address of a prefix as the column client_hex has
// them.
func hexRange(p netip.Prefix) (first, last string) {
	p = p.Masked()
	a := p.Addr().As16()
	b := a
	bits := p.Bits()
	if p.Addr().Is4() {
		bits += 96
	}
	for i := bits; i < 128; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	return hex.EncodeToString(a[:]), hex.EncodeToString(b[:])
}
