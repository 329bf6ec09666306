package zones

import (
	"bytes"
	"fmt"
	"io"
	"strconv"

	"github.com/miekg/dns"
)

// maxZoneFile bounds what is read of a zone file that somebody may have
// replaced, in bytes.
const maxZoneFile = 16 << 20

// parseZone reads a zone in the syntax of RFC 1035 section 5. file is the
// name for messages.
func parseZone(in io.Reader, origin, file string) ([]dns.RR, error) {
	p := dns.NewZoneParser(in, dns.Fqdn(origin), file)
	var rrs []dns.RR
	for rr, ok := p.Next(); ok; rr, ok = p.Next() {
		rrs = append(rrs, rr)
	}
	if err := p.Err(); err != nil {
		return nil, fmt.Errorf("%w", err)
	}
	return rrs, nil
}

var soaMark = []byte(" SOA ")

// findSerial finds the serial number in a zone file as [Template.Append]
// writes it. ok is false for a file that somebody else wrote.
func findSerial(file []byte) (serial uint32, start, end int, ok bool) {
	i := bytes.Index(file, soaMark)
	if i < 0 {
		return 0, 0, 0, false
	}
	eol := bytes.IndexByte(file[i:], '\n')
	if eol < 0 {
		return 0, 0, 0, false
	}
	pos := i + len(soaMark)
	line := file[:i+eol]
	for field := range 3 {
		for pos < len(line) && line[pos] == ' ' {
			pos++
		}
		start = pos
		for pos < len(line) && line[pos] != ' ' {
			pos++
		}
		if field == 2 {
			n, err := strconv.ParseUint(string(line[start:pos]), 10, 32)
			return uint32(n), start, pos, err == nil
		}
	}
	return 0, 0, 0, false
}

// readSerial reads the serial number of a zone file in any form; ok is false
// when there is none to be found.
func readSerial(file []byte, origin string) (serial uint32, ok bool) {
	if serial, _, _, ok = findSerial(file); ok {
		return serial, true
	}
	p := dns.NewZoneParser(bytes.NewReader(file), dns.Fqdn(origin), "")
	for rr, more := p.Next(); more; rr, more = p.Next() {
		if soa, isSOA := rr.(*dns.SOA); isSOA {
			return soa.Serial, true
		}
	}
	return 0, false
}
