package blocklist

import (
	"bufio"
	"crypto/sha1"
	"encoding/json"
	"fmt"
	"time"
)

// stixNamespace is the UUID of names in this package.
var stixNamespace = [16]byte{0x8e, 0x6b, 0x0b, 0x52, 0x5c, 0x1e, 0x4d, 0x0a, 0x9c, 0x35, 0x2a, 0x5f, 0x27, 0x1d, 0x9e, 0x44}

// stixID makes an identifier from a name, a UUID of version 5 (RFC 9562 section 5.5),
// so that the same entry has the same one in every export.
func stixID(kind, name string) string {
	h := sha1.New()
	h.Write(stixNamespace[:])
	h.Write([]byte(kind + "/" + name))
	u := [16]byte(h.Sum(nil))
	u[6], u[8] = u[6]&0x0f|0x50, u[8]&0x3f|0x80
	return fmt.Sprintf("%s--%x-%x-%x-%x-%x", kind, u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}

// indicator is an Indicator object (STIX 2.1 section 4.7).
type indicator struct {
	Type        string   `json:"type"`
	SpecVersion string   `json:"spec_version"`
	ID          string   `json:"id"`
	Created     string   `json:"created"`
	Modified    string   `json:"modified"`
	Name        string   `json:"name"`
	Description string   `json:"description"`
	Types       []string `json:"indicator_types"`
	Pattern     string   `json:"pattern"`
	PatternType string   `json:"pattern_type"`
	ValidFrom   string   `json:"valid_from"`
	ValidUntil  string   `json:"valid_until"`
	Labels      []string `json:"labels"`
}

// writeSTIX writes a bundle with an indicator an entry.
func writeSTIX(w *bufio.Writer, l *List) {
	const exact = "2006-01-02T15:04:05.000Z"
	format := func(t time.Time) string { return t.UTC().Format(exact) }
	fmt.Fprintf(w, `{"type": "bundle", "id": %q, "objects": [`, stixID("bundle", l.Tier.String()+" "+format(l.At)))
	for i := range l.Entries {
		e := &l.Entries[i]
		pattern := fmt.Sprintf("[ipv4-addr:value = '%s']", e.address())
		if e.Prefix.Addr().Is6() {
			pattern = fmt.Sprintf("[ipv6-addr:value ISSUBSET '%s']", e.address())
		}
		line, _ := json.Marshal(indicator{
			Type: "indicator", SpecVersion: "2.1", ID: stixID("indicator", e.address()), Created: format(e.First), Modified: format(e.Last),
			Name: "Forged mail from " + e.address(), Description: e.Reason(), Types: []string{"malicious-activity"},
			Pattern: pattern, PatternType: "stix", ValidFrom: format(e.First), ValidUntil: format(e.Expires), Labels: []string{e.Tier.String()},
		})
		if i > 0 {
			w.WriteByte(',')
		}
		w.WriteByte('\n')
		w.Write(line)
	}
	w.WriteString("\n]}\n")
}
