package zones

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"nullspf/internal/dnsname"
)

// parkedFile holds, beside the manifest, what a nameserver needs to answer for
// the published zones without their files. Fields are separated by tabs:
//
//	nullspf-parked  2  SHA-256 of the manifest
//	template   generic  3600
//	soa        ns1.example.net  hostmaster.example.net  7200  900  2419200  300
//	record     @  MX  0 .
//	record     @  TXT  "All mail claiming to be from {domain} is forged"
//	addresses  @
//	group      generic  0  192.0.2.80,2001:db8::80
//	zone       brand.example  1  192.0.2.81
//	end        SHA-256 of all lines before
//
// A template has the records of zones that are alike but for their name and
// their addresses, which are at the owner names that "addresses" lists. The
// templates are numbered from 0. A group line gives the template and the
// addresses of zones that no zone line names. Version 1, which is still read, has
// no last line.
const parkedFile = "parked"

// parkedMagic and the version begin the file.
const (
	parkedMagic   = "nullspf-parked\t"
	parkedVersion = 2
)

var (
	parkedHead      = parkedMagic + strconv.Itoa(parkedVersion) + "\t"
	parkedHeadNoEnd = parkedMagic + "1\t"
)

const parkedEnd = "end\t"

var newline = []byte{'\n'}

// ParkedTemplate is the content of zones that are alike but for name, serial
// number and addresses.
type ParkedTemplate struct {
	Group string
	// TTL is that of all records.
	TTL time.Duration
	SOA SOA
	// Records are all but the SOA record and the addresses, the apex first.
	Records []ParkedRecord
	// Addresses are the owner names that have the addresses of the zone.
	Addresses []string
}

// ParkedRecord is a record of a template.
type ParkedRecord struct {
	// Owner is relative to the zone: "@" is the apex.
	Owner string
	// Type is the mnemonic.
	Type string
	// Data is RDATA in presentation form with absolute names. For TXT it is
	// the plain text, neither quoted nor split; {domain} stands for the name of
	// the zone, without final dot.
	Data string
}

// parkedKey is what a template depends on.
type parkedKey struct {
	group     uint16
	mail      MailMode
	spf       string
	addressed bool
}

// parkedWriter writes the file of a set.
type parkedWriter struct {
	w       *bufio.Writer
	set     *Set
	numbers map[parkedKey]int
}

