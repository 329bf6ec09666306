package wire

import (
	"fmt"

	"github.com/miekg/dns"

	"nullspf/internal/ascii"
)

// A layout says what RDATA of a type is made of, a letter a field:
//
//	n  a name that may be compressed in answers (RFC 3597 section 4)
//	N  a name that may only be read compressed, or never
//	1 2 4  bytes; A 16 of them
//	s  a character-string
//	S  one or more character-strings
//	*  the rest, any length
//
// Only types that hold names, and those whose shape others rely on, have one.
// All others are opaque.
var layouts = map[uint16]string{
	dns.TypeA:          "4",
	dns.TypeNS:         "n",
	dns.TypeMD:         "n",
	dns.TypeMF:         "n",
	dns.TypeCNAME:      "n",
	dns.TypeSOA:        "nn44444",
	dns.TypeMB:         "n",
	dns.TypeMG:         "n",
	dns.TypeMR:         "n",
	dns.TypePTR:        "n",
	dns.TypeHINFO:      "ss",
	dns.TypeMINFO:      "nn",
	dns.TypeMX:         "2n",
	dns.TypeTXT:        "S",
	dns.TypeRP:         "NN",
	dns.TypeAFSDB:      "2N",
	dns.TypeX25:        "s",
	dns.TypeRT:         "2N",
	dns.TypeSIG:        "2114442N*",
	dns.TypePX:         "2NN",
	dns.TypeAAAA:       "A",
	dns.TypeNXT:        "N*",
	dns.TypeSRV:        "222N",
	dns.TypeNAPTR:      "22sssN",
	dns.TypeKX:         "2N",
	dns.TypeDNAME:      "N",
	dns.TypeDS:         "211*",
	dns.TypeRRSIG:      "2114442N*",
	dns.TypeNSEC:       "N*",
	dns.TypeDNSKEY:     "211*",
	dns.TypeNSEC3:      "112ss*",
	dns.TypeNSEC3PARAM: "112s",
	dns.TypeTALINK:     "NN",
	dns.TypeSPF:        "S",
	dns.TypeLP:         "2N",
	dns.TypeSVCB:       "2N*",
	dns.TypeHTTPS:      "2N*",
	dns.TypeTSIG:       "N*",
}

// readData copies the data that begins at an offset and ends with the message,
// with its names uncompressed.
func readData(msg []byte, at int, rrtype uint16) ([]byte, error) {
	layout, known := layouts[rrtype]
	if !known {
		return append([]byte{}, msg[at:]...), nil
	}
	out := make([]byte, 0, len(msg)-at+16)
	var err error
	for i := range len(layout) {
		switch c := layout[i]; c {
		case 'n', 'N':
			out, at, err = appendName(out, msg, at)
			if err != nil {
				return nil, err
			}
			continue
		case 's':
			if at >= len(msg) || at+1+int(msg[at]) > len(msg) {
				return nil, errRecord
			}
			out = append(out, msg[at:at+1+int(msg[at])]...)
			at += 1 + int(msg[at])
		case 'S':
			for first := true; first || at < len(msg); first = false {
				if at >= len(msg) || at+1+int(msg[at]) > len(msg) {
					return nil, errRecord
				}
				out = append(out, msg[at:at+1+int(msg[at])]...)
				at += 1 + int(msg[at])
			}
		case '*':
			out = append(out, msg[at:]...)
			at = len(msg)
		default:
			size := int(c - '0')
			if c == 'A' {
				size = 16
			}
			if at+size > len(msg) {
				return nil, errRecord
			}
			out = append(out, msg[at:at+size]...)
			at += size
		}
	}
	if at != len(msg) {
		return nil, fmt.Errorf("%w: %d bytes too many", errRecord, len(msg)-at)
	}
	if len(out) > 0xffff {
		return nil, fmt.Errorf("%w: data of %d bytes", errRecord, len(out))
	}
	return out, nil
}

// FoldData returns well-formed uncompressed data with its names in lower case:
// records whose data is the same then are the same (RFC 4343). The string comes
// back itself when nothing changes.
func FoldData(rrtype uint16, data string) string {
	layout := layouts[rrtype]
	var folded []byte
	at := 0
	for i := range len(layout) {
		switch c := layout[i]; c {
		case 'n', 'N':
			for at < len(data) && data[at] != 0 {
				end := min(at+1+int(data[at]), len(data))
				for at++; at < end; at++ {
					if l := ascii.Lower(data[at]); l != data[at] {
						if folded == nil {
							folded = []byte(data)
						}
						folded[at] = l
					}
				}
			}
			at++
		case '1', '2', '4':
			at += int(c - '0')
		case 's':
			if at >= len(data) {
				return data
			}
			at += 1 + int(data[at])
		default: // A, S and *: no name follows
			at = len(data)
		}
	}
	if folded == nil {
		return data
	}
	return string(folded)
}

// CompressibleNames returns, for the types whose data may be compressed in
// answers (RFC 3597 section 4), the number of bytes before the first name and
// the number of names that follow each other there; 0 names for other types.
func CompressibleNames(rrtype uint16) (before, names int) {
	switch rrtype {
	case dns.TypeNS, dns.TypeCNAME, dns.TypePTR, dns.TypeMD, dns.TypeMF, dns.TypeMB, dns.TypeMG, dns.TypeMR:
		return 0, 1
	case dns.TypeMX:
		return 2, 1
	case dns.TypeSOA, dns.TypeMINFO:
		return 0, 2
	}
	return 0, 0
}
