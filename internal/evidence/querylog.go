package evidence

import (
	"bytes"
	"net/netip"
	"strings"
	"time"

	"github.com/miekg/dns"

	"nullspf/internal/logtime"
	"nullspf/internal/wire"
	"nullspf/spftrack"
)

// queryLog reads the category queries of BIND 9 in each form that a channel gives it:
// with print-time yes, local, iso8601 and iso8601-utc, print-category, print-severity,
// to a file or by way of syslog.
//
//	27-Nov-2026 12:07:59.715 queries: info: client @0x7ffa4d86d098 203.0.113.70#40001/key k
//	(NAME): view V: query: NAME IN TXT -E(0)DV (192.0.2.31) [ECS 198.51.100.0/24/0]
//
// all in one line. Names hold neither blanks nor bare parentheses; the name of a view
// may hold anything.
type queryLog struct {
	clock *logtime.Clock
	name  []byte
}

// words of a line.
var (
	clientWord = []byte("client ")
	queryWord  = []byte("query: ")
)

func (r *queryLog) oddTimes() int { return r.clock.Odd }

func (r *queryLog) parse(line []byte, q *question) outcome {
	at := bytes.Index(line, clientWord)
	if at < 0 || at > 0 && line[at-1] != ' ' {
		return isOther
	}
	head, rest := line[:at], line[at+len(clientWord):]
	if bytes.HasPrefix(rest, []byte("@0x")) {
		_, rest, _ = bytes.Cut(rest, []byte(" "))
	}
	client, rest, ok := bytes.Cut(rest, []byte(" ("))
	if !ok {
		return isOther
	}
	shown, rest, ok := bytes.Cut(rest, []byte("): "))
	if !ok || len(shown) == 0 || bytes.IndexByte(shown, ' ') >= 0 {
		return isOther
	}
	asked := lastQuery(rest, shown)
	if asked == nil {
		return isOther
	}
	if !r.question(client, shown, asked, q) {
		return isBad
	}
	if q.time, ok = r.time(head); !ok {
		return isTimeless
	}
	return isQuestion
}

// lastQuery returns what stands behind the name in the last "query: " of a line that
// has this name.
func lastQuery(rest, name []byte) []byte {
	// Without a view, it is the only one.
	if after, ok := bytes.CutPrefix(rest, queryWord); ok && len(after) > len(name) && bytes.HasPrefix(after, name) && after[len(name)] == ' ' {
		return after[len(name)+1:]
	}
	for end := len(rest); ; {
		at := bytes.LastIndex(rest[:end], queryWord)
		if at < 0 {
			return nil
		}
		after := rest[at+len(queryWord):]
		if len(after) > len(name) && bytes.HasPrefix(after, name) && after[len(name)] == ' ' {
			return after[len(name)+1:]
		}
		end = at
	}
}

// question reads client, as ADDRESS#PORT/key KEY, name, and what follows it: CLASS TYPE
// FLAGS (SERVER) [ECS PREFIX/SCOPE].
func (r *queryLog) question(client, name, asked []byte, q *question) bool {
	client, _, _ = bytes.Cut(client, []byte("/key "))
	at := bytes.LastIndexByte(client, '#')
	if at < 0 {
		return false
	}
	addr, err := netip.ParseAddr(string(client[:at]))
	port, isPort := logtime.Decimal(client[at+1:], 5)
	if err != nil || !isPort || port > 65535 {
		return false
	}
	q.client = netip.AddrPortFrom(addr.Unmap().WithZone(""), uint16(port))

	class, rest, ok1 := bytes.Cut(asked, []byte(" "))
	kind, rest, ok2 := bytes.Cut(rest, []byte(" "))
	flags, rest, ok3 := bytes.Cut(rest, []byte(" ("))
	server, rest, ok4 := bytes.Cut(rest, []byte(")"))
	if !ok1 || !ok2 || !ok3 || !ok4 || len(server) == 0 {
		return false
	}
	var ok bool
	if q.qclass, ok = classOf(string(class)); !ok {
		return false
	}
	if q.qtype, ok = typeOf(string(kind)); !ok {
		return false
	}
	if !r.flags(flags, q) || !subnet(rest, q) {
		return false
	}
	r.name, ok = appendText(r.name[:0], name)
	q.name = r.name
	return ok
}

