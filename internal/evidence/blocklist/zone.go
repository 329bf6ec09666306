package blocklist

import (
	"bufio"
	"fmt"
	"strings"
)

// Answers of a list (RFC 5782 section 2.1), in all formats that are one.
const (
	answer = "127.0.0.2"
	// ttl of its records, in seconds.
	ttl = 300
	// TestText is that of the addresses that are always listed, by which users of a
	// list see that it works (RFC 5782 section 5).
	TestText = "the test entry of every list"
)

// soa writes the fields of a SOA record behind the MNAME, the serial number being the
// time of the list.
func (l *List) soa() string {
	return fmt.Sprintf("%s. %s. %d 3600 900 604800 %d", l.Nameservers[0], l.RName, uint32(l.At.Unix()), ttl)
}

func writeTrieHead(w *bufio.Writer, l *List) {
	fmt.Fprintf(w, "$SOA %d %s\n", ttl, l.soa())
	fmt.Fprintf(w, "$NS %d", ttl)
	for _, ns := range l.Nameservers {
		fmt.Fprintf(w, " %s.", ns)
	}
	fmt.Fprintf(w, "\n$TTL %d\n", ttl)
}

func writeIP4Trie(w *bufio.Writer, l *List) { writeTrie(w, l, only4, "127.0.0.2") }
func writeIP6Trie(w *bufio.Writer, l *List) { writeTrie(w, l, only6, "0:0:0:0:0:ffff:7f00:2") }

func writeTrie(w *bufio.Writer, l *List, key func(*Entry) string, test string) {
	writeTrieHead(w, l)
	fmt.Fprintf(w, "%s :%s:%s\n", test, answer, TestText)
	for i := range l.Entries {
		if k := key(&l.Entries[i]); k != "" {
			fmt.Fprintf(w, "%s :%s:%s\n", k, answer, l.Entries[i].Reason())
		}
	}
}

func writeZoneHead(w *bufio.Writer, l *List) {
	fmt.Fprintf(w, "$TTL %d\n@ IN SOA %s\n", ttl, l.soa())
	for _, ns := range l.Nameservers {
		fmt.Fprintf(w, "@ IN NS %s.\n", ns)
	}
}

// dnsblKey is the owner name below the zone: the address in reverse, the /64 as a
// wildcard.
func dnsblKey(e *Entry) string {
	a := e.Prefix.Addr()
	if a.Is4() {
		b := a.As4()
		return fmt.Sprintf("%d.%d.%d.%d", b[3], b[2], b[1], b[0])
	}
	return "*." + nibbles(a.AsSlice()[:8])
}

// nibbles are bytes in reverse, a label each half.
func nibbles(b []byte) string {
	var labels []string
	for i := len(b) - 1; i >= 0; i-- {
		labels = append(labels, fmt.Sprintf("%x.%x", b[i]&15, b[i]>>4))
	}
	return strings.Join(labels, ".")
}

func writeDNSBL(w *bufio.Writer, l *List) {
	writeZoneHead(w, l)
	record := func(owner, text string) {
		fmt.Fprintf(w, "%s IN A %s\n%s IN TXT \"%s\"\n", owner, answer, owner, text)
	}
	record("2.0.0.127", TestText)
	record(nibbles([]byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 2}), TestText)
	for i := range l.Entries {
		record(dnsblKey(&l.Entries[i]), l.Entries[i].Reason())
	}
}

// rpzName is an address in the form of response policy zones.
func rpzName(e *Entry) string {
	a := e.Prefix.Addr()
	if a.Is4() {
		return "32." + dnsblKey(e)
	}
	b := a.As16()
	var groups []string
	for i := 6; i >= 0; i -= 2 {
		groups = append(groups, fmt.Sprintf("%x", int(b[i])<<8|int(b[i+1])))
	}
	// zz stands for the longest run of zeros, which the lower half is part of; a zero
	// group before it belongs to the run.
	for len(groups) > 1 && groups[0] == "0" {
		groups = groups[1:]
	}
	return "64.zz." + strings.Join(groups, ".")
}

func rpzKey(e *Entry) string { return rpzName(e) + ".rpz-client-ip" }

func writeRPZ(w *bufio.Writer, l *List) {
	writeZoneHead(w, l)
	for i := range l.Entries {
		e := &l.Entries[i]
		fmt.Fprintf(w, "; %s\n%s CNAME .\n%s.rpz-ip CNAME .\n", e.Reason(), rpzKey(e), rpzName(e))
	}
}
