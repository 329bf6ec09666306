package zonestore

import (
	"bufio"
	"io"

	"nullspf/internal/wire"
)

// WriteText writes records as a zone file (RFC 1035 section 5), a record a line.
func WriteText(w io.Writer, records func(yield func(*wire.Record) bool)) error {
	out := bufio.NewWriter(w)
	for r := range records {
		if _, err := out.WriteString(r.String() + "\n"); err != nil {
			return err
		}
	}
	return out.Flush()
}
