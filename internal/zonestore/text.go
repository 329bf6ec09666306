package zonestore

import (
	"bufio"
	"fmt"
	"io"
)

// WriteText writes the zone as a zone file (RFC 1035 section 5), a record a
// line.
func (z *Zone) WriteText(w io.Writer) error {
	out := bufio.NewWriter(w)
	var err error
	for r := range z.Records {
		rr, bad := r.RR()
		if bad != nil {
			err = fmt.Errorf("%s: %w", r.Name, bad)
			break
		}
		if _, err = out.WriteString(rr.String() + "\n"); err != nil {
			break
		}
	}
	if err != nil {
		return err
	}
	return out.Flush()
}
