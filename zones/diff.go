package zones

import (
	"slices"
	"strings"
)

// RecordDiff is what a change does to the records of a zone, apart from its
// serial number. The lines are those of zone files, with single blanks.
type RecordDiff struct {
	Removed []string `json:"removed,omitempty"`
	Added   []string `json:"added,omitempty"`
}

// Key is the same for changes that do the same to zones of different names.
func (d RecordDiff) Key(name string) string {
	key := strings.Join(d.Removed, "\n") + "\x00" + strings.Join(d.Added, "\n")
	return strings.ReplaceAll(key, name, "{domain}")
}

// DiffZone compares two texts of a zone, either of which may be nil.
func DiffZone(before, after []byte) RecordDiff {
	old, now := recordLines(before), recordLines(after)
	var d RecordDiff
	for _, l := range old {
		if !slices.Contains(now, l) {
			d.Removed = append(d.Removed, l)
		}
	}
	for _, l := range now {
		if !slices.Contains(old, l) {
			d.Added = append(d.Added, l)
		}
	}
	return d
}

// recordLines gives the records of a zone file, without its comments and with
// its serial number left out. The TTL counts as a line of its own.
func recordLines(file []byte) []string {
	if serial, start, end, ok := findSerial(file); ok && serial > 0 {
		file = slices.Concat(file[:start], []byte("SERIAL"), file[end:])
	}
	var lines []string
	for line := range strings.Lines(string(file)) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == ';' || strings.HasPrefix(line, "$ORIGIN") {
			continue
		}
		owner, rest, _ := strings.Cut(line, " IN ")
		rrtype, data, ok := strings.Cut(strings.TrimSpace(rest), " ")
		if ok {
			line = strings.TrimSpace(owner) + " " + rrtype + " " + strings.TrimSpace(data)
		}
		lines = append(lines, line)
	}
	return lines
}
