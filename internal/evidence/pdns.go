package evidence

import (
	"bytes"
	"net/netip"
	"time"

	"github.com/miekg/dns"

	"nullspf/spftrack"
)

// pdnsLog reads what PowerDNS Authoritative Server logs with log-dns-queries, to standard
// output with log-timestamp or by way of syslog:
//
//	Nov 27 11:10:53 TCP Remote 203.0.113.70<-198.51.100.0/24 wants 'NAME|TXT', do = 1, bufsize = 1232: packetcache MISS
//
// It has no port, no class and no year. Types that PowerDNS knows by no name are ADDR,
// which is read as type 0. In names ' and | are not escaped.
type pdnsLog struct {
	clock *clock
	name  []byte
}

func (r *pdnsLog) oddTimes() int { return r.clock.odd }

var (
	remoteWord = []byte("Remote ")
	wantsWord  = []byte(" wants '")
	doWord     = []byte("', do = ")
)

func (r *pdnsLog) parse(line []byte, q *question) outcome {
	at := bytes.Index(line, remoteWord)
	if at < 0 || at > 0 && line[at-1] != ' ' {
		return isOther
	}
	head, rest := line[:at], line[at+len(remoteWord):]
	client, rest, ok := bytes.Cut(rest, wantsWord)
	if !ok {
		return isOther
	}
	end := bytes.LastIndex(rest, doWord)
	if end < 0 {
		return isBad
	}
	bar := bytes.LastIndexByte(rest[:end], '|')
	if bar < 0 || !r.question(client, rest[:bar], rest[bar+1:end], q) {
		return isBad
	}
	head, tcp := bytes.CutSuffix(head, []byte("TCP "))
	q.transport, q.verified = spftrack.TransportUDP, tcp
	if tcp {
		q.transport = spftrack.TransportTCP
	}
	if q.time, ok = syslogTime(r.clock, head); !ok {
		return isTimeless
	}
	return isQuestion
}

// question reads ADDRESS<-SUBNET, a name and a type.
func (r *pdnsLog) question(client, name, kind []byte, q *question) bool {
	client, from, forwarded := bytes.Cut(client, []byte("<-"))
	addr, err := netip.ParseAddr(string(client))
	if err != nil {
		return false
	}
	q.client = netip.AddrPortFrom(addr.Unmap().WithZone(""), 0)
	q.subnet = netip.Prefix{}
	if forwarded {
		if q.subnet, err = netip.ParsePrefix(string(from)); err != nil {
			return false
		}
	}
	var ok bool
	q.qclass = dns.ClassINET
	if q.qtype, ok = typeOf(string(kind)); !ok {
		q.qtype = dns.TypeNone
	}
	r.name, ok = appendText(r.name[:0], name)
	q.name = r.name
	return ok
}

// syslogTime reads the begin of a line of syslog, Nov 27 12:07:59 or a time of RFC 3339.
func syslogTime(c *clock, text []byte) (int64, bool) {
	if word, _, ok := bytes.Cut(text, []byte(" ")); ok && len(word) > len("2026-11-27T12:07:59") {
		t, err := time.Parse(time.RFC3339Nano, string(word))
		if err != nil || t.Year() < 1970 || t.Year() > 2200 {
			return 0, false
		}
		return t.UnixNano(), true
	}
	if len(text) < len("Nov 27 12:07:59") || text[3] != ' ' || text[6] != ' ' {
		return 0, false
	}
	month := monthOf(text[:3])
	day, ok1 := decimal(bytes.TrimLeft(text[4:6], " "), 2)
	h, m, s, _, ok2 := timeOfDay(text[7:15])
	if !ok1 || !ok2 || !isDate(2024, month, day) {
		return 0, false
	}
	return c.withoutYear(time.Month(month), day, h, m, s), true
}
