package blocklist

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"nullspf/internal/evidence/tier"
)

func writeCSV(w *bufio.Writer, l *List) {
	c := csv.NewWriter(w)
	_ = c.Write([]string{"address", "tier", "first", "last", "expires", "queries", "networks", "domains", "hours", "sessions", "reporters", "names"})
	for i := range l.Entries {
		e := &l.Entries[i]
		_ = c.Write([]string{
			e.address(), e.Tier.String(), stamp(e.First), stamp(e.Last), stamp(e.Expires), strconv.FormatUint(e.Queries, 10),
			strconv.Itoa(e.Networks), strconv.Itoa(e.Domains), strconv.Itoa(e.Hours), strconv.FormatUint(e.Sessions, 10),
			strconv.Itoa(e.Reporters), strings.Join(e.Names, " "),
		})
	}
	c.Flush()
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// head is a document of JSON without its entries, which are jsonEntry.
type head struct {
	Format string    `json:"format"`
	Tier   tier.Tier `json:"tier"`
	Time   time.Time `json:"time"`
}

type document struct {
	head
	Entries []jsonEntry `json:"entries"`
}

// formatName marks our documents.
const formatName = "nullspf blocklist 1"

type jsonEntry struct {
	Address   string    `json:"address"`
	Tier      tier.Tier `json:"tier"`
	First     time.Time `json:"first"`
	Last      time.Time `json:"last"`
	Expires   time.Time `json:"expires"`
	Queries   uint64    `json:"queries"`
	Networks  int       `json:"networks"`
	Domains   int       `json:"domains"`
	Hours     int       `json:"hours"`
	Sessions  uint64    `json:"sessions"`
	Reporters int       `json:"reporters"`
	Names     []string  `json:"names"`
}

// writeJSON writes a document with a line an entry. A cut one is none.
func writeJSON(w *bufio.Writer, l *List) {
	begin, _ := json.Marshal(head{formatName, l.Tier, l.At.UTC().Truncate(time.Second)})
	fmt.Fprintf(w, "%s, \"entries\": [", bytes.TrimSuffix(begin, []byte("}")))
	for i := range l.Entries {
		e := &l.Entries[i]
		line, _ := json.Marshal(jsonEntry{
			e.address(), e.Tier, e.First.UTC(), e.Last.UTC(), e.Expires.UTC(), e.Queries, e.Networks, e.Domains, e.Hours, e.Sessions, e.Reporters,
			append([]string{}, e.Names...),
		})
		if i > 0 {
			w.WriteByte(',')
		}
		w.WriteByte('\n')
		w.Write(line)
	}
	w.WriteString("\n]}\n")
}

// ReadJSON reads a list that was written as JSON. One that is cut, has another form, or
// an entry that no list has, is refused whole.
func ReadJSON(text []byte) (*List, error) {
	var d document
	in := json.NewDecoder(bytes.NewReader(text))
	in.DisallowUnknownFields()
	if err := in.Decode(&d); err != nil {
		return nil, fmt.Errorf("not a whole list of nullspf log export --format json: %w", err)
	}
	if _, err := in.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something stands behind the list")
	}
	if d.Format != formatName {
		return nil, fmt.Errorf("the format is %q, want %q", d.Format, formatName)
	}
	l := &List{Tier: d.Tier, At: d.Time}
	for i, e := range d.Entries {
		prefix, err := parseAddress(e.Address)
		if err != nil {
			return nil, fmt.Errorf("entry %d: %w", i+1, err)
		}
		if i > 0 && prefix.Addr().Compare(l.Entries[i-1].Prefix.Addr()) <= 0 {
			return nil, fmt.Errorf("entry %d: %s stands behind %s, which is not before it", i+1, prefix, l.Entries[i-1].Prefix)
		}
		l.Entries = append(l.Entries, Entry{
			prefix, e.Tier, e.First, e.Last, e.Expires, e.Queries, e.Networks, e.Domains, e.Hours, e.Sessions, e.Reporters, e.Names,
		})
	}
	return l, nil
}

// parseAddress reads an IPv4 address or a /64 of IPv6.
func parseAddress(text string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(text); err == nil && a.Is4() {
		return netip.PrefixFrom(a, 32), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil || p.Addr().Is4() || p.Bits() != 64 || p != p.Masked() {
		return netip.Prefix{}, fmt.Errorf("%q is neither an IPv4 address nor a /64 of IPv6", text)
	}
	return p, nil
}