// writeParked writes the file that goes with a manifest.
func writeParked(out *bufio.Writer, set *Set, manifest [sha256.Size]byte) error {
	sum := sha256.New()
	w := bufio.NewWriter(io.MultiWriter(out, sum))
	p := &parkedWriter{w: w, set: set, numbers: make(map[parkedKey]int)}
	fmt.Fprintf(w, "%s%s\n", parkedHead, hex.EncodeToString(manifest[:]))
	for i, g := range set.Groups {
		key := parkedKey{uint16(i), g.Mail, g.SPF, len(g.addresses()) > 0}
		p.template(key)
		fmt.Fprintf(w, "group\t%s\t%d\t%s\n", g.Name, p.numbers[key], joinAddresses(g.addresses()))
	}
	for i := range set.Entries {
		if e := &set.Entries[i]; e.Override != nil {
			p.template(p.key(e))
		}
	}
	for i := range set.Entries {
		e := &set.Entries[i]
		if e.Override == nil {
			continue
		}
		if _, err := fmt.Fprintf(w, "zone\t%s\t%d\t%s\n", e.Name, p.numbers[p.key(e)], joinAddresses(p.addresses(e))); err != nil {
			return err
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "%s%x\n", parkedEnd, sum.Sum(nil))
	return err
}

func (p *parkedWriter) addresses(e *Entry) []netip.Addr {
	if len(e.Override.Addresses) > 0 {
		return e.Override.Addresses
	}
	return p.set.Group(e).addresses()
}

func (p *parkedWriter) key(e *Entry) parkedKey {
	return parkedKey{e.group, p.set.Mail(e), p.set.SPF(e), len(p.addresses(e)) > 0}
}

// template writes a template unless it is there.
func (p *parkedWriter) template(key parkedKey) {
	if _, ok := p.numbers[key]; ok {
		return
	}
	p.numbers[key] = len(p.numbers)
	g := p.set.Groups[key.group]
	seconds := func(d time.Duration) int64 { return int64(d / time.Second) }
	fmt.Fprintf(p.w, "template\t%s\t%d\n", g.Name, seconds(g.TTL))
	fmt.Fprintf(p.w, "soa\t%s\t%s\t%d\t%d\t%d\t%d\n", g.SOA.MName, g.SOA.RName,
		seconds(g.SOA.Refresh), seconds(g.SOA.Retry), seconds(g.SOA.Expire), seconds(g.SOA.Minimum))
	// Which addresses does not matter: only where they are.
	var addresses []netip.Addr
	if key.addressed {
		addresses = []netip.Addr{netip.IPv4Unspecified()}
	}
	for _, r := range g.zoneRecords(key.mail, key.spf, addresses) {
		switch r.rrtype {
		case "A":
			fmt.Fprintf(p.w, "addresses\t%s\n", r.owner)
		case "TXT":
			fmt.Fprintf(p.w, "record\t%s\tTXT\t%s\n", r.owner, strconv.Quote(strings.ReplaceAll(r.data, "{group}", g.Name)))
		default:
			fmt.Fprintf(p.w, "record\t%s\t%s\t%s\n", r.owner, r.rrtype, r.data)
		}
	}
}

func joinAddresses(addresses []netip.Addr) string {
	words := make([]string, len(addresses))
	for i, a := range addresses {
		words[i] = a.String()
	}
	return strings.Join(words, ",")
}

// ParkedVariant are the template and the addresses of a zone.
type ParkedVariant struct {
	// Template is its number.
	Template int
	// Addresses are separated by commas; see [ParkedVariant.Addrs].
	Addresses string
}

// Addrs returns the addresses, those of IPv4 first.
func (v ParkedVariant) Addrs() (v4, v6 []netip.Addr, err error) {
	if v.Addresses == "" {
		return nil, nil, nil
	}
	for text := range strings.SplitSeq(v.Addresses, ",") {
		a, err := netip.ParseAddr(text)
		if err != nil {
			return nil, nil, err
		}
		if a.Is4() {
			v4 = append(v4, a)
		} else {
			v6 = append(v6, a)
		}
	}
	return v4, v6, nil
}

// parked is the file as it was read.
type parked struct {
	manifest  string
	templates []ParkedTemplate
	groups    map[string]ParkedVariant
	// zones are in byte order of their names.
	zones []parkedZone
}

type parkedZone struct {
	name    string
	variant ParkedVariant
}

// readParked reads the file. The error names the line.
func readParked(in io.Reader, path string) (*parked, error) {
	p := &parked{groups: make(map[string]ParkedVariant)}
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<20)
	n := 1
	whole, body := true, sha256.New()
	if lines.Scan() {
		if err := checkVersion(lines.Bytes(), parkedMagic, parkedVersion); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		sum, ok := strings.CutPrefix(lines.Text(), parkedHead)
		if whole = !ok; whole {
			sum, ok = strings.CutPrefix(lines.Text(), parkedHeadNoEnd)
		}
		if !ok || len(sum) != hex.EncodedLen(sha256.Size) {
			return nil, fmt.Errorf("%s:1: not a file of parked zones of this version; run `nullspf zones` of the same version", path)
		}
		p.manifest = sum
		body.Write(lines.Bytes())
		body.Write(newline)
	}
	for lines.Scan() {
		n++
		if sum, ok := bytes.CutPrefix(lines.Bytes(), []byte(parkedEnd)); ok && !whole {
			whole = string(sum) == hex.EncodeToString(body.Sum(nil)) && !lines.Scan()
			break
		}
		body.Write(lines.Bytes())
		body.Write(newline)
		if err := p.line(strings.Split(lines.Text(), "\t")); err != nil {
			return nil, fmt.Errorf("%s:%d: %w; run `nullspf zones` to write it again", path, n, err)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s:%d: %w", path, n, err)
	}
	if !whole {
		return nil, fmt.Errorf("%s: damaged or incomplete: its sum is missing or wrong; run `nullspf zones` to write it again", path)
	}
	return p, nil
}

// parkedLineError says that a line is not what it should be.
type parkedLineError []string

func (e parkedLineError) Error() string {
	return fmt.Sprintf("not a line of parked zones: %q", shorten(strings.Join(e, "\t")))
}

func (p *parked) line(fields []string) error {
	bad := parkedLineError(fields)
	var t *ParkedTemplate
	if len(p.templates) > 0 {
		t = &p.templates[len(p.templates)-1]
	}
	word, rest := fields[0], fields[1:]
	switch {
	case word == "template" && len(rest) == 2:
		ttl, ok := parseSeconds(rest[1])
		if !ok {
			return bad
		}
		p.templates = append(p.templates, ParkedTemplate{Group: rest[0], TTL: ttl})
	case word == "soa" && len(rest) == 6 && t != nil:
		t.SOA.MName, t.SOA.RName = dnsname.Name(rest[0]), dnsname.Mailbox(rest[1])
		for i, d := range []*time.Duration{&t.SOA.Refresh, &t.SOA.Retry, &t.SOA.Expire, &t.SOA.Minimum} {
			var ok bool
			if *d, ok = parseSeconds(rest[2+i]); !ok {
				return bad
			}
		}
	case word == "record" && len(rest) == 3 && t != nil:
		r := ParkedRecord{Owner: rest[0], Type: rest[1], Data: rest[2]}
		if r.Type == "TXT" {
			var err error
			if r.Data, err = strconv.Unquote(rest[2]); err != nil {
				return bad
			}
		}
		t.Records = append(t.Records, r)
	case word == "addresses" && len(rest) == 1 && t != nil:
		t.Addresses = append(t.Addresses, rest[0])
	case word == "group" && len(rest) == 3:
		v, ok := p.variant(rest[1], rest[2])
		if !ok {
			return bad
		}
		p.groups[rest[0]] = v
	case word == "zone" && len(rest) == 3:
		v, ok := p.variant(rest[1], rest[2])
		if n := len(p.zones); !ok || n > 0 && cmp.Compare(p.zones[n-1].name, rest[0]) >= 0 {
			return bad
		}
		p.zones = append(p.zones, parkedZone{rest[0], v})
	default:
		return bad
	}
	return nil
}

func (p *parked) variant(number, addresses string) (v ParkedVariant, ok bool) {
	n, err := strconv.Atoi(number)
	if err != nil || n < 0 || n >= len(p.templates) {
		return v, false
	}
	v = ParkedVariant{n, addresses}
	_, _, err = v.Addrs()
	return v, err == nil
}

func parseSeconds(text string) (time.Duration, bool) {
	n, err := strconv.ParseUint(text, 10, 32)
	return time.Duration(n) * time.Second, err == nil
}

// digestOf sums up a file.
func digestOf(path string) (sum [sha256.Size]byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return sum, err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return sum, err
	}
	h.Sum(sum[:0])
	return sum, nil
}