// flags reads RD or not, S for signed, E(VERSION), T for TCP, D, C, and V for a cookie
// that the server has given, K for others.
func (r *queryLog) flags(flags []byte, q *question) bool {
	if len(flags) == 0 || flags[0] != '+' && flags[0] != '-' {
		return false
	}
	q.transport, q.verified = spftrack.TransportUDP, false
	for i := 1; i < len(flags); i++ {
		switch flags[i] {
		case 'S', 'D', 'C', 'K':
		case 'E':
			end := bytes.IndexByte(flags[i:], ')')
			if end < 0 {
				return false
			}
			i += end
		case 'T':
			q.transport, q.verified = spftrack.TransportTCP, true
		case 'V':
			q.verified = true
		default:
			return false
		}
	}
	return true
}

// subnet reads " [ECS ADDRESS/BITS/SCOPE]", or nothing.
func subnet(rest []byte, q *question) bool {
	q.subnet = netip.Prefix{}
	if len(rest) == 0 {
		return true
	}
	text, ok := bytes.CutPrefix(rest, []byte(" [ECS "))
	text, closed := bytes.CutSuffix(text, []byte("]"))
	at := bytes.LastIndexByte(text, '/')
	if !ok || !closed || at < 0 {
		return false
	}
	prefix, err := netip.ParsePrefix(string(text[:at]))
	q.subnet = prefix
	return err == nil
}

// time reads what stands before the client. Where syslog and named both write the time,
// that of named counts, which has milliseconds and a year.
func (r *queryLog) time(head []byte) (int64, bool) {
	if at := bytes.Index(head, []byte("]: ")); at >= 0 && bytes.IndexByte(head, '[') >= 0 {
		if t, ok := r.printed(head[at+len("]: "):]); ok {
			return t, true
		}
		return r.clock.Syslog(head)
	}
	return r.printed(head)
}

// printed reads the time of named: 27-Nov-2026 12:07:59.715, 2026-11-27T12:07:59.715,
// or the latter in UTC with Z.
func (r *queryLog) printed(text []byte) (int64, bool) {
	if len(text) >= len("2026-11-27T12:07:59.715") && text[10] == 'T' && text[4] == '-' {
		year, ok1 := logtime.Decimal(text[:4], 4)
		month, ok2 := logtime.Decimal(text[5:7], 2)
		day, ok3 := logtime.Decimal(text[8:10], 2)
		h, m, s, ns, ok4 := logtime.TimeOfDay(text[11:23])
		if !ok1 || !ok2 || !ok3 || !ok4 || !logtime.IsDate(year, month, day) {
			return 0, false
		}
		if len(text) > 23 && text[23] == 'Z' {
			return time.Date(year, time.Month(month), day, h, m, s, ns, time.UTC).UnixNano(), true
		}
		return r.clock.Local(year, time.Month(month), day, h, m, s, int64(ns)), true
	}
	if len(text) < len("27-Nov-2026 12:07:59.715") || text[2] != '-' || text[6] != '-' || text[11] != ' ' {
		return 0, false
	}
	day, ok1 := logtime.Decimal(text[:2], 2)
	month := logtime.MonthOf(text[3:6])
	year, ok2 := logtime.Decimal(text[7:11], 4)
	h, m, s, ns, ok3 := logtime.TimeOfDay(text[12:24])
	if !ok1 || !ok2 || !ok3 || !logtime.IsDate(year, month, day) {
		return 0, false
	}
	return r.clock.Local(year, time.Month(month), day, h, m, s, int64(ns)), true
}

func classOf(text string) (uint16, bool) {
	if class, ok := dns.StringToClass[text]; ok {
		return class, true
	}
	n, ok := logtime.Decimal([]byte(strings.TrimPrefix(text, "CLASS")), 5)
	return uint16(n), ok && strings.HasPrefix(text, "CLASS") && n <= 65535
}

func typeOf(text string) (uint16, bool) {
	if t, ok := dns.StringToType[text]; ok {
		return t, true
	}
	n, ok := logtime.Decimal([]byte(strings.TrimPrefix(text, "TYPE")), 5)
	return uint16(n), ok && strings.HasPrefix(text, "TYPE") && n <= 65535
}

// appendText appends the wire format of a name as servers write it: \X for some
// characters, \DDD for bytes that are not visible, some with a final dot.
func appendText(dst, text []byte) ([]byte, bool) {
	if bytes.IndexByte(text, '\\') < 0 && string(text) != "." {
		name, err := wire.AppendLabels(dst, bytes.TrimSuffix(text, []byte(".")))
		return name, err == nil
	}
	name, err := wire.PackName(string(text))
	return append(dst, name...), err == nil
}
