package wire

import (
	"errors"
	"strings"

	"github.com/miekg/dns"

	"nullspf/internal/ascii"
)

// The sizes of the longest name, with its root label, and of the longest label,
// in bytes (RFC 1035 section 2.3.4).
const (
	MaxName  = 255
	MaxLabel = 63
)

// Name is a domain name in wire format, without compression, in lower case,
// with the root label at its end: "\x07example\x00". The empty string is no
// name. Names that are equal (RFC 4343) are the same string.
type Name string

// Root is the name of the root.
const Root Name = "\x00"

// errName says that bytes are not a domain name.
var errName = errors.New("malformed domain name")

// ParseName is [PackName] in lower case.
func ParseName(text string) (Name, error) {
	b, err := PackName(text)
	if err != nil {
		return "", err
	}
	return Lower(b), nil
}

// Lower returns a well-formed uncompressed name in lower case.
func Lower(name []byte) Name {
	var b [MaxName]byte
	n := copy(b[:], name)
	for i, c := range b[:n] {
		b[i] = ascii.Lower(c)
	}
	return Name(b[:n])
}

// String returns the name in presentation form with its final dot.
func (n Name) String() string {
	text, _, err := dns.UnpackDomainName([]byte(n), 0)
	if err != nil {
		return "(no name)"
	}
	return text
}

// Text returns the name as people write it: without its final dot, but for the
// root.
func (n Name) Text() string {
	text := n.String()
	if n == Root {
		return text
	}
	return strings.TrimSuffix(text, ".")
}

// Labels returns the number of labels, the root label not counted.
func (n Name) Labels() int {
	var l Labels
	readLabels(&l, n)
	return l.Count
}

// Parent returns the name without its first label; that of the root is the
// root.
func (n Name) Parent() Name {
	if len(n) <= 1 {
		return n
	}
	return n[1+n[0]:]
}

// Within reports whether n is zone or below it.
func (n Name) Within(zone Name) bool {
	for len(n) > len(zone) {
		n = n.Parent()
	}
	return n == zone
}

// ReadName reads the name at an offset of a message, which may be compressed,
// and returns the offset behind it. Its case is lowered.
func ReadName(msg []byte, at int) (name Name, next int, err error) {
	var b [MaxName]byte
	out, next, err := appendName(b[:0], msg, at)
	if err != nil {
		return "", 0, err
	}
	return Lower(out), next, nil
}

// SkipName returns the offset behind the name at an offset of a message. The
// error is [errName] when the message ends before; where a pointer leads is not
// looked at.
func SkipName(msg []byte, at int) (next int, err error) {
	for at < len(msg) {
		switch c := int(msg[at]); {
		case c == 0:
			return at + 1, nil
		case c <= MaxLabel:
			at += 1 + c
		case c >= 0xc0 && at+1 < len(msg):
			return at + 2, nil
		default:
			return 0, errName
		}
	}
	return 0, errName
}

// NameSize returns the size of the well-formed uncompressed name at the start
// of b.
func NameSize(b []byte) int {
	at := 0
	for b[at] != 0 {
		at += 1 + int(b[at])
	}
	return at + 1
}

// appendName appends the name at an offset of a message, uncompressed, case as
// it stands there, and returns the offset behind it.
func appendName(dst, msg []byte, at int) (out []byte, next int, err error) {
	size, lowest := 0, at
	for {
		if at < 0 || at >= len(msg) {
			return dst, 0, errName
		}
		switch c := int(msg[at]); {
		case c == 0:
			if next == 0 {
				next = at + 1
			}
			return append(dst, 0), next, nil
		case c <= MaxLabel:
			if size += 1 + c; size >= MaxName || at+1+c > len(msg) {
				return dst, 0, errName
			}
			dst = append(dst, msg[at:at+1+c]...)
			at += 1 + c
		case c >= 0xc0 && at+1 < len(msg):
			if next == 0 {
				next = at + 2
			}
			// Pointers go back only, which also ends every loop.
			to := (c&0x3f)<<8 | int(msg[at+1])
			if to >= lowest {
				return dst, 0, errName
			}
			at, lowest = to, to
		default:
			return dst, 0, errName
		}
	}
}
