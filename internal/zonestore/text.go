package zonestore

import (
	"bufio"
	"io"
)

// WriteText writes the zone as a zone file (RFC 1035 section 5), a record a
// line.
func (z *Zone) WriteText(w io.Writer) error {
	out := bufio.NewWriter(w)
	for r := range z.Records {
		// An error stays in out.
		_, _ = out.WriteString(r.String() + "\n")
	}
	return out.Flush()
}
