package evidence

import (
	"bytes"
	"net/netip"

	"github.com/miekg/dns"

	"nullspf/internal/logtime"
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
	clock *logtime.Clock
	name  []byte
}

func (r *pdnsLog) oddTimes() int { return r.clock.Odd }

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
	if q.time, ok = r.clock.Syslog(head); !ok {
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
